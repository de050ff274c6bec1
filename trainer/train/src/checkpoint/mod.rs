//! Checkpoints: whole or absent.
//!
//! ```text
//! RUN/checkpoints/step-00001234/
//!     model.safetensors       parameters, open_clip's names, f32
//!     optimizer.safetensors   exp_avg.NAME and exp_avg_sq.NAME
//!     ema.safetensors         moving average of the parameters, as model.safetensors, where the stage has one
//!     state.json              step, cursor, stage, seed, hashes of recipe and data set, checksums of the files
//! ```
//! What is read is compared with its checksum: a changed byte is an error, never another number. A checkpoint is written into a folder with a temporary name, made durable, and renamed; a kill leaves the one before.
//! Only then are those removed that no rule keeps. [`Writer`] does all this while training goes on.

mod content;
mod error;
mod fit;
mod header;
mod keep;
mod list;
pub mod names;
mod newest;
mod origin;
mod results;
mod state;
pub mod tensors;
#[cfg(test)]
mod tests;
mod weights;
mod writer;

use std::path::{Path, PathBuf};

use clipa_schemas::file::FileDigest;

pub use self::{
    content::Content,
    error::CheckpointError,
    fit::{Fit, check_file, compare, load_model, table_of},
    header::SafeFile,
    keep::{Keep, LOSS},
    list::{latest, list},
    newest::Snapshot,
    origin::{Origin, revision_of},
    results::RESULTS,
    state::{CHECKPOINT_VERSION, State},
    weights::Weights,
    writer::Writer,
};
use crate::{
    average::Average,
    model::Clip,
    optimizer::{AdamW, NamedMoments},
};

/// Folder of a run's checkpoints.
pub const CHECKPOINTS: &str = "checkpoints";
/// The model's parameters.
pub const MODEL: &str = "model.safetensors";
/// The optimizer's moments.
pub const OPTIMIZER: &str = "optimizer.safetensors";
/// The moving average of the parameters.
pub const EMA: &str = "ema.safetensors";
/// Where the run was.
pub const STATE: &str = "state.json";

const PREFIX: &str = "step-";

/// Writes a checkpoint of a run without an average and removes all but the newest `keep`; returns its folder.
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
    Content::of(model, optimizer, None, state.clone()).write(run, &Keep::last(keep))
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
/// A damaged file, another model, moments or averages that do not belong to it.
pub fn read(
    folder: &Path,
    model: &Clip,
    optimizer: &mut AdamW,
    average: Option<&mut Average>,
) -> Result<State, CheckpointError> {
    let state = State::read(&folder.join(STATE))?;
    let path = folder.join(MODEL);
    load_model(model, tensors::read(&path)?, Fit::Exact, &path)?;
    let path = folder.join(OPTIMIZER);
    let moments: NamedMoments = tensors::read(&path)?;
    let other_model =
        |path: PathBuf| move |detail: String| CheckpointError::OtherModel { path, detail };
    optimizer.restore(moments, state.optimizer_steps()).map_err(other_model(path))?;
    if let Some(average) = average {
        let path = folder.join(EMA);
        average.restore(&tensors::read(&path)?).map_err(other_model(path))?;
    }
    Ok(state)
}

/// Gives an optimizer the moments that lie beside a file with weights; returns the steps that they have seen and the
/// parameters that have none.
///
/// # Errors
/// [`CheckpointError::Missing`] where the file is of no checkpoint; a damaged file, moments of another model.
pub fn adopt_moments(
    weights: &Path,
    optimizer: &mut AdamW,
) -> Result<(u64, Vec<String>), CheckpointError> {
    let path = moments_beside(weights)?;
    let steps = State::read(&path.with_file_name(STATE))?.optimizer_steps();
    let adopted = optimizer.adopt(tensors::read(&path)?, steps);
    let anew = adopted.map_err(|detail| CheckpointError::OtherModel { path, detail })?;
    Ok((steps, anew))
}

/// The file with the moments that lies beside a checkpoint's weights.
///
/// # Errors
/// [`CheckpointError::Missing`].
pub fn moments_beside(weights: &Path) -> Result<PathBuf, CheckpointError> {
    let (moments, state) = (weights.with_file_name(OPTIMIZER), weights.with_file_name(STATE));
    if moments.is_file() && state.is_file() {
        return Ok(moments);
    }
    let detail = format!("there is no {OPTIMIZER} beside it: only a checkpoint has moments");
    Err(CheckpointError::Missing { path: weights.into(), detail })
}
