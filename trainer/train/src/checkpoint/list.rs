//! The checkpoints that a run has.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{CHECKPOINTS, CheckpointError, PREFIX};

/// Step and folder of every whole checkpoint of a run, oldest first.
///
/// # Errors
/// [`CheckpointError::Io`].
pub fn list(run: &Path) -> Result<Vec<(u64, PathBuf)>, CheckpointError> {
    let parent = run.join(CHECKPOINTS);
    if !parent.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(&parent).map_err(CheckpointError::io(&parent))? {
        let path = entry.map_err(CheckpointError::io(&parent))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if let Some(step) = name.strip_prefix(PREFIX).and_then(|step| step.parse().ok()) {
            found.push((step, path));
        }
    }
    found.sort();
    Ok(found)
}

/// The newest checkpoint of a run.
///
/// # Errors
/// [`CheckpointError::Io`].
pub fn latest(run: &Path) -> Result<Option<PathBuf>, CheckpointError> {
    Ok(list(run)?.pop().map(|(_, folder)| folder))
}
