//! What can go wrong in an evaluation.

use std::{io, path::PathBuf};

use clipa_recipe::RecipeError;
use clipa_schemas::reduction::text::ReductionError;
use clipa_stream::StreamError;
use clipa_talk::printable;

use crate::{checkpoint::CheckpointError, facts::FactError, model::ModelConfigError};

/// What an embedding is of, for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoded {
    /// An image of the data set.
    Image,
    /// A caption of the data set.
    Caption,
    /// A prompt of a classification set.
    Prompt,
}

impl Encoded {
    fn name(self) -> &'static str {
        match self {
            Encoded::Image => "image",
            Encoded::Caption => "caption",
            Encoded::Prompt => "prompt",
        }
    }
}

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
    /// Weights.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A recipe.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// What lies beside weights.
    #[error(transparent)]
    Facts(#[from] FactError),
    /// Lengths.
    #[error(transparent)]
    Model(#[from] ModelConfigError),
    /// A file beside weights can't be read.
    #[error("{path}: {source}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Nothing says what model the weights are of.
    #[error("nothing beside {path} says what model it is", path = path.display())]
    NoDescription {
        /// The weights.
        path: PathBuf,
    },
    /// A recipe of several stages, and nothing says which one trained the weights.
    #[error("nothing beside {path} says in which stage of the recipe it was trained", path = path.display())]
    WhichStage {
        /// The weights.
        path: PathBuf,
    },
    /// Retrieval needs captions.
    #[error("{path} is a classification set: it has labels and no captions", path = path.display())]
    NoCaptions {
        /// The data set.
        path: PathBuf,
    },
    /// A caption holds a token id that the model has no row for.
    #[error("text {text} of {path} has token {token}: the model knows {vocab_size} ids", path = path.display())]
    CaptionToken {
        /// The data set.
        path: PathBuf,
        /// The id.
        token: i64,
        /// Number of the text, from 0.
        text: u64,
        /// Rows of the token embedding.
        vocab_size: i64,
    },
    /// An embedding is no vector of numbers: the weights or the data are damaged, or training had diverged.
    #[error("the embedding of {what} {sample} of {path} is not a number", what = kind.name(), path = path.display())]
    NotANumber {
        /// The data set.
        path: PathBuf,
        /// What it is of.
        kind: Encoded,
        /// Its number among those of its kind, from 0.
        sample: u64,
    },
    /// It was asked to stop.
    #[error("the evaluation was stopped")]
    Stopped,
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
            EvalError::Checkpoint(error) => return error.hint(),
            EvalError::Recipe(error) => return error.hint(),
            EvalError::Facts(error) => return error.hint(),
            EvalError::NoDescription { .. } => {
                "put its open_clip_config.json, or the recipe.toml and run.json of its run, into the folder"
            }
            EvalError::WhichStage { .. } => {
                "put the run.json of its run, or the state.json of its checkpoint, into the folder"
            }
            EvalError::NoCaptions { .. } => {
                "retrieval needs pairs, a set made by `clipa-prep laion ingest`"
            }
            EvalError::CaptionToken { .. } => {
                "the set was made with another tokenizer: prepare it with that of this model"
            }
            EvalError::NotANumber { .. } => {
                "evaluate an earlier checkpoint: a training that diverged leaves such weights"
            }
            EvalError::Token { .. } => {
                "the set was made with another tokenizer: prepare it with that of this model"
            }
            EvalError::ClassWithoutPrompt { .. } => "prepare it again with a name for every class",
            EvalError::NoLabels { .. } => {
                "zero-shot evaluation needs a set made by `clipa-prep classes ingest`"
            }
            EvalError::Dataset(_)
            | EvalError::Torch(_)
            | EvalError::Model(_)
            | EvalError::Unreadable { .. }
            | EvalError::Stopped
            | EvalError::Prompt { .. }
            | EvalError::UnknownLabel { .. } => return None,
        };
        Some(hint.to_owned())
    }
}
