//! What a run does where a loss is no number or a spike: `RUN/spikes/step-00001234.json`, and then it stops, goes back, or
//! goes on.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::ValueEnum;
use clipa_schemas::file;
use clipa_stream::SampleName;
use serde_json::{Value, json};

use super::RunError;
use crate::{
    optimizer::Tower,
    watch::{Event, EventKind},
};

/// Folder of what was saved of such steps.
pub const SPIKES: &str = "spikes";
/// Batches that a stage passes by at most; where there are more, the data are not what is wrong.
pub const MAX_SKIPPED: usize = 16;
/// For tests only, as in `CLIPA_SPIKE_AT=640:nan`: the batch with this sample gets so much added to its loss and to the logit
/// scale's gradient. It is read in every build: a test of another build would not test the program that users have.
const SPIKE_AT: &str = "CLIPA_SPIKE_AT";

/// What a run does about a spike. A loss or gradient that is no number always ends it or sends it back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OnSpike {
    /// Saves it and stops; the checkpoint before it remains
    #[default]
    Stop,
    /// Saves it, goes back to the checkpoint before it and passes its batch by, at most 16 times
    Rewind,
    /// Saves it and goes on; a loss that is no number still stops the run
    Ignore,
}

/// What follows an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Stop,
    Rewind,
    GoOn,
}

impl OnSpike {
    /// What follows, where so many batches were passed by before.
    pub(super) fn answer(self, kind: EventKind, skipped: usize) -> Answer {
        match (self, kind) {
            (OnSpike::Rewind, _) if skipped < MAX_SKIPPED => Answer::Rewind,
            (OnSpike::Ignore, EventKind::Spike) => Answer::GoOn,
            _ => Answer::Stop,
        }
    }
}

/// Saves what is known of an event's step; returns the file.
///
/// # Errors
/// The disk.
pub(super) fn save(
    run: &Path,
    event: &Event,
    batch: u64,
    names: &[SampleName],
) -> Result<PathBuf, RunError> {
    let folder = run.join(SPIKES);
    fs::create_dir_all(&folder).map_err(RunError::io(&folder))?;
    let path = folder.join(format!("step-{:08}.json", event.numbers.step));
    file::write_json(&path, &description(event, batch, names))?;
    Ok(path)
}

fn description(event: &Event, batch: u64, names: &[SampleName]) -> Value {
    let Event { kind, numbers, median_loss, tower } = event;
    let norms = Tower::ALL.iter().zip(numbers.by_tower);
    let samples = names.iter().map(
        |SampleName { sample, shard, row, key }| json!({"sample": sample, "shard": shard, "row": row, "key": key}),
    );
    json!({
        "step": numbers.step,
        "what": match kind {
            EventKind::NotANumber => "not a number",
            EventKind::Spike => "spike",
        },
        "loss": number(numbers.loss),
        "median_loss": median_loss.map(number),
        "grad_norm": number(numbers.grad_norm),
        "grad_norm_by_tower":
            norms.map(|(tower, norm)| (tower.name().to_owned(), number(norm))).collect::<serde_json::Map<_, _>>(),
        "tower": tower.name(),
        "batch": batch,
        "samples": samples.collect::<Value>(),
    })
}

/// A number, or the word for what JSON has no number for.
fn number(number: f64) -> Value {
    match number.is_finite() {
        true => json!(number),
        false => json!(number.to_string()),
    }
}

/// The fault of [`SPIKE_AT`], for tests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fault {
    /// A sample of the batch.
    pub(super) sample: u64,
    /// What is added.
    pub(super) added: f64,
}

impl Fault {
    pub(super) fn asked_for() -> Option<Fault> {
        Fault::parse(&std::env::var(SPIKE_AT).ok()?)
    }

    fn parse(text: &str) -> Option<Fault> {
        let (sample, added) = text.split_once(':')?;
        Some(Fault { sample: sample.parse().ok()?, added: added.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::StepNumbers;

    fn event(loss: f64) -> Event {
        let numbers = StepNumbers { step: 7, loss, grad_norm: 2.0, by_tower: [1.0, f64::NAN, 0.5] };
        let kind = EventKind::NotANumber;
        Event { kind, numbers, median_loss: Some(3.0), tower: Tower::Text }
    }

    #[test]
    fn what_is_saved_names_step_batch_tower_and_keys() {
        let run = tempfile::tempdir().unwrap();
        let name = SampleName {
            sample: 12,
            shard: "shards/00000.parquet".to_owned(),
            row: 4,
            key: "a \"key\"".to_owned(),
        };
        let path = save(run.path(), &event(f64::NAN), 3, &[name]).unwrap();
        let saved: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        let expected = json!({
            "step": 7, "what": "not a number", "loss": "NaN", "median_loss": 3.0, "grad_norm": 2.0,
            "grad_norm_by_tower": {"vision": 1.0, "text": "NaN", "logit_scale": 0.5},
            "tower": "text", "batch": 3,
            "samples": [{"sample": 12, "shard": "shards/00000.parquet", "row": 4, "key": "a \"key\""}],
        });
        assert_eq!(saved, expected);
    }

    #[test]
    fn no_number_is_never_ignored_and_rewinding_ends() {
        let answer = |on_spike: OnSpike, kind| on_spike.answer(kind, 0);
        assert_eq!(answer(OnSpike::Stop, EventKind::Spike), Answer::Stop);
        assert_eq!(answer(OnSpike::Ignore, EventKind::Spike), Answer::GoOn);
        assert_eq!(answer(OnSpike::Ignore, EventKind::NotANumber), Answer::Stop);
        assert_eq!(answer(OnSpike::Rewind, EventKind::NotANumber), Answer::Rewind);
        assert_eq!(OnSpike::Rewind.answer(EventKind::Spike, MAX_SKIPPED), Answer::Stop);
    }

    #[test]
    fn faults_are_sample_and_number() {
        assert_eq!(Fault::parse("64:5.5"), Some(Fault { sample: 64, added: 5.5 }));
        assert!(Fault::parse("64:nan").unwrap().added.is_nan());
        assert_eq!(Fault::parse("64"), None);
    }
}
