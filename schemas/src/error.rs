//! Everything that can go wrong with a data set on disk.

use std::{io, path::PathBuf};

/// An error of this crate, with the file that it is about.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Reading, writing, renaming or mapping a file failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A shard is not the Parquet file that its writer made: damaged, cut, or not ours.
    #[error("{}: {detail}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What contradicts what.
        detail: String,
    },
    /// A shard or data set lacks a column that was asked for.
    #[error("{}: no column `{column}`; stored are: {stored}", path.display())]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// The name asked for.
        column: String,
        /// Names that are there.
        stored: String,
    },
    /// A folder is not a clipa data set, or one of another version.
    #[error("{}: {detail}", path.display())]
    NotADataset {
        /// The folder or manifest.
        path: PathBuf,
        /// What was found instead.
        detail: String,
    },
    /// The counts of a unit do not add up, so that a sample or a member was lost or counted twice: a mistake of the program.
    #[error("{}: {detail}; nothing of this unit is kept, please report it", path.display())]
    Unbalanced {
        /// The entry that is not written.
        path: PathBuf,
        /// Which counts.
        detail: String,
    },
    /// A row cannot be stored as it is: a programmer's or caller's mistake, with the row's key.
    #[error("sample `{key}`: {detail}")]
    Row {
        /// Key of the sample.
        key: String,
        /// What contradicts the schema.
        detail: String,
    },
}

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |source| Error::Io { path, source }
    }

    pub(crate) fn corrupt(path: impl Into<PathBuf>, detail: impl ToString) -> Error {
        Error::Corrupt { path: path.into(), detail: detail.to_string() }
    }
}
