//! What evaluations found while a run trained: `RUN/results.jsonl`, one set at one length a line.

use std::{collections::BTreeMap, fs, path::Path};

use serde::Deserialize;

use super::CheckpointError;
use crate::eval::Results;

/// Name of the file in a run's folder.
pub const RESULTS: &str = "results.jsonl";

/// What is needed of a line.
#[derive(Deserialize)]
struct Line {
    step: u64,
    set: String,
    #[serde(default)]
    lengths: String,
    metrics: BTreeMap<String, f64>,
}

/// The metric of this name at each step that has it, as [`Results::get`] finds it: `imagenet/acc1`, `imagenet@full/acc1`, or
/// `acc1` where only one set has it. A line that is something else, or torn, has none.
///
/// # Errors
/// [`CheckpointError::Io`].
pub(super) fn by_step(run: &Path, metric: &str) -> Result<BTreeMap<u64, f64>, CheckpointError> {
    let path = run.join(RESULTS);
    if !path.is_file() {
        return Ok(BTreeMap::new());
    }
    let text = fs::read_to_string(&path).map_err(CheckpointError::io(&path))?;
    let mut found: BTreeMap<u64, Results> = BTreeMap::new();
    for line in text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok()) {
        let Line { step, set, lengths, metrics } = line;
        let results = found.entry(step).or_default();
        let at = if lengths == "full" { "@full" } else { "" };
        for (name, value) in metrics {
            results.insert(format!("{set}{at}/{name}"), value);
        }
    }
    Ok(found.iter().filter_map(|(step, results)| Some((*step, results.get(metric)?))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_found_by_set_and_length_and_torn_lines_have_none() {
        let run = tempfile::tempdir().unwrap();
        assert!(by_step(run.path(), "acc1").unwrap().is_empty());
        let line = |step: u64, lengths: &str, value: f64| {
            format!(
                "{{\"step\":{step},\"set\":\"cars\",\"lengths\":\"{lengths}\",\"images\":9,\"metrics\":{{\"acc1\":{value}}}}}\n"
            )
        };
        let lines = [line(4, "stage", 0.1), line(8, "stage", 0.3), line(8, "full", 0.5)].concat();
        fs::write(run.path().join(RESULTS), lines + "{\"step\":9,\"set").unwrap();
        let found = |metric| by_step(run.path(), metric).unwrap();
        assert_eq!(found("cars/acc1"), BTreeMap::from([(4, 0.1), (8, 0.3)]));
        assert_eq!(found("cars@full/acc1"), BTreeMap::from([(8, 0.5)]));
        // At step 8 the set and its full length both have it.
        assert_eq!(found("acc1"), BTreeMap::from([(4, 0.1)]));
        assert!(found("boats/acc1").is_empty());
    }
}
