//! Draws a captioned set of pictures, so that the whole system can be tried with no data at hand.
//!
//! A picture shows one [`shape::Shape`] of one [`vocabulary::Colour`], of some size, at some place, on
//! some background. Its caption says so, as captions of the web do: more or less of it, with filler.
//! The training set is written as img2dataset writes LAION, the zero-shot set as CLIP_benchmark reads
//! it, with the pairs of shape and colour as classes; some pairs never occur in training.
//!
//! ```text
//! OUTPUT/synth.json                      the plan that the files are made from
//!        train/00000.tar                 KEY.jpg, KEY.json, KEY.txt
//!        train/00000.parquet             the same rows as img2dataset's side file
//!        train/00000_stats.json          its counts; present = this tar is complete
//!        classes/0.tar                   KEY.cls, KEY.jpg
//!        classes/classnames.txt, zeroshot_classification_templates.txt, nshards.txt
//!        classes/held_out.txt            classes that never occur in training
//! ```
//!
//! Every byte is a function of the [`plan::Plan`]: not of threads, of the machine, or of where a run
//! was stopped.

pub mod caption;
mod classes;
pub mod dice;
pub mod drawing;
mod file;
pub mod geometry;
mod img2dataset;
pub mod plan;
pub mod raster;
pub mod scene;
pub mod shape;
pub mod vocabulary;

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
