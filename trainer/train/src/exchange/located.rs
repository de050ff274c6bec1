//! What `FROM` names: a file with weights, and the configurations beside it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::error::ExchangeError;
use crate::{checkpoint, run};

/// How open_clip spells a folder of this machine, and one of the Hub.
const LOCAL: &str = "local-dir:";
const HUB: &str = "hf-hub:";
/// Names of weights in a folder, the first one that is there counts: open_clip's order, and lists of several files.
const WEIGHTS: [&str; 11] = [
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_model.safetensors.index.json",
    "open_clip_pytorch_model.bin",
    "open_clip_pytorch_model.pth",
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.pth",
    "model.pth",
    "model.pt",
];
/// Endings of other files that may be weights.
const ENDINGS: [&str; 4] = ["safetensors", "pt", "pth", "bin"];

/// Weights that were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Located {
    /// The file, or the list of several.
    pub(super) file: PathBuf,
    /// Its folder.
    pub(super) folder: PathBuf,
}

impl Located {
    /// Finds the weights.
    ///
    /// # Errors
    /// [`ExchangeError::Unsupported`] where there is none, or no telling which.
    pub(super) fn of(from: &Path) -> Result<Located, ExchangeError> {
        let text = from.to_string_lossy();
        if text.starts_with(HUB) {
            return Err(ExchangeError::unsupported(
                from,
                "nothing is downloaded here",
                Some(
                    "fetch the repository first (`hf download ORG/NAME --local-dir DIR`), and name the folder",
                ),
            ));
        }
        let from = text.strip_prefix(LOCAL).map_or_else(|| from.to_owned(), PathBuf::from);
        if from.is_file() {
            let folder = match from.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
                _ => PathBuf::from("."),
            };
            return Ok(Located { file: from, folder });
        }
        if !from.is_dir() {
            return Err(ExchangeError::unsupported(&from, "no such file or folder", None));
        }
        let folder = checkpoint::revision_of(&from)?.unwrap_or(from);
        let named = WEIGHTS.iter().map(|name| folder.join(name)).find(|path| path.is_file());
        let file = match named {
            Some(file) => file,
            None => only(&folder)?,
        };
        Ok(Located { file, folder })
    }

    /// A file beside the weights.
    pub(super) fn beside(&self, name: &str) -> Option<PathBuf> {
        Some(self.folder.join(name)).filter(|path| path.is_file())
    }

    /// open_clip's configuration.
    pub(super) fn open_clip_config(&self) -> Option<PathBuf> {
        self.beside(run::OPEN_CLIP_CONFIG)
    }
}

/// The only file of a folder that may be weights.
fn only(folder: &Path) -> Result<PathBuf, ExchangeError> {
    let entries = fs::read_dir(folder).map_err(ExchangeError::io(folder))?;
    let is_candidate = |path: &PathBuf| {
        let ending = path.extension().and_then(|ending| ending.to_str());
        path.is_file() && ending.is_some_and(|ending| ENDINGS.contains(&ending))
    };
    let mut found: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(is_candidate).collect();
    found.sort();
    match found.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(ExchangeError::unsupported(
            folder,
            "the folder holds no weights (.safetensors, .pt, .pth, .bin)",
            Some("name a run, a checkpoint, a file, or a folder of open_clip or Hugging Face"),
        )),
        [first, ..] => {
            let detail = format!("the folder holds {} files that may be weights", found.len());
            let hint = format!("name the file, such as {}", first.display());
            Err(ExchangeError::unsupported(folder, detail, Some(&hint)))
        }
    }
}
