//! A stage's step on the clock, with batches that lie ready or with a data set's, and what it computes as numbers.
//!
//! Nothing is scheduled and nothing is kept: every step has the stage's peak learning rate, and no checkpoint is written.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use clipa_recipe::{Recipe, Stage};
use clipa_stream::{Batch, Stream};
use serde::Serialize;
use tch::{Cuda, Device, Tensor};

use super::{
    MicroBatch, Resources, RunError,
    inputs::{Inputs, Masks},
    ready,
};
use crate::{
    checkpoint::{self, Fit},
    memory,
    model::Clip,
    optimizer::AdamW,
    seed,
    step::{self, Step},
};

/// A model in training, and where its batches come from.
#[derive(Debug)]
pub struct Timing {
    model: Clip,
    optimizer: AdamW,
    stage: Stage,
    masks: Option<Masks>,
    micro_batch: u64,
    batches: Batches,
    steps: usize,
}

/// Where batches come from.
#[derive(Debug)]
enum Batches {
    /// They lie on the device and are used in turn.
    Ready(Vec<step::MicroBatch>),
    /// A data set's, each used once.
    Streamed(Box<Stream>),
}

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// Wall time of each timed step, to its end on the device.
    pub seconds: Vec<f64>,
    /// The part of it in which the step waited for data.
    pub waited: Vec<f64>,
    /// Loss of every step before it was taken, those of the warm-up first.
    pub losses: Vec<f64>,
    /// Processor time of this process over all timed steps, its loader included.
    pub processor_s: f64,
    /// Most memory during the timed steps: of a GPU what tensors had, on a CPU the whole process.
    pub peak_bytes: Option<u64>,
}

impl Timing {
    /// Builds a stage's model and optimizer and settles its micro-batch. Batches are `ready` different ones that are drawn,
    /// images and token ids uniformly; equal seeds draw equal ones on every machine.
    ///
    /// # Errors
    /// A stage that does not exist or that no model can be built from; no room for a step.
    pub fn new(
        recipe: &Recipe,
        stage: &str,
        (seed, ready): (u64, u64),
        asked: MicroBatch,
        resources: Resources,
    ) -> Result<Timing, RunError> {
        let stage = recipe.stage(stage)?.clone();
        ready::check_context(recipe, &stage, "stage.context_length")?;
        let config = stage.model(&recipe.model);
        let model = Clip::new(&config, stage.sizes(), seed, resources.device)?;
        let optimizer = AdamW::new(model.parameters(), stage.adamw());
        let micro_batch = match asked {
            MicroBatch::Pairs(pairs) => pairs,
            MicroBatch::Auto => {
                let step = Step::new(&model, stage.precision, stage.recompute);
                step::largest(step, &stage).map_err(|why| RunError::Memory { why })?
            }
        };
        let mut timing = Timing {
            micro_batch: micro_batch.min(stage.batch),
            masks: Masks::new(&stage, &config, seed),
            batches: Batches::Ready(Vec::new()),
            steps: 0,
            model,
            optimizer,
            stage,
        };
        let batches = (0..ready).map(|number| timing.drawn(seed, number));
        timing.batches = Batches::Ready(batches.collect::<Result<_, _>>()?);
        Ok(timing)
    }

    /// Pairs that go through the model at a time.
    pub fn micro_batch(&self) -> u64 {
        self.micro_batch
    }

    /// Begins with the weights of a run, checkpoint or file; positions of other lengths are resized as for fine-tuning.
    ///
    /// # Errors
    /// Weights that are not there or do not fit.
    pub fn begin_with(&mut self, from: &Path) -> Result<(), RunError> {
        let file = checkpoint::model_file(from)?;
        let tensors = checkpoint::tensors::read(&file)?;
        checkpoint::load_model(&self.model, tensors, Fit::Resize, &file)?;
        Ok(())
    }

    /// Takes batches from a data set, whose stream has this micro-batch.
    pub fn stream(&mut self, stream: Stream) {
        self.batches = Batches::Streamed(Box::new(stream));
    }

