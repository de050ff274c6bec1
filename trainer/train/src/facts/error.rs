//! What facts beside weights can forbid.

use std::path::PathBuf;

/// Why weights are not used with a recipe.
#[derive(Debug, thiserror::Error)]
pub enum FactError {
    /// The file cannot be read.
    #[error("{path}: {detail}", path = path.display())]
    Unreadable {
        /// The configuration.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// A model that this program does not build.
    #[error("{path} is of a model that is not built here: {detail}", path = path.display())]
    Unsupported {
        /// The configuration.
        path: PathBuf,
        /// Its key and value.
        detail: String,
    },
    /// The configuration and the recipe are of two models.
    #[error("{path} beside the weights says {}", contradictions.join("; it says "), path = path.display())]
    Contradiction {
        /// The configuration.
        path: PathBuf,
        /// Each fact, there and in the recipe.
        contradictions: Vec<String>,
        /// The `--set` that would agree, where there is one for each.
        set: Vec<String>,
    },
}

impl FactError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            FactError::Unreadable { .. } => {
                Some("repair the file, or move it away if it is not of these weights".to_owned())
            }
            FactError::Unsupported { .. } => None,
            FactError::Contradiction { set, .. } => {
                let changes: Vec<String> = set.iter().map(|set| format!("--set {set}")).collect();
                Some(format!(
                    "change the recipe: {}; weights without a configuration beside them are taken as the recipe says",
                    changes.join(" ")
                ))
            }
        }
    }
}
