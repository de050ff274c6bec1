//! The training loop of a stage.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use tch::{Device, Kind, Tensor};

use super::{
    Evaluations, Identity, MetricsFile, RunError, RunFolder, StepRecord,
    inputs::{Inputs, Masks},
    metrics::Meter,
};
use crate::{
    checkpoint::{self, CHECKPOINT_VERSION, State},
    model::Clip,
    optimizer::AdamW,
    step::Step,
};
use clipa_recipe::Stage;
use clipa_recipe::schedule::Schedule;
use clipa_stream::{Cursor, Stream};

/// A stage under way.
#[derive(Debug)]
pub struct Training {
    /// The model.
    pub model: Clip,
    /// Its optimizer.
    pub optimizer: AdamW,
    /// The stage's settings.
    pub stage: Stage,
    /// The learning rates, for this data set.
    pub schedule: Schedule,
    /// What makes this run this run.
    pub identity: Identity,
    /// Steps that are done.
    pub step: u64,
    /// Where the tensors are.
    pub device: Device,
    /// Pairs that go through the model at a time; the stage's batch where that fits.
    pub micro_batch: u64,
    /// What is evaluated on the way.
    pub evaluations: Option<Evaluations>,
}

/// How a loop ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All steps are done.
    Finished {
        /// The last checkpoint.
        checkpoint: PathBuf,
    },
    /// It was asked to stop.
    Stopped {
        /// Steps that are done.
        step: u64,
        /// The checkpoint that was written.
        checkpoint: PathBuf,
    },
}

impl Training {
    /// Runs the stage to its end, or to the step after `stop` was set; both end with a checkpoint.
    ///
    /// # Errors
    /// What the data set, the disk or libtorch say; a loss that is no number. The checkpoint before remains.
    pub fn run(
        &mut self,
        stream: &mut Stream,
        folder: &RunFolder,
        stop: &AtomicBool,
        report: &mut dyn FnMut(&StepRecord),
    ) -> Result<Outcome, RunError> {
        let masks = Masks::new(&self.stage, self.model.config(), self.identity.seed);
        let mut metrics = MetricsFile::open(&folder.metrics(), self.step)?;
        let mut meter = Meter::start();
        let mut health = Health::new(self.step, self.device);
        if let Some(evaluations) = self.evaluations.as_mut().filter(|all| all.is_owed(self.step)) {
            let samples = self.step * self.stage.batch;
            meter.pause(|| evaluations.run(self.step, samples, &self.model, stop))?;
        }
        loop {
            let loss = self.gradients(stream, masks.as_ref(), &mut meter)?;
            let lr = self.schedule.lr(self.step);
            let norm = self.optimizer.step(lr, self.stage.clip_grad_norm)?;
            // Now, and not after the next forward pass, whose activations then have their room.
            self.optimizer.zero_grad()?;
            self.step += 1;
            meter.count(self.stage.batch);
            health.watch(&loss, &norm);

            let last = self.step == self.schedule.total_steps;
            let stopped = stop.load(Ordering::Relaxed);
            if self.step.is_multiple_of(self.stage.log_steps) || last {
                health.check(self.step, folder.path())?;
                let record = self.record(&loss, &norm, lr, &mut meter);
                metrics.append(&record)?;
                report(&record);
            }
            if let Some(evaluations) = &mut self.evaluations
                && evaluations.is_due(self.step, last)
            {
                health.check(self.step, folder.path())?;
                let samples = self.step * self.stage.batch;
                meter.pause(|| evaluations.run(self.step, samples, &self.model, stop))?;
            }
            if self.step.is_multiple_of(self.stage.checkpoint_steps) || last || stopped {
                health.check(self.step, folder.path())?;
                let checkpoint = self.checkpoint(folder.path())?;
                if last {
                    return Ok(Outcome::Finished { checkpoint });
                }
                if stopped {
                    return Ok(Outcome::Stopped { step: self.step, checkpoint });
                }
            }
        }
    }

