//! What can go wrong with weights that come from, or go to, other programs.

use std::{io, path::PathBuf};

use crate::{checkpoint::CheckpointError, facts::FactError, run::RunError};

/// Why weights are not read or written.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// Reading or writing failed.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A pickle that asks for more than tensors and containers. Nothing of it was executed.
    #[error(
        "{path} asks for {asked}, which is neither a tensor nor a container: refused, and nothing of it was executed",
        path = path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The function or class, by the name that the pickle has for it.
        asked: String,
    },
    /// A file that contradicts itself, is cut, or is beyond a limit.
    #[error("{path} is damaged or no file of weights: {detail}", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What contradicts what.
        detail: String,
    },
    /// A model or a file that this program has no form for.
    #[error("{path}: {detail}", path = path.display())]
    Unsupported {
        /// The file or folder.
        path: PathBuf,
        /// What it is.
        detail: String,
        /// What to do about it, where that is known.
        hint: Option<String>,
    },
    /// What the other program's form cannot hold.
    #[error("{program} cannot hold this model: {detail}")]
    Inexpressible {
        /// open_clip or Hugging Face's CLIPModel.
        program: &'static str,
        /// The model's keys and values, each with the reason.
        detail: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// The output holds something.
    #[error("{path} is there already and not empty", path = path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// A checkpoint of ours.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A configuration beside weights.
    #[error(transparent)]
    Fact(#[from] FactError),
    /// A run of ours.
    #[error(transparent)]
    Run(#[from] RunError),
}

impl From<clipa_schemas::error::Error> for ExchangeError {
    fn from(error: clipa_schemas::error::Error) -> ExchangeError {
        ExchangeError::Checkpoint(error.into())
    }
}

impl ExchangeError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            ExchangeError::Io { .. } => None,
            ExchangeError::Foreign { .. } => Some(
                "weights need none of this: trust the file only if you know who made it, load it with PyTorch there, and \
                 save the state dict alone, best with safetensors' `save_file`"
                    .to_owned(),
            ),
            ExchangeError::Damaged { .. } => {
                Some("fetch or copy it again, and compare it with the checksum of its source".to_owned())
            }
            ExchangeError::Unsupported { hint, .. } | ExchangeError::Inexpressible { hint, .. } => {
                hint.clone()
            }
            ExchangeError::Exists { .. } => Some("choose another --output".to_owned()),
            ExchangeError::Checkpoint(error) => error.hint(),
            ExchangeError::Fact(error) => error.hint(),
            ExchangeError::Run(error) => error.hint(),
        }
    }

    pub(super) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> ExchangeError {
        let path = path.into();
        move |source| ExchangeError::Io { path, source }
    }

    pub(super) fn damaged(path: impl Into<PathBuf>, detail: impl Into<String>) -> ExchangeError {
        ExchangeError::Damaged { path: path.into(), detail: detail.into() }
    }

    pub(super) fn unsupported(
        path: impl Into<PathBuf>,
        detail: impl Into<String>,
        hint: Option<&str>,
    ) -> ExchangeError {
        let hint = hint.map(str::to_owned);
        ExchangeError::Unsupported { path: path.into(), detail: detail.into(), hint }
    }
}
