//! Why no set could be drawn.

use std::path::PathBuf;

/// Why no set could be drawn.
#[derive(Debug, thiserror::Error)]
pub enum SynthError {
    /// A number of the plan is out of its range.
    #[error("{what} is {given}, but must be in {least}..={most}")]
    OutOfRange {
        /// Which number.
        what: &'static str,
        /// What was asked for.
        given: u64,
        /// Smallest value allowed.
        least: u64,
        /// Greatest value allowed.
        most: u64,
    },
    /// The output holds files of something else.
    #[error("{} is not empty and holds no set drawn by synth (found {found})", folder.display())]
    Occupied {
        /// The output.
        folder: PathBuf,
        /// One file that is there.
        found: String,
    },
    /// The output holds a set drawn from another plan.
    #[error("{} holds a set drawn with {}", folder.display(), differences.join(", "))]
    OtherPlan {
        /// The output.
        folder: PathBuf,
        /// `samples 8192 (now 100)` and so on.
        differences: Vec<String>,
    },
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] clipa_schemas::Error),
    /// A file or folder cannot be read or made.
    #[error("{}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The plan beside the files cannot be read as one.
    #[error("{} is not a plan of synth", path.display())]
    Plan {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        source: serde_json::Error,
    },
    /// A tar cannot be written.
    #[error("{}", path.display())]
    Tar {
        /// The tar.
        path: PathBuf,
        /// What went wrong.
        source: webdataset::Error,
    },
    /// A Parquet file cannot be written.
    #[error("{}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: parquet::errors::ParquetError,
    },
    /// The caller wanted no more.
    #[error("stopped before everything was drawn; what is complete stays")]
    Stopped,
    /// A picture cannot be encoded.
    #[error("a drawn picture cannot be encoded as JPEG")]
    Jpeg(#[from] turbojpeg::Error),
}
