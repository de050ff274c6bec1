//! Why a tagger cannot be opened.

use std::io;
use std::path::{Path, PathBuf};

use crate::wordpiece::WordPieceError;
use crate::words::PunktError;

/// A tagger that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum TaggerError {
    /// No tagger has this name.
    #[error("no tagger is called {given:?}; there are {known}")]
    Unknown {
        /// The name that was given.
        given: String,
        /// The names that exist.
        known: String,
    },
    /// This program was built without the tagger.
    #[error(
        "this program was built without the tagger {name}, which needs {needs}\nhint: cargo build --release --features \
         {feature}"
    )]
    NotBuilt {
        /// How the tagger is called.
        name: &'static str,
        /// What it brings into the program.
        needs: &'static str,
        /// The feature of cargo that builds it.
        feature: &'static str,
    },
    /// A file is missing.
    #[error("no {what} in {directory}\nhint: {hint}")]
    Missing {
        /// The file.
        what: &'static str,
        /// The directory that should have it.
        directory: PathBuf,
        /// Where to get it.
        hint: &'static str,
    },
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file's content is not what the tagger needs.
    #[error("{path}: {reason}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Weights that `clipa-prep tagger train` did not write, or that are damaged.
    #[error("not a tagger's weights (version 1): {reason}")]
    Weights {
        /// What is wrong.
        reason: &'static str,
    },
    /// Punkt's tables cannot be used.
    #[error(transparent)]
    Punkt(#[from] PunktError),
    /// A WordPiece vocabulary cannot be used.
    #[error(transparent)]
    WordPiece(#[from] WordPieceError),
}

impl TaggerError {
    /// A [`TaggerError::Read`] of this file.
    pub fn read(path: &Path, source: io::Error) -> TaggerError {
        TaggerError::Read { path: path.to_owned(), source }
    }

    /// A [`TaggerError::Format`] of this file.
    pub fn format(path: &Path, reason: impl Into<String>) -> TaggerError {
        TaggerError::Format { path: path.to_owned(), reason: reason.into() }
    }
}
