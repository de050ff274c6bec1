//! The training loop of a stage.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use clipa_recipe::{Stage, schedule::Schedule};
use clipa_stream::Cursor;
use tch::{Device, Tensor};

use super::{
    Evaluations, Feed, Identity, Journal, RunError, RunFolder, StepRecord,
    inputs::{Inputs, Masks},
    meter::{Meter, Reading},
    spikes::{self, Answer, Fault, OnSpike},
};
use crate::{
    average::Average,
    checkpoint::{self, CHECKPOINT_VERSION, Content, Keep, State, Writer},
    model::Clip,
    optimizer::AdamW,
    step::Step,
    watch::{Event, EventKind, Pending, StepNumbers, Watch},
};

/// A stage under way.
#[derive(Debug)]
pub struct Training {
    /// The model.
    pub model: Clip,
    /// Its optimizer.
    pub optimizer: AdamW,
    /// The moving average of its weights, where the stage has one.
    pub average: Option<Average>,
    /// The stage's settings.
    pub stage: Stage,
    /// The learning rates, for this data set.
    pub schedule: Schedule,
    /// What makes this run this run.
    pub identity: Identity,
    /// Steps that are done.
    pub step: u64,
    /// Steps that the moments had seen when the stage began.
    pub steps_before: u64,
    /// Batches of the stream, by number and in order, that are passed by.
    pub skipped: Vec<u64>,
    /// Compares each step with those before it.
    pub watch: Watch,
    /// Where the tensors are.
    pub device: Device,
    /// Pairs that go through the model at a time; the stage's batch where that fits.
    pub micro_batch: u64,
    /// What is evaluated on the way.
    pub evaluations: Option<Evaluations>,
}

/// How a run is watched; no loss depends on it, unless a batch is passed by.
#[derive(Clone, Copy, Debug)]
pub struct Watching {
    /// Time between two lines at most.
    pub line_every: Duration,
    /// What is done about a spike.
    pub on_spike: OnSpike,
    /// Operations a second that the device can do at most, where that is known.
    pub peak_flops: Option<f64>,
}

/// What a run tells while it goes on.
#[derive(Debug)]
pub enum Told<'s> {
    /// A step that is logged.
    Record(&'s StepRecord),
    /// A step that is not: only time has passed since the last line.
    Line(&'s StepRecord),
    /// Something that a person should look at.
    Warning(String),
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

/// What a run writes to.
struct Outputs<'r> {
    folder: &'r RunFolder,
    journal: Journal,
    checkpoints: Writer,
    say: &'r mut dyn FnMut(Told<'_>),
}

