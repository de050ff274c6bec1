//! `state.json`: where a run was when a checkpoint was written, and what its files are.

use std::{fs, path::Path};

use clipa_schemas::file::{self, FileDigest};
use serde::{Deserialize, Serialize};

use super::{CheckpointError, STATE};
use clipa_stream::Cursor;

/// Version of a checkpoint's files.
pub const CHECKPOINT_VERSION: u32 = 2;

/// What a continuation needs beside the tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// [`CHECKPOINT_VERSION`] of the program that wrote it.
    pub checkpoint_version: u32,
    /// Steps that are done.
    pub step: u64,
    /// Steps of the whole stage.
    pub total_steps: u64,
    /// Where the stream goes on.
    pub cursor: Cursor,
    /// Name of the stage.
    pub stage: String,
    /// Seed of the run.
    pub seed: u64,
    /// Hash of the recipe, as far as losses depend on it.
    pub recipe_sha256: String,
    /// Hash over the data set's shards.
    pub dataset_sha256: String,
    /// Batches of the stream, by number, that were passed by because of what their step did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped_batches: Vec<u64>,
    /// Losses of the last steps, with which the next one is compared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recent_losses: Vec<f32>,
    /// Steps that the moments had seen when the stage began.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub steps_before: u64,
    /// Length and checksum of each file beside this one; [`super::write`] fills it in.
    pub files: Vec<FileDigest>,
    /// SHA-256 of this file with nothing in this place; [`super::write`] fills it in.
    pub state_sha256: String,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Read first, so that another version is not reported as a damaged file.
#[derive(Deserialize)]
struct Version {
    checkpoint_version: u32,
}

impl State {
    /// Steps that the moments have seen.
    pub fn optimizer_steps(&self) -> u64 {
        self.steps_before + self.step
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`CheckpointError::State`], where any of its bytes is not what was written, too.
    pub fn read(path: &Path) -> Result<State, CheckpointError> {
        let error = |detail: String| CheckpointError::State { path: path.into(), detail };
        let bytes = fs::read(path).map_err(|source| error(source.to_string()))?;
        let json = |problem: serde_json::Error| error(problem.to_string());
        let version = serde_json::from_slice::<Version>(&bytes).map_err(json)?.checkpoint_version;
        if version != CHECKPOINT_VERSION {
            return Err(error(format!(
                "version {version}, this program reads {CHECKPOINT_VERSION}"
            )));
        }
        let state: State = serde_json::from_slice(&bytes).map_err(json)?;
        if state.text() != bytes || state.clone().sealed() != state {
            return Err(error("damaged: it is not what was written".to_owned()));
        }
        Ok(state)
    }

    /// The state with its own checksum.
    pub(super) fn sealed(mut self) -> State {
        self.state_sha256.clear();
        self.state_sha256 = file::sha256_hex(&self.text());
        self
    }

    fn text(&self) -> Vec<u8> {
        file::json_text(self).expect("numbers and strings always become JSON")
    }
}

/// Compares a file's content with the checksum that the state beside it has for it; a file without a checkpoint around
/// it has none.
///
/// # Errors
/// [`CheckpointError::Damaged`]; a state that can't be read.
pub(super) fn check_digest(path: &Path, bytes: &[u8]) -> Result<(), CheckpointError> {
    match digest_of(path)? {
        Some(digest) if !digest.is_of(bytes) => Err(CheckpointError::Damaged {
            path: path.into(),
            detail: "its checksum is not the one in state.json: it was changed or damaged after it was written"
                .to_owned(),
        }),
        _ => Ok(()),
    }
}

/// What the state beside a file says of it; `None` for a file without a checkpoint around it.
///
/// # Errors
/// A state that can't be read.
pub(super) fn digest_of(path: &Path) -> Result<Option<FileDigest>, CheckpointError> {
    let state = path.with_file_name(STATE);
    if !state.is_file() {
        return Ok(None);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Ok(State::read(&state)?.files.into_iter().find(|digest| digest.file == name))
}
