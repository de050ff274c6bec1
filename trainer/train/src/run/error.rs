//! What can stop a run.

use std::{io, path::PathBuf};

use crate::{checkpoint::CheckpointError, model::ModelConfigError};
use clipa_recipe::RecipeError;
use clipa_stream::StreamError;

/// Why a run did not begin or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The recipe.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// The model's sizes.
    #[error(transparent)]
    Model(#[from] ModelConfigError),
    /// The data set.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// Data or weights that should not be used as they are.
    #[error(transparent)]
    Unready(#[from] super::ready::Unready),
    /// A checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The data set's manifest.
    #[error(transparent)]
    Dataset(#[from] clipa_schemas::error::Error),
    /// A set to evaluate on.
    #[error(transparent)]
    Eval(#[from] crate::eval::EvalError),
    /// libtorch.
    #[error(transparent)]
    Torch(#[from] torch_ext::Error),
    /// Reading or writing in the run's folder failed.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The output holds something else.
    #[error("{path} is not empty and holds no run", path = path.display())]
    NotARun {
        /// The folder.
        path: PathBuf,
    },
    /// The output holds a run, and nothing was said about continuing it.
    #[error("{path} holds a run already, {at}", path = path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
        /// Where that run is.
        at: String,
    },
    /// The stored images are smaller than what the stage shows to the model.
    #[error("{column} is too small for {image_size} px: {reason}")]
    SmallImages {
        /// Name of the column.
        column: String,
        /// Side of the stage's images.
        image_size: u32,
        /// How small it is.
        reason: String,
    },
    /// Another process has the run's folder.
    #[error("another process writes to {path}", path = path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The output holds a run that is not the one asked for.
    #[error(
        "{path} holds another run, which can't be continued with these settings: {differences}",
        path = path.display()
    )]
    OtherRun {
        /// The folder.
        path: PathBuf,
        /// Each setting, there and now.
        differences: String,
    },
    /// The data set holds a token id that the model has no row for.
    #[error(
        "token {token} in the batch from sample {first_sample} on: the model knows {vocab_size} ids"
    )]
    Token {
        /// The id.
        token: i64,
        /// Rows of the token embedding.
        vocab_size: i64,
        /// First sample of the batch.
        first_sample: u64,
    },
    /// A step does not fit into the device's memory.
    #[error("{why}")]
    Memory {
        /// What does not fit, and into what.
        why: String,
    },
    /// The loss or a gradient is no number any more.
    #[error(
        "at step {step} the loss or its gradient stopped being a number, first in the {tower}'s; {saved} has the batch, and nothing was written since {kept}",
        saved = saved.display()
    )]
    Diverged {
        /// The step.
        step: u64,
        /// The tower.
        tower: &'static str,
        /// What was saved of it.
        saved: PathBuf,
        /// The checkpoint that remains.
        kept: String,
    },
    /// The loss is far above those before it.
    #[error(
        "at step {step} the loss is {loss:.4}, far above the {median:.4} of the steps before; {saved} has the batch, and nothing was written since {kept}",
        saved = saved.display()
    )]
    Spike {
        /// The step.
        step: u64,
        /// Its loss.
        loss: f64,
        /// The median before it.
        median: f64,
        /// What was saved of it.
        saved: PathBuf,
        /// The checkpoint that remains.
        kept: String,
    },
}

impl RunError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            RunError::Stream(error) => return error.hint(),
            RunError::Checkpoint(error) => return error.hint(),
            RunError::Eval(error) => return error.hint(),
            RunError::Unready(error) => return Some(error.hint()),
            RunError::NotARun { .. } => "choose another --output",
            RunError::Exists { .. } => "add --resume to continue it, or choose another --output",
            RunError::SmallImages { .. } => {
                "prepare the data with --for this recipe from larger images, choose a smaller stage.image_size, or add \
                 --allow-enlarging"
            }
            RunError::InUse { .. } => "wait until it has ended, or choose another --output",
            RunError::OtherRun { .. } => {
                "repeat the settings of that run, or choose another --output; a change that is meant begins another run with \
                 `finetune --from RUN --keep-moments`"
            }
            RunError::Token { .. } => {
                "the data set was made with another tokenizer, or is damaged: run `clipa-inspect verify` on it"
            }
            RunError::Diverged { .. } => {
                "lower the learning rate (--set stage.lr=...), lengthen the warm-up (--set stage.warmup_steps=...) or \
                 clip (--set stage.clip_grad_norm=1.0), and start again; or, where the batch is to blame, --resume \
                 --on-spike rewind"
            }
            RunError::Spike { .. } => {
                "look at the batch; then --resume --on-spike rewind goes on without it, --resume --on-spike ignore with it"
            }
            RunError::Memory { .. } => {
                "recompute activations (--set stage.recompute=true), lower the batch (--set stage.batch=...), or use a \
                 device with more memory"
            }
            RunError::Recipe(error) => return error.hint(),
            RunError::Model(_)
            | RunError::Dataset(_)
            | RunError::Torch(_)
            | RunError::Io { .. } => return None,
        };
        Some(hint.to_owned())
    }

    pub(super) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> RunError {
        let path = path.into();
        move |source| RunError::Io { path, source }
    }
}