    /// The next batch's loss, its gradients in the parameters.
    fn gradients(
        &self,
        stream: &mut Stream,
        masks: Option<&Masks>,
        meter: &mut Meter,
    ) -> Result<Tensor, RunError> {
        let vocab_size = self.model.config().text.vocab_size;
        let is_whole = self.micro_batch >= self.stage.batch;
        // One of several micro-batches goes to the device twice, and waits in main memory for it.
        let place = if is_whole { self.device } else { Device::Cpu };
        let step = Step::new(&self.model, self.stage.precision, self.stage.recompute);
        let mut pass = step.begin();
        let mut left = self.stage.batch;
        while left > 0 {
            let part = meter.wait(|| stream.next())?;
            left -= part.len as u64;
            let inputs = Inputs::new(part, masks, vocab_size, place)?;
            pass.add(inputs.micro_batch(), left == 0)?;
        }
        Ok(pass.finish()?)
    }

    fn record(&self, loss: &Tensor, norm: &Tensor, lr: f64, meter: &mut Meter) -> StepRecord {
        let number = |tensor: &Tensor| tensor.double_value(&[]);
        let (loss, grad_norm) = (number(loss), number(norm));
        let logit_scale = number(self.model.logit_scale()).exp();
        let samples = self.step * self.stage.batch;
        // Read last: fetching the numbers waited for the device.
        let reading = meter.read();
        let left = (self.schedule.total_steps - self.step) * self.stage.batch;
        StepRecord {
            step: self.step,
            total_steps: self.schedule.total_steps,
            samples,
            epoch: samples as f64 / self.identity.samples_per_epoch.max(1) as f64,
            loss,
            lr,
            logit_scale,
            grad_norm,
            samples_per_s: reading.samples_per_s,
            data_wait_percent: reading.data_wait_percent,
            elapsed_s: reading.elapsed_s,
            eta_s: left as f64 / reading.samples_per_s.max(1e-9),
        }
    }

    fn checkpoint(&self, run: &Path) -> Result<PathBuf, RunError> {
        let identity = &self.identity;
        let state = State {
            checkpoint_version: CHECKPOINT_VERSION,
            step: self.step,
            total_steps: self.schedule.total_steps,
            cursor: self.cursor(),
            stage: identity.stage.clone(),
            seed: identity.seed,
            recipe_sha256: identity.recipe_sha256.clone(),
            dataset_sha256: identity.dataset_sha256.clone(),
            files: Vec::new(),
            state_sha256: String::new(),
        };
        let keep = self.stage.keep_checkpoints;
        Ok(checkpoint::write(run, &self.model, &self.optimizer, &state, keep)?)
    }

    /// Where the stream goes on.
    pub fn cursor(&self) -> Cursor {
        Cursor { sample: self.step * self.stage.batch }
    }
}

/// Remembers on the device whether every loss and gradient was a number: asking after each step would make a GPU wait.
struct Health {
    checked_step: u64,
    /// 0 as long as all is well, NaN for ever after.
    poison: Tensor,
}

impl Health {
    fn new(step: u64, device: Device) -> Health {
        Health { checked_step: step, poison: Tensor::zeros([0i64; 0], (Kind::Float, device)) }
    }

    fn watch(&mut self, loss: &Tensor, norm: &Tensor) {
        let _no_grad = tch::no_grad_guard();
        self.poison += (loss + norm) * 0.0;
    }

    fn check(&mut self, step: u64, run: &Path) -> Result<(), RunError> {
        if self.poison.double_value(&[]) == 0.0 {
            self.checked_step = step;
            return Ok(());
        }
        let kept = match checkpoint::latest(run)? {
            Some(folder) => folder.display().to_string(),
            None => "the beginning".to_owned(),
        };
        Err(RunError::Diverged { after: self.checked_step, by: step, kept })
    }
}
