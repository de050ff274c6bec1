//! Checkpoints: whole or absent.
//!
//! ```text
//! RUN/checkpoints/step-00001234/
//!     model.safetensors       parameters, open_clip's names, f32
//!     optimizer.safetensors   exp_avg.NAME and exp_avg_sq.NAME
//!     state.json              step, cursor, stage, seed, hashes of recipe and data set, checksums of the files
//! ```
//! What is read is compared with its checksum: a changed byte is an error, never another number. A checkpoint is written into a folder with a temporary name, made durable, and renamed; a kill leaves the one before.
//! Only then are older ones removed.

mod error;
mod fit;
mod header;
pub mod names;
mod origin;
mod state;
pub mod tensors;
#[cfg(test)]
mod tests;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use clipa_schemas::file::{self, FileDigest};

pub use self::{
    error::CheckpointError,
    fit::{Fit, check_file, compare, load_model, table_of},
    header::SafeFile,
    origin::{Origin, revision_of},
    state::{CHECKPOINT_VERSION, State},
};
use crate::{
    model::Clip,
    optimizer::{AdamW, NamedMoments},
};

/// Folder of a run's checkpoints.
pub const CHECKPOINTS: &str = "checkpoints";
/// The model's parameters.
pub const MODEL: &str = "model.safetensors";
/// The optimizer's moments.
pub const OPTIMIZER: &str = "optimizer.safetensors";
/// Where the run was.
pub const STATE: &str = "state.json";

const PREFIX: &str = "step-";

/// Writes a checkpoint of a run and removes all but the newest `keep`; returns its folder.
///
/// # Errors
/// [`CheckpointError::Io`]; what was there before is then still there.
pub fn write(
    run: &Path,
    model: &Clip,
    optimizer: &AdamW,
    state: &State,
    keep: u64,
) -> Result<PathBuf, CheckpointError> {
    let parent = run.join(CHECKPOINTS);
    let target = parent.join(format!("{PREFIX}{:08}", state.step));
    let temporary = parent.join(format!(".{PREFIX}{:08}.tmp", state.step));
    remove(&temporary)?;
    fs::create_dir_all(&temporary).map_err(CheckpointError::io(&temporary))?;
    let parameters = model.parameters().iter();
    let parameters = parameters.map(|p| (p.spec.name.clone(), p.tensor.shallow_clone())).collect();
    let files = || {
        let model = tensors::write(&temporary.join(MODEL), parameters)?;
        let moments = tensors::write(&temporary.join(OPTIMIZER), optimizer.moments())?;
        write_state(
            &temporary.join(STATE),
            State { files: vec![model, moments], ..state.clone() },
        )?;
        sync(&temporary)
    };
    if let Err(error) = files() {
        // Half a checkpoint would only fill a disk that may be full already.
        let _ = fs::remove_dir_all(&temporary);
        return Err(error);
    }
    remove(&target)?;
    fs::rename(&temporary, &target).map_err(CheckpointError::io(&target))?;
    sync(&parent)?;
    let older = list(run)?;
    for (_, folder) in older.iter().rev().skip(keep.max(1) as usize) {
        remove(folder)?;
    }
    Ok(target)
}

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

/// The file with the weights that `--from` names: a run (its newest checkpoint), a checkpoint, or a file.
///
/// # Errors
/// [`CheckpointError::Missing`], [`CheckpointError::NotSafetensors`], [`CheckpointError::Sharded`].
pub fn model_file(from: &Path) -> Result<PathBuf, CheckpointError> {
    let missing =
        |detail: &str| CheckpointError::Missing { path: from.into(), detail: detail.into() };
    if from.is_dir() {
        if let Some(file) = origin::weights_of_hub(from)? {
            return Ok(file);
        }
        let folder = if from.join(MODEL).is_file() { Some(from.to_owned()) } else { latest(from)? };
        let file = folder.map(|folder| folder.join(MODEL)).filter(|file| file.is_file());
        return file.ok_or_else(|| missing("the folder has no checkpoint"));
    }
    if !from.is_file() {
        return Err(missing("no such run or file"));
    }
    if from.to_string_lossy().ends_with(".safetensors.index.json") {
        return Err(CheckpointError::Sharded { path: from.into() });
    }
    match from.extension().and_then(|extension| extension.to_str()) {
        Some("safetensors") => Ok(from.to_owned()),
        _ => Err(CheckpointError::NotSafetensors { path: from.into() }),
    }
}

/// BLAKE3 of a file with weights, in hexadecimal; a checkpoint's own has it written beside it.
///
/// # Errors
/// A file, or a state beside it, that can't be read.
pub fn weights_blake3(file: &Path) -> Result<String, CheckpointError> {
    match state::digest_of(file)? {
        Some(digest) => Ok(digest.blake3),
        None => Ok(FileDigest::of(file)?.blake3),
    }
}

/// Loads everything that a continuation needs from a checkpoint's folder.
///
/// # Errors
/// A damaged file, another model, moments that do not belong to it.
pub fn read(folder: &Path, model: &Clip, optimizer: &mut AdamW) -> Result<State, CheckpointError> {
    let state = State::read(&folder.join(STATE))?;
    let path = folder.join(MODEL);
    load_model(model, tensors::read(&path)?, Fit::Exact, &path)?;
    let path = folder.join(OPTIMIZER);
    let moments: NamedMoments = tensors::read(&path)?;
    optimizer
        .restore(moments, state.step)
        .map_err(|detail| CheckpointError::OtherModel { path, detail })?;
    Ok(state)
}

fn write_state(path: &Path, state: State) -> Result<(), CheckpointError> {
    file::write_json(path, &state.sealed())?;
    Ok(())
}

fn sync(folder: &Path) -> Result<(), CheckpointError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(CheckpointError::io(folder))
}

fn remove(folder: &Path) -> Result<(), CheckpointError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(CheckpointError::Io { path: folder.into(), source: error })
        }
        _ => Ok(()),
    }
}
