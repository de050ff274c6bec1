//! Where weights come from: folders that hold them under open_clip's name, and whether the run that wrote them had ended.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{CheckpointError, MODEL, STATE, State, latest};

/// The weights in open_clip's folders on the Hub; `model.safetensors` beside it is the same model as Hugging Face's transformers store it.
const OPEN_CLIP_MODEL: &str = "open_clip_model.safetensors";
/// The same as a pickle.
const OPEN_CLIP_PICKLE: [&str; 2] = ["open_clip_pytorch_model.bin", "open_clip_pytorch_model.pth"];
/// Lists of weights in several files.
const INDEX: [&str; 2] = ["open_clip_model.safetensors.index.json", "model.safetensors.index.json"];
/// Folder of the revisions in Hugging Face's cache.
const SNAPSHOTS: &str = "snapshots";

/// The weights of a folder from the Hub: a download, or an entry of the cache (`models--ORG--NAME`); `None` where it is neither.
///
/// # Errors
/// [`CheckpointError::NotSafetensors`] where there is only a pickle, [`CheckpointError::Sharded`] where they lie in several files,
/// [`CheckpointError::Missing`] where the cache has no or several revisions.
pub(super) fn weights_of_hub(folder: &Path) -> Result<Option<PathBuf>, CheckpointError> {
    let file = folder.join(OPEN_CLIP_MODEL);
    if file.is_file() {
        return Ok(Some(file));
    }
    if !folder.join(MODEL).is_file() {
        let find =
            |names: &[&str]| names.iter().map(|name| folder.join(name)).find(|path| path.is_file());
        if let Some(path) = find(&OPEN_CLIP_PICKLE) {
            return Err(CheckpointError::NotSafetensors { path });
        }
        if let Some(path) = find(&INDEX) {
            return Err(CheckpointError::Sharded { path });
        }
    }
    let Some(chosen) = revision_of(folder)? else { return Ok(None) };
    if let Some(file) = weights_of_hub(&chosen)? {
        return Ok(Some(file));
    }
    let file = chosen.join(MODEL);
    let missing =
        || CheckpointError::Missing { path: chosen, detail: "no weights in it".to_owned() };
    file.is_file().then_some(file).ok_or_else(missing).map(Some)
}

/// The revision that an entry of Hugging Face's cache means; `None` for any other folder.
///
/// # Errors
/// [`CheckpointError::Missing`] where there are none or several and none is named.
pub fn revision_of(folder: &Path) -> Result<Option<PathBuf>, CheckpointError> {
    let snapshots = folder.join(SNAPSHOTS);
    if !snapshots.is_dir() {
        return Ok(None);
    }
    let revision = fs::read_to_string(folder.join("refs/main")).unwrap_or_default();
    let named = snapshots.join(revision.trim());
    if !revision.trim().is_empty() && named.is_dir() {
        return Ok(Some(named));
    }
    let entries = fs::read_dir(&snapshots).map_err(CheckpointError::io(&snapshots))?;
    let folders: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    match folders.as_slice() {
        [only] => Ok(Some(only.clone())),
        _ => {
            let detail = format!(
                "{} revisions in {SNAPSHOTS}/ and no refs/main that names one",
                folders.len()
            );
            Err(CheckpointError::Missing { path: folder.into(), detail })
        }
    }
}

/// How far the run was that wrote some weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    /// Where it was.
    pub state: State,
    /// Was the checkpoint itself named, and not the run?
    pub is_named: bool,
}

impl Origin {
    /// The origin of what `--from` names; `None` where it is no run of ours.
    ///
    /// # Errors
    /// [`CheckpointError::State`].
    pub fn of(from: &Path) -> Result<Option<Origin>, CheckpointError> {
        let folder = match from.is_dir() {
            true if !from.join(MODEL).is_file() => latest(from)?.map(|folder| (folder, false)),
            true => Some((from.to_owned(), true)),
            false => from.parent().map(|folder| (folder.to_owned(), true)),
        };
        let Some((folder, is_named)) = folder else { return Ok(None) };
        let path = folder.join(STATE);
        if !path.is_file() {
            return Ok(None);
        }
        Ok(Some(Origin { state: State::read(&path)?, is_named }))
    }

    /// Had its stage ended?
    pub fn is_finished(&self) -> bool {
        self.state.step >= self.state.total_steps
    }

    /// Step and stage, for a person.
    pub fn progress(&self) -> String {
        let State { step, total_steps, stage, .. } = &self.state;
        format!("step {step} of {total_steps} of stage {}", clipa_talk::printable(stage))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_clips_file_is_taken_and_that_of_transformers_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        assert_eq!(weights_of_hub(root).unwrap(), None);
        let revision = root.join("snapshots/0123");
        fs::create_dir_all(&revision).unwrap();
        assert!(weights_of_hub(root).unwrap_err().to_string().contains("no weights"));
        fs::write(revision.join("open_clip_pytorch_model.bin"), b"x").unwrap();
        assert!(matches!(weights_of_hub(root), Err(CheckpointError::NotSafetensors { .. })));
        fs::write(revision.join(MODEL), b"x").unwrap();
        assert_eq!(weights_of_hub(root).unwrap(), Some(revision.join(MODEL)));
        fs::write(revision.join(OPEN_CLIP_MODEL), b"x").unwrap();
        assert_eq!(weights_of_hub(root).unwrap(), Some(revision.join(OPEN_CLIP_MODEL)));
        fs::create_dir_all(root.join("snapshots/4567")).unwrap();
        assert!(weights_of_hub(root).unwrap_err().to_string().contains("2 revisions"));
        fs::create_dir_all(root.join("refs")).unwrap();
        fs::write(root.join("refs/main"), "0123").unwrap();
        assert_eq!(weights_of_hub(root).unwrap(), Some(revision.join(OPEN_CLIP_MODEL)));
    }
}
