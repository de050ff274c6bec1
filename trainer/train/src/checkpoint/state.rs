//! `state.json`: where a run was when a checkpoint was written.

use std::path::Path;

use clipa_schemas::file;
use serde::{Deserialize, Serialize};

use super::CheckpointError;
use clipa_stream::Cursor;

/// Version of a checkpoint's files.
pub const CHECKPOINT_VERSION: u32 = 1;

/// What a continuation needs beside the tensors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Hash of the resolved recipe.
    pub recipe_sha256: String,
    /// Hash over the data set's shards.
    pub dataset_sha256: String,
}

impl State {
    /// Reads the file.
    ///
    /// # Errors
    /// [`CheckpointError::State`].
    pub fn read(path: &Path) -> Result<State, CheckpointError> {
        let error = |detail: String| CheckpointError::State { path: path.into(), detail };
        let state: State = file::read_json(path).map_err(|source| match source {
            clipa_schemas::error::Error::Corrupt { detail, .. } => error(detail),
            other => error(other.to_string()),
        })?;
        if state.checkpoint_version != CHECKPOINT_VERSION {
            let version = state.checkpoint_version;
            return Err(error(format!(
                "version {version}, this program reads {CHECKPOINT_VERSION}"
            )));
        }
        Ok(state)
    }
}