impl Training {
    /// Runs the stage to its end, or to the step after `stop` was set; both end with a checkpoint.
    ///
    /// # Errors
    /// What the data set, the disk or libtorch say; a loss that is no number, or a spike. The checkpoint before remains.
    pub fn run(
        &mut self,
        feed: &mut Feed,
        folder: &RunFolder,
        stop: &AtomicBool,
        watching: &Watching,
        say: &mut dyn FnMut(Told<'_>),
    ) -> Result<Outcome, RunError> {
        let masks = Masks::new(&self.stage, self.model.config(), self.identity.seed);
        let mut outputs = Outputs {
            folder,
            journal: Journal::open(folder.path(), self.step)?,
            checkpoints: Writer::new(folder.path(), self.keep()),
            say,
        };
        self.begin(&mut outputs, watching)?;
        let mut meter = Meter::start(watching.line_every);
        let mut pending = Pending::default();
        let is_owed = |all: &Evaluations| all.is_owed(self.step);
        if self.evaluations.as_ref().is_some_and(is_owed) {
            self.evaluate(&mut outputs, &mut meter, stop)?;
        }
        loop {
            self.pass_by(feed, &mut meter)?;
            let loss = self.gradients(feed, masks.as_ref(), &mut meter)?;
            let lr = self.schedule.lr(self.step);
            let norms = self.optimizer.step(lr, self.stage.clip_grad_norm)?;
            // Now, and not after the next forward pass, whose activations then have their room.
            self.optimizer.zero_grad()?;
            self.step += 1;
            if let Some(average) = &self.average {
                average.follow(self.step)?;
            }
            meter.count(self.stage.batch);
            pending.push(self.step, &loss, &norms);
            outputs.checkpoints.look()?;

            let last = self.step == self.schedule.total_steps;
            let stopped = stop.load(Ordering::Relaxed);
            let logs = self.step.is_multiple_of(self.stage.log_steps) || last;
            let saves = self.step.is_multiple_of(self.stage.checkpoint_steps) || last || stopped;
            let evaluations = self.evaluations.as_ref();
            let evaluates = evaluations.is_some_and(|them| them.is_due(self.step, last));
            let waits = logs || saves || evaluates;
            if !(waits || meter.line_is_due() || pending.is_full()) {
                continue;
            }
            // Fetching the numbers waits for the device.
            let numbers = pending.take();
            if let Some(batch) = self.examine(&numbers, feed, &mut outputs, watching)? {
                self.rewind(batch, feed, &mut outputs)?;
                continue;
            }
            if let Some(numbers) = numbers.last().filter(|_| logs) {
                let record = self.record(numbers, lr, meter.read_record(), watching);
                outputs.journal.record(&record)?;
                (outputs.say)(Told::Record(&record));
            } else if let Some(numbers) = numbers.last().filter(|_| meter.line_is_due()) {
                let record = self.record(numbers, lr, meter.read_line(), watching);
                (outputs.say)(Told::Line(&record));
            }
            if evaluates {
                self.evaluate(&mut outputs, &mut meter, stop)?;
            }
            if last || stopped {
                let checkpoint = outputs.checkpoints.write_now(self.content())?;
                return Ok(match last {
                    true => Outcome::Finished { checkpoint },
                    false => Outcome::Stopped { step: self.step, checkpoint },
                });
            }
            if saves {
                outputs.checkpoints.begin(self.content())?;
            }
        }
    }

    /// A run that goes back needs something to go back to.
    fn begin(&self, outputs: &mut Outputs<'_>, watching: &Watching) -> Result<(), RunError> {
        if watching.on_spike == OnSpike::Rewind
            && checkpoint::latest(outputs.folder.path())?.is_none()
        {
            outputs.checkpoints.write_now(self.content())?;
        }
        Ok(())
    }

    /// Leaves out the batches that are passed by.
    fn pass_by(&self, feed: &mut Feed, meter: &mut Meter) -> Result<(), RunError> {
        while feed.sample() < self.cursor().sample {
            meter.wait(|| feed.next())?;
        }
        Ok(())
    }

    /// The next batch's loss, its gradients in the parameters.
    fn gradients(
        &self,
        feed: &mut Feed,
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
            let part = meter.wait(|| feed.next())?;
            left -= part.len as u64;
            let inputs = Inputs::new(part, masks, vocab_size, place)?;
            pass.add(inputs.micro_batch(), left == 0)?;
        }
        let loss = pass.finish()?;
        Ok(self.with_fault(loss))
    }

    /// The loss, with the fault of a test in it and in a gradient.
    fn with_fault(&self, loss: Tensor) -> Tensor {
        let first = self.cursor().sample;
        match Fault::asked_for() {
            Some(Fault { sample, added })
                if (first..first + self.stage.batch).contains(&sample) =>
            {
                let _no_grad = tch::no_grad_guard();
                let mut gradient = self.model.logit_scale().grad();
                gradient += added;
                loss + added
            }
            _ => loss,
        }
    }

    /// Evaluates the model as it is, for `results.jsonl` and TensorBoard.
    fn evaluate(
        &mut self,
        outputs: &mut Outputs<'_>,
        meter: &mut Meter,
        stop: &AtomicBool,
    ) -> Result<(), RunError> {
        let Some(evaluations) = &mut self.evaluations else { return Ok(()) };
        let samples = self.step * self.stage.batch;
        let found = meter.pause(|| evaluations.run(self.step, samples, &self.model, stop))?;
        if found.is_empty() {
            return Ok(());
        }
        let tags: Vec<(String, f64)> =
            found.iter().map(|(name, value)| (format!("eval/{name}"), value)).collect();
        let tags: Vec<(&str, f64)> =
            tags.iter().map(|(tag, value)| (tag.as_str(), *value)).collect();
        outputs.journal.scalars(self.step, &tags)
    }

    /// Judges the steps that are done; the batch to go back for, where one is to be passed by.
    fn examine(
        &mut self,
        numbers: &[StepNumbers],
        feed: &Feed,
        outputs: &mut Outputs<'_>,
        watching: &Watching,
    ) -> Result<Option<u64>, RunError> {
        for numbers in numbers {
            let Some(event) = self.watch.judge(*numbers) else { continue };
            let batch = self.batch_of(event.numbers.step);
            let names = feed.names(batch * self.stage.batch, self.stage.batch)?;
            let saved = spikes::save(outputs.folder.path(), &event, batch, &names)?;
            match watching.on_spike.answer(event.kind, self.skipped.len()) {
                Answer::Stop => return Err(stopped_by(&event, saved, outputs)?),
                Answer::Rewind => return Ok(Some(batch)),
                Answer::GoOn => (outputs.say)(Told::Warning(format!(
                    "step {}: the loss is {:.4}, far above those before; {} has the batch",
                    event.numbers.step,
                    event.numbers.loss,
                    saved.display(),
                ))),
            }
        }
        Ok(None)
    }

