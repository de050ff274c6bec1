//! What can go wrong in an evaluation.

use std::path::PathBuf;

use clipa_schemas::reduction::text::ReductionError;
use clipa_stream::StreamError;
use clipa_talk::printable;

/// Why an evaluation could not be made.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// The data set or its prompts.
    #[error(transparent)]
    Dataset(#[from] clipa_schemas::error::Error),
    /// Reading images.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// libtorch.
    #[error(transparent)]
    Torch(#[from] torch_ext::Error),
    /// A prompt can't be reduced to the model's context.
    #[error("prompt `{prompt}` of {path}: {source}", prompt = printable(prompt), path = path.display())]
    Prompt {
        /// The data set.
        path: PathBuf,
        /// The prompt.
        prompt: String,
        /// Why not.
        source: ReductionError,
    },
    /// A prompt holds a token id that the model has no row for.
    #[error("prompt `{prompt}` of {path} has token {token}, which the model does not know", prompt = printable(prompt), path = path.display())]
    Token {
        /// The data set.
        path: PathBuf,
        /// The prompt.
        prompt: String,
        /// The id.
        token: u16,
    },
    /// A class without a prompt has no classifier.
    #[error("{path} has no prompt for class {class}", path = path.display())]
    ClassWithoutPrompt {
        /// The data set.
        path: PathBuf,
        /// The class.
        class: usize,
    },
    /// The set is not a classification set.
    #[error("{path} has no labels", path = path.display())]
    NoLabels {
        /// The data set.
        path: PathBuf,
    },
    /// A label that no class name goes with.
    #[error("{path} has label {label}, but prompts for {classes} classes only", path = path.display())]
    UnknownLabel {
        /// The data set.
        path: PathBuf,
        /// The label.
        label: u32,
        /// Classes that have prompts.
        classes: usize,
    },
}

impl EvalError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            EvalError::Stream(error) => return error.hint(),
            EvalError::Token { .. } => {
                "the set was made with another tokenizer: prepare it with that of this model"
            }
            EvalError::ClassWithoutPrompt { .. } => "prepare it again with a name for every class",
            EvalError::NoLabels { .. } => {
                "zero-shot evaluation needs a set made by `clipa-prep classes ingest`"
            }
            EvalError::Dataset(_)
            | EvalError::Torch(_)
            | EvalError::Prompt { .. }
            | EvalError::UnknownLabel { .. } => return None,
        };
        Some(hint.to_owned())
    }
}
