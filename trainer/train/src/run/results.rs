//! `results.jsonl`: what evaluations found while a run trained, one record a line.

use std::{fmt, time::Duration};

use clipa_talk::figures;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::records::OfStep;

pub use crate::checkpoint::RESULTS;

/// What was found on one set, at one length.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResultRecord {
    /// Steps that were done.
    pub step: u64,
    /// Samples that the stage had used.
    pub samples: u64,
    /// The data set's name, as in the names of metrics.
    pub set: String,
    /// Its folder.
    pub data: String,
    /// `stage`: at the lengths of the stage that trains; `full`: at those of the recipe's last stage.
    pub lengths: String,
    /// Side of the images in pixels.
    pub image_size: i64,
    /// Tokens of prompts or captions.
    pub context_length: i64,
    /// Images that were looked at.
    pub images: u64,
    /// Metrics by CLIP_benchmark's names, in `[0, 1]`.
    pub metrics: Map<String, Value>,
    /// Seconds that the training waited.
    pub seconds: f64,
}

impl fmt::Display for ResultRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = [
            "acc1",
            "mean_per_class_recall",
            "image_retrieval_recall@1",
            "text_retrieval_recall@1",
        ];
        write!(
            f,
            "evaluated   step {}, {}",
            figures::count(self.step),
            clipa_talk::printable(&self.set)
        )?;
        write!(f, " at {} px and {} text tokens:", self.image_size, self.context_length)?;
        for name in shown {
            if let Some(value) = self.metrics.get(name).and_then(Value::as_f64) {
                write!(f, "  {name} {:.1} %", 100.0 * value)?;
            }
        }
        let pause = Duration::from_secs_f64(self.seconds.clamp(0.0, 1e9));
        write!(f, "  (the training waited {})", figures::time(pause))
    }
}

impl OfStep for ResultRecord {
    fn step(&self) -> u64 {
        self.step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(step: u64) -> ResultRecord {
        let metrics = [("acc1", 0.25), ("main_metric", 0.25)];
        let metrics = metrics.map(|(name, value)| (name.to_owned(), value.into()));
        ResultRecord {
            step,
            samples: step * 32,
            set: "shapes".to_owned(),
            data: "sets/shapes".to_owned(),
            lengths: "stage".to_owned(),
            image_size: 64,
            context_length: 16,
            images: 192,
            metrics: Map::from_iter(metrics),
            seconds: 2.5,
        }
    }

    #[test]
    fn a_result_in_one_line_says_how_long_the_training_waited() {
        let line = "evaluated   step 40, shapes at 64 px and 16 text tokens:  acc1 25.0 %  (the training waited 2.50 s)";
        assert_eq!(record(40).to_string(), line);
    }
}
