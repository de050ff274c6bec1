//! What a run says about its steps: a line for people, and the same fields in metrics.jsonl.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::records::OfStep;
use clipa_talk::figures;

/// One logged step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Steps that are done.
    pub step: u64,
    /// Steps of the stage.
    pub total_steps: u64,
    /// Samples that the stage has used.
    pub samples: u64,
    /// The same in passes over the data set.
    pub epoch: f64,
    /// Loss of this step's batch, before the step.
    pub loss: f64,
    /// Learning rate of this step.
    pub lr: f64,
    /// exp(logit_scale), after the step.
    pub logit_scale: f64,
    /// Norm of all gradients together, before clipping.
    pub grad_norm: f64,
    /// The same of the image tower.
    #[serde(default)]
    pub grad_norm_vision: f64,
    /// The same of the text tower.
    #[serde(default)]
    pub grad_norm_text: f64,
    /// The same of the logit scale and bias.
    #[serde(default)]
    pub grad_norm_logit_scale: f64,
    /// Batches that were passed by so far.
    #[serde(default)]
    pub skipped_batches: u64,
    /// Samples a second since the last record.
    pub samples_per_s: f64,
    /// The model's own operations at this rate, in percent of the device's peak (MFU); absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mfu_percent: Option<f64>,
    /// Part of the time since the last record that the step waited for data, in percent.
    pub data_wait_percent: f64,
    /// Seconds since this process began the loop.
    pub elapsed_s: f64,
    /// Seconds to the end of the stage at this rate.
    pub eta_s: f64,
}

impl StepRecord {
    /// The numbers that TensorBoard shows, by tag.
    pub fn scalars(&self) -> Vec<(&'static str, f64)> {
        let mut scalars = vec![
            ("train/loss", self.loss),
            ("train/lr", self.lr),
            ("train/logit_scale", self.logit_scale),
            ("train/epoch", self.epoch),
            ("train/samples", self.samples as f64),
            ("train/samples_per_s", self.samples_per_s),
            ("train/data_wait_percent", self.data_wait_percent),
            ("train/skipped_batches", self.skipped_batches as f64),
            ("grad_norm/all", self.grad_norm),
            ("grad_norm/vision", self.grad_norm_vision),
            ("grad_norm/text", self.grad_norm_text),
            ("grad_norm/logit_scale", self.grad_norm_logit_scale),
        ];
        scalars.extend(self.mfu_percent.map(|percent| ("train/mfu_percent", percent)));
        scalars
    }
}

impl fmt::Display for StepRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mfu =
            self.mfu_percent.map(|percent| format!("  MFU {}", figures::fraction(percent / 100.0)));
        let (step, steps) = (figures::count(self.step), figures::count(self.total_steps));
        write!(
            f,
            "step {step:>width$}/{steps}  loss {:.4}  lr {}  scale {}  {} samples/s{}  data wait {}  eta {}",
            self.loss,
            figures::learning_rate(self.lr),
            figures::significant(self.logit_scale),
            figures::significant(self.samples_per_s),
            mfu.unwrap_or_default(),
            figures::fraction(self.data_wait_percent / 100.0),
            figures::time(Duration::from_secs_f64(self.eta_s.clamp(0.0, 1e9))),
            width = steps.len(),
        )
    }
}

impl OfStep for StepRecord {
    fn step(&self) -> u64 {
        self.step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(step: u64) -> StepRecord {
        StepRecord {
            step,
            total_steps: 300,
            samples: step * 256,
            epoch: 0.5,
            loss: 5.4321,
            lr: 1.5e-3,
            logit_scale: 14.3,
            grad_norm: 1.25,
            grad_norm_vision: 1.0,
            grad_norm_text: 0.75,
            grad_norm_logit_scale: 0.0,
            skipped_batches: 0,
            mfu_percent: None,
            samples_per_s: 812.4,
            data_wait_percent: 0.41,
            elapsed_s: 3.5,
            eta_s: 95.2,
        }
    }

    #[test]
    fn a_step_in_one_line() {
        let line = "step  40/300  loss 5.4321  lr 1.50e-3  scale 14.3  812 samples/s  data wait 0.410 %  eta 1 min 35 s";
        assert_eq!(record(40).to_string(), line);
        let with_mfu = StepRecord { mfu_percent: Some(31.25), ..record(40) }.to_string();
        assert!(with_mfu.contains("812 samples/s  MFU 31.3 %  data wait"), "{with_mfu}");
    }

    #[test]
    fn tensorboard_shows_every_number_of_a_record_but_the_clock() {
        let tags: Vec<&str> = record(1).scalars().into_iter().map(|(tag, _)| tag).collect();
        assert_eq!(tags.len(), 12);
        assert!(!tags.contains(&"train/mfu_percent"));
        let known = StepRecord { mfu_percent: Some(31.0), ..record(1) };
        assert!(known.scalars().contains(&("train/mfu_percent", 31.0)));
    }
}