    /// Goes back to the newest checkpoint, and on without a batch.
    fn rewind(
        &mut self,
        batch: u64,
        feed: &mut Feed,
        outputs: &mut Outputs<'_>,
    ) -> Result<(), RunError> {
        outputs.checkpoints.finish()?;
        let from = self.step;
        let run = outputs.folder.path();
        let folder = checkpoint::latest(run)?.expect("a run that goes back has a checkpoint");
        let Training { model, optimizer, average, .. } = self;
        let state = checkpoint::read(&folder, model, optimizer, average.as_mut())?;
        self.step = state.step;
        self.watch = Watch::after(&state.recent_losses);
        self.skipped.push(batch);
        self.skipped.sort_unstable();
        outputs.journal.rewind(self.step)?;
        if let Some(evaluations) = &mut self.evaluations {
            evaluations.rewind(run, self.step)?;
        }
        feed.go_to(self.cursor())?;
        (outputs.say)(Told::Warning(format!(
            "step {from}: back to {}, and on without batch {batch}; passed by so far: {}",
            folder.display(),
            self.skipped.len(),
        )));
        Ok(())
    }

    fn record(
        &self,
        numbers: &StepNumbers,
        lr: f64,
        reading: Reading,
        watching: &Watching,
    ) -> StepRecord {
        let samples = self.step * self.stage.batch;
        let left = (self.schedule.total_steps - self.step) * self.stage.batch;
        let [vision, text, logit_scale] = numbers.by_tower;
        let rate = reading.samples_per_s;
        StepRecord {
            step: self.step,
            total_steps: self.schedule.total_steps,
            samples,
            epoch: samples as f64 / self.identity.samples_per_epoch.max(1) as f64,
            loss: numbers.loss,
            lr,
            logit_scale: self.model.logit_scale().double_value(&[]).exp(),
            grad_norm: numbers.grad_norm,
            grad_norm_vision: vision,
            grad_norm_text: text,
            grad_norm_logit_scale: logit_scale,
            skipped_batches: self.skipped.len() as u64,
            samples_per_s: rate,
            mfu_percent: watching.peak_flops.map(|peak| 100.0 * rate * self.pair_flops() / peak),
            data_wait_percent: reading.data_wait_percent,
            elapsed_s: reading.elapsed_s,
            eta_s: left as f64 / rate.max(1e-9),
        }
    }

    /// Operations of a pair, forward and backward, none of them twice.
    fn pair_flops(&self) -> f64 {
        let (model, stage) = (self.model.config(), &self.stage);
        let cost =
            clipa_recipe::model::cost::Cost::new(model, stage.sizes(), stage.kept_patches(model));
        cost.training_flops(model.embed_dim, stage.batch as i64)
    }

    fn content(&self) -> Content {
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
            skipped_batches: self.skipped.clone(),
            recent_losses: self.watch.losses(),
            steps_before: self.steps_before,
            files: Vec::new(),
            state_sha256: String::new(),
        };
        Content::of(&self.model, &self.optimizer, self.average.as_ref(), state)
    }

    fn keep(&self) -> Keep {
        let stage = &self.stage;
        Keep {
            last: stage.keep_checkpoints,
            every_samples: stage.keep_every_samples,
            best: stage.keep_best.clone(),
            batch: stage.batch,
        }
    }

    /// Where the stream goes on.
    pub fn cursor(&self) -> Cursor {
        Cursor { sample: self.batch_of(self.step + 1) * self.stage.batch }
    }

    /// The batch of the stream that a step, counted from 1, takes.
    fn batch_of(&self, step: u64) -> u64 {
        self.skipped.iter().fold(step - 1, |batch, &skipped| batch + u64::from(skipped <= batch))
    }
}

/// Why a run stops.
fn stopped_by(
    event: &Event,
    saved: PathBuf,
    outputs: &mut Outputs<'_>,
) -> Result<RunError, RunError> {
    outputs.checkpoints.finish()?;
    let kept = match checkpoint::latest(outputs.folder.path())? {
        Some(folder) => folder.display().to_string(),
        None => "the beginning".to_owned(),
    };
    let StepNumbers { step, loss, .. } = event.numbers;
    Ok(match event.kind {
        EventKind::NotANumber => {
            RunError::Diverged { step, tower: event.tower.name(), saved, kept }
        }
        EventKind::Spike => {
            let median = event.median_loss.unwrap_or_default();
            RunError::Spike { step, loss, median, saved, kept }
        }
    })
}
