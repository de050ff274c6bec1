//! Results of evaluations while training: `RUN/results.jsonl`, a JSON object a line with the step that it is of.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;

use super::CheckpointError;

/// Results of a run's evaluations.
pub const RESULTS: &str = "results.jsonl";

/// The number that `metric` names, by step; the last line of a step counts.
///
/// The metric's last word is the number's key, its other words are in the line as keys above it or as texts (the name of
/// the set): `imagenet acc1`. A line without it, or a torn one, has none.
///
/// # Errors
/// [`CheckpointError::Io`].
pub(super) fn by_step(run: &Path, metric: &str) -> Result<BTreeMap<u64, f64>, CheckpointError> {
    let path = run.join(RESULTS);
    if !path.is_file() {
        return Ok(BTreeMap::new());
    }
    let text = fs::read_to_string(&path).map_err(CheckpointError::io(&path))?;
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    Ok(lines
        .filter_map(|line| Some((line.get("step")?.as_u64()?, number(&line, metric)?)))
        .collect())
}

/// The number of a line that the metric names.
fn number(line: &Value, metric: &str) -> Option<f64> {
    let mut words: Vec<&str> = metric.split_whitespace().collect();
    let key = words.pop()?;
    find(line, key, &words)
}

fn find(value: &Value, key: &str, words: &[&str]) -> Option<f64> {
    match value {
        Value::Object(object) => {
            let texts: Vec<&str> = object.values().filter_map(Value::as_str).collect();
            let left: Vec<&str> =
                words.iter().copied().filter(|word| !texts.contains(word)).collect();
            let own = object.get(key).and_then(Value::as_f64).filter(|_| left.is_empty());
            own.or_else(|| {
                object.iter().find_map(|(name, inner)| {
                    let left: Vec<&str> =
                        left.iter().copied().filter(|word| word != name).collect();
                    find(inner, key, &left)
                })
            })
        }
        Value::Array(items) => items.iter().find_map(|item| find(item, key, words)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_found_by_set_and_key_wherever_they_stand() {
        let flat = json!({"step": 8, "set": "imagenet", "acc1": 0.5, "acc5": 0.7});
        let nested =
            json!({"step": 8, "results": {"imagenet": {"acc1": 0.5}, "cars": {"acc1": 0.2}}});
        let listed = json!({"step": 8, "sets": [{"data": "cars", "acc1": 0.2}, {"data": "imagenet", "acc1": 0.5}]});
        let ours =
            json!({"step": 8, "set": "imagenet", "lengths": "full", "metrics": {"acc1": 0.5}});
        assert_eq!(number(&ours, "imagenet full acc1"), Some(0.5));
        assert_eq!(number(&ours, "imagenet stage acc1"), None);
        for line in [&ours, &flat, &nested, &listed] {
            assert_eq!(number(line, "imagenet acc1"), Some(0.5), "{line}");
            assert_eq!(number(line, "imagenet acc9"), None, "{line}");
            assert_eq!(number(line, "flowers acc1"), None, "{line}");
        }
        assert_eq!(number(&flat, "acc1"), Some(0.5));
    }

    #[test]
    fn the_last_line_of_a_step_counts_and_torn_ones_do_not() {
        let run = tempfile::tempdir().unwrap();
        assert!(by_step(run.path(), "acc1").unwrap().is_empty());
        let lines = "{\"step\":4,\"acc1\":0.1}\n{\"step\":8,\"acc1\":0.3}\n{\"step\":4,\"acc1\":0.2}\n{\"step\":9,\"to";
        fs::write(run.path().join(RESULTS), lines).unwrap();
        let found = by_step(run.path(), "acc1").unwrap();
        assert_eq!(found, BTreeMap::from([(4, 0.2), (8, 0.3)]));
    }
}