    /// Takes `warmup` steps and then `steps` that are timed.
    ///
    /// # Errors
    /// What the data set or libtorch say.
    pub fn measure(&mut self, warmup: usize, steps: usize) -> Result<Measured, RunError> {
        let mut losses = Vec::with_capacity(warmup + steps);
        for _ in 0..warmup {
            losses.push(self.take()?.0);
        }
        self.restart_peak();
        let (mut seconds, mut waited) = (Vec::new(), Vec::new());
        let processor = processor_time();
        for _ in 0..steps {
            let began = Instant::now();
            let (loss, waiting) = self.take()?;
            seconds.push(began.elapsed().as_secs_f64());
            waited.push(waiting.as_secs_f64());
            losses.push(loss);
        }
        let processor_s = (processor_time() - processor).as_secs_f64();
        Ok(Measured { seconds, waited, losses, processor_s, peak_bytes: self.peak() })
    }

    /// What the model computes of the first batch, before any step: `batch.N.images` and `batch.N.tokens` of all batches
    /// that lie ready, `weights.NAME`, normalised features `features.images` and `features.texts`, `gradients.NAME` of
    /// every trained parameter, and `loss`. Weights are handles and no copies: the next step changes them.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn numbers(&mut self) -> Result<Vec<(String, Tensor)>, RunError> {
        let mut numbers = Vec::new();
        let mut add = |name: String, tensor: &Tensor| {
            numbers.push((name, tensor.detach()));
        };
        if let Batches::Ready(batches) = &self.batches {
            for (number, batch) in batches.iter().enumerate() {
                add(format!("batch.{number}.images"), &batch.images);
                add(format!("batch.{number}.tokens"), &batch.tokens);
            }
        }
        for parameter in self.model.parameters().iter() {
            add(format!("weights.{}", parameter.spec.name), &parameter.tensor);
        }
        let pass = self.pass()?.0;
        let (images, texts) = pass.features();
        add("features.images".to_owned(), &images);
        add("features.texts".to_owned(), &texts);
        add("loss".to_owned(), &pass.finish()?);
        for parameter in self.model.parameters().iter().filter(|parameter| parameter.spec.trained) {
            add(format!("gradients.{}", parameter.spec.name), &parameter.tensor.grad());
        }
        self.optimizer.zero_grad()?;
        Ok(numbers)
    }

    /// One step: its loss, and how long it waited for data.
    fn take(&mut self) -> Result<(f64, Duration), RunError> {
        let (pass, waited) = self.pass()?;
        let loss = pass.finish()?;
        let _norm = self.optimizer.step(self.stage.peak_lr(), self.stage.clip_grad_norm)?;
        self.optimizer.zero_grad()?;
        if let Device::Cuda(index) = self.model.device() {
            Cuda::synchronize(index as i64);
        }
        self.steps += 1;
        Ok((loss.double_value(&[]), waited))
    }

    /// A step whose micro-batches were all added.
    fn pass(&mut self) -> Result<(step::Pass<'_>, Duration), RunError> {
        let Timing { model, stage, masks, micro_batch, batches, steps, .. } = self;
        let mut pass = Step::new(model, stage.precision, stage.recompute).begin();
        let (mut done, mut waited) = (0, Duration::ZERO);
        while done < stage.batch {
            let len = (*micro_batch).min(stage.batch - done);
            let part = match batches {
                Batches::Ready(batches) => {
                    part(&batches[*steps % batches.len()], done as i64, len as i64)
                }
                Batches::Streamed(stream) => {
                    let began = Instant::now();
                    let batch = stream.next()?;
                    waited += began.elapsed();
                    let whole = *micro_batch >= stage.batch;
                    let place = if whole { model.device() } else { Device::Cpu };
                    let vocabulary = model.config().text.vocab_size;
                    Inputs::new(batch, masks.as_ref(), vocabulary, place)?.micro_batch()
                }
            };
            done += part.len();
            pass.add(part, done >= stage.batch)?;
        }
        Ok((pass, waited))
    }

    /// A batch of uniform bytes and token ids, on the device.
    fn drawn(&self, seed: u64, number: u64) -> Result<step::MicroBatch, RunError> {
        let (stage, text) = (&self.stage, &self.model.config().text);
        let mut random = seed::random(seed, "timing", number);
        let bytes = (stage.batch * stage.image_size.pow(2).unsigned_abs() * 3) as usize;
        let mut images = Vec::with_capacity(bytes + 8);
        while images.len() < bytes {
            images.extend(random.next_u64().to_le_bytes());
        }
        images.truncate(bytes);
        let ids = text.tokenizer.ids().min(text.vocab_size).unsigned_abs();
        let count = stage.batch * stage.context_length.unsigned_abs();
        let tokens = (0..count).map(|_| random.below(ids) as i64).collect();
        let (side, context) = (stage.image_size as u32, stage.context_length as usize);
        let batch = Batch::from_parts(images, tokens, None, side, context);
        let device = self.model.device();
        let inputs = Inputs::new(batch, self.masks.as_ref(), text.vocab_size, device)?;
        Ok(inputs.micro_batch())
    }

    fn restart_peak(&self) {
        match self.model.device() {
            Device::Cuda(index) => {
                let _ = torch_ext::release_gpu_memory(index);
            }
            _ => {
                memory::restart_peak();
            }
        }
    }

    fn peak(&self) -> Option<u64> {
        match self.model.device() {
            Device::Cuda(index) => torch_ext::gpu_memory(index).ok().map(|memory| memory.peak),
            _ => memory::peak(),
        }
    }
}

