//! What a run says about its steps: a line for people, and the same fields in metrics.jsonl.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::RunError;
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
    /// Samples a second since the last line.
    pub samples_per_s: f64,
    /// Part of the time since the last line that the step waited for data, in percent.
    pub data_wait_percent: f64,
    /// Seconds since this process began the loop.
    pub elapsed_s: f64,
    /// Seconds to the end of the stage at this rate.
    pub eta_s: f64,
}

impl fmt::Display for StepRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (step, steps) = (figures::count(self.step), figures::count(self.total_steps));
        write!(
            f,
            "step {step:>width$}/{steps}  loss {:.4}  lr {}  scale {}  {} samples/s  data wait {}  eta {}",
            self.loss,
            figures::learning_rate(self.lr),
            figures::significant(self.logit_scale),
            figures::significant(self.samples_per_s),
            figures::fraction(self.data_wait_percent / 100.0),
            figures::time(Duration::from_secs_f64(self.eta_s.clamp(0.0, 1e9))),
            width = steps.len(),
        )
    }
}

/// The file that the records go to.
#[derive(Debug)]
pub struct MetricsFile {
    file: File,
    path: PathBuf,
}

impl MetricsFile {
    /// Opens the file to append to it, cut back to the records of the first `steps` steps: a continued run writes the
    /// later ones again. A torn last line goes, too.
    ///
    /// # Errors
    /// [`RunError::Io`].
    pub fn open(path: &Path, steps: u64) -> Result<MetricsFile, RunError> {
        if path.is_file() {
            let text = fs::read_to_string(path).map_err(RunError::io(path))?;
            let kept: String = text
                .split_inclusive('\n')
                .filter(|line| {
                    let record = serde_json::from_str::<StepRecord>(line);
                    line.ends_with('\n') && record.is_ok_and(|record| record.step <= steps)
                })
                .collect();
            if kept != text {
                let mut file = clipa_schemas::file::AtomicFile::create(path)?;
                file.write_all(kept.as_bytes()).map_err(RunError::io(path))?;
                file.commit(super::folder::METRICS)?;
            }
        }
        let file =
            OpenOptions::new().create(true).append(true).open(path).map_err(RunError::io(path))?;
        Ok(MetricsFile { file, path: path.to_owned() })
    }

    /// Adds a record.
    ///
    /// # Errors
    /// [`RunError::Io`].
    pub fn append(&mut self, record: &StepRecord) -> Result<(), RunError> {
        let line = serde_json::to_string(record).expect("numbers always become JSON");
        self.file.write_all(format!("{line}\n").as_bytes()).map_err(RunError::io(&self.path))
    }
}

/// Measures rate and waiting between two records.
#[derive(Debug)]
pub(super) struct Meter {
    began: Instant,
    window_began: Instant,
    window_samples: u64,
    waited: Duration,
}

/// What the meter read.
pub(super) struct Reading {
    pub(super) samples_per_s: f64,
    pub(super) data_wait_percent: f64,
    pub(super) elapsed_s: f64,
}

impl Meter {
    pub(super) fn start() -> Meter {
        let now = Instant::now();
        Meter { began: now, window_began: now, window_samples: 0, waited: Duration::ZERO }
    }

    /// Runs `wait` on the clock of waiting.
    pub(super) fn wait<T>(&mut self, wait: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let value = wait();
        self.waited += began.elapsed();
        value
    }

    /// Runs what is no training, such as an evaluation: its time is in no rate.
    pub(super) fn pause<T>(&mut self, pause: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let value = pause();
        self.window_began += began.elapsed();
        value
    }

    pub(super) fn count(&mut self, samples: u64) {
        self.window_samples += samples;
    }

    /// Reads the window and begins the next one.
    pub(super) fn read(&mut self) -> Reading {
        let seconds = self.window_began.elapsed().as_secs_f64().max(1e-9);
        let reading = Reading {
            samples_per_s: self.window_samples as f64 / seconds,
            data_wait_percent: 100.0 * self.waited.as_secs_f64() / seconds,
            elapsed_s: self.began.elapsed().as_secs_f64(),
        };
        *self = Meter { began: self.began, ..Meter::start() };
        reading
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
    }

    #[test]
    fn a_continued_run_cuts_the_file_back_to_its_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let mut file = MetricsFile::open(&path, 0).unwrap();
        (1..=4).for_each(|step| file.append(&record(step)).unwrap());
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{whole}{{\"step\":5,\"loss")).unwrap();
        let mut file = MetricsFile::open(&path, 2).unwrap();
        file.append(&record(3)).unwrap();
        let steps: Vec<u64> = fs::read_to_string(&path)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str::<StepRecord>(line).unwrap().step)
            .collect();
        assert_eq!(steps, [1, 2, 3]);
    }
}
