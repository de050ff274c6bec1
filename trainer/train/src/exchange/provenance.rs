//! Where a run's weights come from, for the model card.

use std::{fs, path::Path};

use serde_json::Value;

use super::error::ExchangeError;
use crate::{
    checkpoint::{RESULTS, State},
    run::{self, RunRecord},
};

/// Longest list of figures that is read, in bytes.
const MAX_RESULTS_BYTES: u64 = 16 << 20;
/// Figures that a card shows.
const SHOWN: usize = 12;

/// A checkpoint's run.
#[derive(Clone, Debug)]
pub(super) struct Provenance {
    /// How it began.
    pub(super) record: RunRecord,
    /// How far it was.
    pub(super) state: State,
    /// Figures that were measured with this very step, each a JSON object in one line.
    pub(super) results: Vec<String>,
}

impl Provenance {
    /// Reads what lies in a run's folder.
    ///
    /// # Errors
    /// A folder that is no run.
    pub(super) fn of(run: &Path, state: State) -> Result<Provenance, ExchangeError> {
        let record = run::record_of(run)?;
        let results = results(&run.join(RESULTS), state.step);
        Ok(Provenance { record, state, results })
    }
}

/// The last figures of this step; a list that is not there or not to be read has none.
fn results(path: &Path, step: u64) -> Vec<String> {
    if fs::metadata(path).is_ok_and(|file| file.len() > MAX_RESULTS_BYTES) {
        return Vec::new();
    }
    let text = fs::read_to_string(path).unwrap_or_default();
    let is_of_step = |line: &&str| {
        let parsed: Option<Value> = serde_json::from_str(line).ok();
        parsed.is_some_and(|value| value.get("step").and_then(Value::as_u64) == Some(step))
    };
    let mut lines: Vec<String> =
        text.lines().rev().filter(is_of_step).take(SHOWN).map(str::to_owned).collect();
    lines.reverse();
    lines
}