fn part(batch: &step::MicroBatch, start: i64, len: i64) -> step::MicroBatch {
    let rows = |tensor: &Tensor| tensor.narrow(0, start, len);
    step::MicroBatch {
        images: rows(&batch.images),
        tokens: rows(&batch.tokens),
        keep: batch.keep.as_ref().map(rows),
    }
}

/// What this process has used of all cores, as Linux counts it; zero where nobody says.
fn processor_time() -> Duration {
    let nanoseconds = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let of_thread = |task: fs::DirEntry| -> Option<u64> {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse().ok()
    };
    Duration::from_nanos(nanoseconds.filter_map(of_thread).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timing(set: &[&str], ready: u64, micro_batch: u64) -> Timing {
        let mut all = vec!["stage.batch=6".to_owned(), "stage.lr=1e-3".to_owned()];
        all.extend(set.iter().map(|&set| set.to_owned()));
        let recipe = Recipe::load("tiny-i17-t8", &all, Some("pretrain")).unwrap();
        let resources = Resources { device: Device::Cpu, workers: 1 };
        let asked = MicroBatch::Pairs(micro_batch);
        Timing::new(&recipe, "pretrain", (5, ready), asked, resources).unwrap()
    }

    #[test]
    fn ready_batches_are_used_in_turn_and_divided_ones_have_the_same_losses() {
        let measured = timing(&[], 2, 6).measure(1, 5).unwrap();
        assert_eq!((measured.losses.len(), measured.seconds.len()), (6, 5));
        assert!(measured.losses[4] < measured.losses[0], "{:?}", measured.losses);
        assert!(measured.losses[5] < measured.losses[1], "{:?}", measured.losses);
        assert!(measured.peak_bytes.unwrap() > 1 << 20);
        let masked = ["stage.image_reduction={mask=\"random\",drop=0.5}"];
        for set in [&[][..], &masked] {
            let losses = |pairs| timing(set, 2, pairs).measure(0, 6).unwrap().losses;
            for (whole, divided) in losses(6).into_iter().zip(losses(4)) {
                assert!((whole - divided).abs() < 1e-4, "{whole} {divided}");
            }
        }
    }

    #[test]
    fn numbers_are_those_of_the_first_step() {
        let mut timing = timing(&[], 2, 4);
        let numbers = timing.numbers().unwrap();
        let named = |name: &str| &numbers.iter().find(|(there, _)| there == name).unwrap().1;
        let losses = timing.measure(0, 1).unwrap().losses;
        assert!((named("loss").double_value(&[]) - losses[0]).abs() < 1e-5);
        assert_eq!(named("batch.1.images").size(), [6, 32, 32, 3]);
        assert_eq!(named("features.texts").size(), [6, 64]);
        assert!(named("gradients.logit_scale").double_value(&[]).abs() > 0.0);
        // The fixed table of sin-cos positions has no gradient.
        assert!(numbers.iter().all(|(name, _)| name != "gradients.visual.positional_embedding"));
    }
}
