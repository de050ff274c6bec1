//! What can be wrong with a recipe.

use std::path::PathBuf;

use crate::{built_in::BUILT_IN, model::ModelConfigError};

/// Why a recipe can't be used. Each message names the recipe's key; [`RecipeError::hint`] has the remedy that goes beyond it.
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    /// Neither a built-in recipe nor a file.
    #[error("no recipe named `{name}`{suggestion}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// `, did you mean ...`, or nothing.
        suggestion: String,
    },
    /// The file can't be read.
    #[error("recipe {path}: {source}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Not TOML, or a value of the wrong type.
    #[error("recipe {origin}: {message}")]
    Malformed {
        /// Name or path of the recipe.
        origin: String,
        /// The parser's message, with the line.
        message: String,
    },
    /// A key that no recipe has.
    #[error("recipe {origin}: unknown key `{key}`{suggestion}")]
    UnknownKey {
        /// Name or path of the recipe, or `--set`.
        origin: String,
        /// The full key.
        key: String,
        /// `, did you mean ...`, or the keys that there are.
        suggestion: String,
    },
    /// `--set` without `=`, or with a key that leads nowhere.
    #[error("--set {text}: {why}")]
    Override {
        /// What was given.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// A stage that the recipe does not have.
    #[error("recipe {recipe} has no stage `{wanted}`, only {known}")]
    NoStage {
        /// Name of the recipe.
        recipe: String,
        /// What was asked for.
        wanted: String,
        /// The stages that there are.
        known: String,
    },
    /// A value that cannot work.
    #[error("recipe {recipe}, stage {stage}: {key} = {value}: {why}")]
    Value {
        /// Name of the recipe.
        recipe: String,
        /// Name of the stage.
        stage: String,
        /// The key within the stage.
        key: &'static str,
        /// Its value.
        value: String,
        /// What is wrong with it.
        why: String,
    },
    /// A model that cannot be built.
    #[error("recipe {recipe}: {source}")]
    Model {
        /// Name of the recipe.
        recipe: String,
        /// The key and what is wrong with it.
        source: ModelConfigError,
    },
}

impl RecipeError {
    /// What to do about it, where that is known and not part of the message.
    pub fn hint(&self) -> Option<String> {
        match self {
            RecipeError::Unknown { .. } => {
                let names: Vec<&str> = BUILT_IN.iter().map(|recipe| recipe.name).collect();
                let names = names.join(", ");
                Some(format!(
                    "the built-in recipes are {names}; a recipe of your own is named by its path"
                ))
            }
            _ => None,
        }
    }
}
