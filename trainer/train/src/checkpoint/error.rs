//! What can go wrong with a checkpoint.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
};

/// Why a checkpoint can't be written or used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Reading, writing or renaming failed; a full disk ends here, and the checkpoint before is untouched.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Not a safetensors file, or a damaged one.
    #[error("{path} is no whole safetensors file: {detail}", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What contradicts what.
        detail: String,
    },
    /// `state.json` is not what this program writes.
    #[error("{path}: {detail}", path = path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The tensors are not those of the model.
    #[error("{path} holds another model: {detail}", path = path.display())]
    OtherModel {
        /// The file.
        path: PathBuf,
        /// Names of the tensors that do not fit.
        detail: String,
    },
    /// A file that has to be converted first.
    #[error("{path} is not a safetensors file", path = path.display())]
    NotSafetensors {
        /// The file.
        path: PathBuf,
    },
    /// Weights in several files, which have to be joined first.
    #[error("{path} lists weights that lie in several files", path = path.display())]
    Sharded {
        /// The list.
        path: PathBuf,
    },
    /// Neither a run with a checkpoint nor a file.
    #[error("{path}: {detail}", path = path.display())]
    Missing {
        /// What was asked for.
        path: PathBuf,
        /// What was looked for.
        detail: String,
    },
}

impl From<clipa_schemas::error::Error> for CheckpointError {
    /// Files are written by `clipa-schemas`.
    fn from(error: clipa_schemas::error::Error) -> CheckpointError {
        match error {
            clipa_schemas::error::Error::Io { path, source } => {
                CheckpointError::Io { path, source }
            }
            other => CheckpointError::Io { path: PathBuf::new(), source: io::Error::other(other) },
        }
    }
}

impl CheckpointError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            CheckpointError::NotSafetensors { path } | CheckpointError::Sharded { path } => {
                return Some(format!("convert it first: {}", import_of(path)));
            }
            CheckpointError::OtherModel { path, detail } => return remedy(path, detail),
            CheckpointError::Missing { .. } => "name a run, or a .safetensors file",
            CheckpointError::Damaged { path, .. } | CheckpointError::State { path, .. } => {
                let folder = path.parent().filter(|folder| folder.join(super::STATE).is_file())?;
                return Some(format!(
                    "restore it from a copy, or remove {}: the run then continues from the checkpoint before",
                    folder.display()
                ));
            }
            CheckpointError::Io { .. } => return None,
        };
        Some(hint.to_owned())
    }

    pub(super) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> CheckpointError {
        let path = path.into();
        move |source| CheckpointError::Io { path, source }
    }
}

/// What helps against some differences between weights and model.
fn remedy(path: &Path, detail: &str) -> Option<String> {
    if ["vision_model.", "text_model."].iter().any(|tower| detail.contains(tower)) {
        return Some(format!(
            "these are Hugging Face's names; convert them first: {}",
            import_of(path)
        ));
    }
    let hint = if detail.contains("not of this model: logit_bias") {
        "the weights were trained with SigLIP's loss: --set model.loss=siglip"
    } else if detail.contains("was trained, and the model computes a fixed table") {
        "keep them with --set stage.positions=learnable"
    } else if detail.contains("is the table sin-cos-2d-jax") {
        "--set stage.positions=sin-cos-2d-jax, or learnable, which resizes what is stored"
    } else if detail.contains("is the table sin-cos-2d") {
        "--set stage.positions=sin-cos-2d, or learnable, which resizes what is stored"
    } else if detail.contains("missing: visual.class_embedding") {
        "every model here has a class token, and weights without one cannot be used"
    } else {
        return None;
    };
    Some(hint.to_owned())
}

/// The command that converts other programs' weights.
fn import_of(path: &Path) -> String {
    let words = ["clipa-train", "import"].map(Into::into);
    let path = path.as_os_str().to_owned();
    let words: Vec<OsString> =
        words.into_iter().chain([path, "--output".into(), "DIR".into()]).collect();
    format!("`{}`, then --from DIR", clipa_talk::shell::command_line(words))
}
