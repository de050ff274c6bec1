//! What can go wrong between a data set and a batch.

use std::path::PathBuf;

/// Why a stream could not be opened or had to end.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The data set or one of its shards can't be read.
    #[error(transparent)]
    Dataset(#[from] clipa_schemas::error::Error),
    /// A setting is out of its bounds.
    #[error("stream: {0}")]
    Config(String),
    /// The data set has no row.
    #[error("{path} holds no sample", path = path.display())]
    Empty {
        /// The data set.
        path: PathBuf,
    },
    /// The image column that the stage asks for is not stored.
    #[error("{path} has no image column `{wanted}`, only {stored}", path = path.display())]
    NoImageColumn {
        /// The data set.
        path: PathBuf,
        /// What was asked for.
        wanted: String,
        /// What there is.
        stored: String,
    },
    /// The token column that the stage asks for is not stored.
    #[error("{path} has no token column `{wanted}`, only {stored}", path = path.display())]
    NoTokenColumn {
        /// The data set.
        path: PathBuf,
        /// What was asked for.
        wanted: String,
        /// What there is.
        stored: String,
    },
    /// A syntax mask without part-of-speech tags.
    #[error(
        "{path} was made without a tagger, and the text reduction `{reduction}` chooses words by their tags",
        path = path.display()
    )]
    NoTags {
        /// The data set.
        path: PathBuf,
        /// What was asked for.
        reduction: String,
    },
    /// A shard is not what the manifest says.
    #[error("{path}: {detail}", path = path.display())]
    ShardChanged {
        /// The shard.
        path: PathBuf,
        /// What differs.
        detail: String,
    },
    /// A shard's bytes are not those that were written.
    #[error("{path}: {detail}", path = path.display())]
    Checksum {
        /// The shard.
        path: PathBuf,
        /// What differs.
        detail: String,
        /// Its data set.
        dataset: PathBuf,
    },
    /// A row holds something that can't be a sample.
    #[error("{path}, row {row}: {detail}", path = path.display())]
    Row {
        /// The shard.
        path: PathBuf,
        /// The row in it, from 0.
        row: u64,
        /// What is wrong.
        detail: String,
    },
    /// A thread could not be started.
    #[error("no thread for `{thread}`: {source}")]
    Thread {
        /// Its name.
        thread: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A thread ended with a programmer's mistake.
    #[error(transparent)]
    Panicked(#[from] clipa_pool::Panicked),
    /// An earlier error ended the stream.
    #[error("the stream has ended with an earlier error")]
    Ended,
}

impl StreamError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            StreamError::Empty { .. } => {
                "run clipa-prep again, and look at its report of rejected samples"
            }
            StreamError::NoImageColumn { .. } => {
                "choose one of these, or prepare the data with --image SIDE:ENCODING or --for RECIPE"
            }
            StreamError::NoTokenColumn { .. } => {
                "prepare the data with the tokenizer of this model, or with --for RECIPE"
            }
            StreamError::NoTags { .. } => {
                "prepare the data with a tagger, or choose another reduction"
            }
            StreamError::ShardChanged { .. } => {
                "a finished shard never changes: restore it, or prepare this data set again"
            }
            StreamError::Checksum { dataset, .. } => {
                return Some(format!(
                    "`clipa-inspect verify {}` names every damaged file: restore it, or prepare the data again; \
                     --trust-data trains without looking",
                    dataset.display()
                ));
            }
            StreamError::Row { .. } => "run `clipa-inspect verify` on the data set",
            StreamError::Panicked { .. } => "this is a mistake in clipa: please report it",
            StreamError::Dataset(_)
            | StreamError::Config(_)
            | StreamError::Thread { .. }
            | StreamError::Ended => return None,
        };
        Some(hint.to_owned())
    }
}
