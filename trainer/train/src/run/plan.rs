//! From a recipe, a stage and a data set to a training that can begin, and what it will cost.

use std::path::Path;

use clipa_schemas::manifest::Manifest;
use tch::Device;

use super::{Identity, RunError, Training, reading::stream_config, ready};
use crate::{
    average::Average,
    checkpoint::{self, Fit},
    model::Clip,
    optimizer::AdamW,
    seed,
    watch::Watch,
};
use clipa_recipe::model::cost::Cost;
use clipa_recipe::schedule::Schedule;
use clipa_recipe::{Recipe, Stage};
use clipa_stream::StreamConfig;

/// Bytes of a parameter in a checkpoint: the weight and two moments in f32.
const CHECKPOINT_BYTES_PER_PARAMETER: u64 = 12;
/// Bytes that a moving average adds.
const AVERAGE_BYTES_PER_PARAMETER: u64 = 4;

/// Images that are read ahead where a batch comes in parts, in bytes.
const READ_AHEAD_BYTES: usize = 1 << 30;

/// What a run may use.
#[derive(Clone, Copy, Debug)]
pub struct Resources {
    /// Where the model runs.
    pub device: Device,
    /// Threads that fill batches.
    pub workers: usize,
}

/// A checked stage on a data set, before anything is built or written.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The whole recipe.
    pub recipe: Recipe,
    /// The stage that runs.
    pub stage: Stage,
    /// Its learning rates.
    pub schedule: Schedule,
    /// What makes the run this run.
    pub identity: Identity,
}

impl Plan {
    /// Checks a stage of a recipe against a data set.
    ///
    /// # Errors
    /// A stage that does not exist or does not fit, a folder that is no data set of pairs.
    pub fn new(recipe: Recipe, stage: &str, seed: u64, dataset: &Path) -> Result<Plan, RunError> {
        let stage = recipe.stage(stage)?.clone();
        let manifest = Manifest::read(dataset)?;
        let rows = manifest.rows();
        if rows > 0 {
            recipe.check_length(&stage, rows)?;
        }
        ready::check_pairs(dataset, &manifest, &stage)?;
        ready::check_context(&recipe, &stage, "stage.context_length")?;
        let identity = Identity::new(&recipe, &stage.name, seed, &manifest);
        Ok(Plan { schedule: stage.schedule(rows), recipe, stage, identity })
    }

    /// What a sample of the stage costs.
    pub fn cost(&self) -> Cost {
        let model = &self.recipe.model;
        Cost::new(model, self.stage.sizes(), self.stage.kept_patches(model))
    }

    /// Operations of the whole stage, forward and backward.
    pub fn total_flops(&self) -> f64 {
        let batch = self.stage.batch as i64;
        let sample = self.cost().training_flops(self.recipe.model.embed_dim, batch);
        sample * (self.schedule.total_steps * self.stage.batch) as f64
    }

    /// Bytes of one checkpoint.
    pub fn checkpoint_bytes(&self) -> u64 {
        let average = if self.stage.ema.is_some() { AVERAGE_BYTES_PER_PARAMETER } else { 0 };
        self.cost().parameters() as u64 * (CHECKPOINT_BYTES_PER_PARAMETER + average)
    }

    /// How the stage reads its data, `micro_batch` samples at a time.
    pub fn stream_config(&self, resources: Resources, micro_batch: u64) -> StreamConfig {
        let seed = seed::random(self.identity.seed, &self.stage.name, 0).next_u64();
        let mut config = stream_config(&self.recipe, &self.stage, resources.workers);
        config.augment = self.stage.augment.augment();
        config.batch = self.stage.batch as usize;
        config.seed = seed;
        if micro_batch < self.stage.batch {
            config.part = Some(micro_batch as usize);
            // While the second pass runs, the next batch is read ahead, as far as memory is meant for it.
            let parts = READ_AHEAD_BYTES / config.image_bytes().max(1);
            config.queue = parts.clamp(config.queue, clipa_stream::MAX_QUEUE);
        }
        config
    }

    /// Builds model and optimizer: from the checkpoint of an interrupted run, from another run's weights, or fresh. With
    /// the names of parameters whose moments begin at zero although those of another run are kept.
    ///
    /// # Errors
    /// Weights or moments that do not fit, files that are damaged.
    pub fn training(
        &self,
        continued: Option<&Path>,
        from: Option<&Path>,
        resources: Resources,
    ) -> Result<(Training, Vec<String>), RunError> {
        let config = self.stage.model(&self.recipe.model);
        let seed = self.identity.seed;
        let model = Clip::new(&config, self.stage.sizes(), seed, resources.device)?;
        let mut optimizer = AdamW::new(model.parameters(), self.stage.adamw());
        let (mut step, mut steps_before) = (0, 0);
        let (mut skipped, mut watch) = (Vec::new(), Watch::default());
        let mut without_moments = Vec::new();
        if let (None, Some(from)) = (continued, from) {
            let file = checkpoint::model_file(from)?;
            checkpoint::load_model(&model, checkpoint::tensors::read(&file)?, Fit::Resize, &file)?;
            if self.identity.moments_blake3.is_some() {
                (steps_before, without_moments) = checkpoint::adopt_moments(&file, &mut optimizer)?;
            }
        }
        let mut average = self.stage.ema.map(|decay| Average::new(&model, decay));
        if let Some(folder) = continued {
            let state = checkpoint::read(folder, &model, &mut optimizer, average.as_mut())?;
            (step, steps_before) = (state.step, state.steps_before);
            (skipped, watch) = (state.skipped_batches, Watch::after(&state.recent_losses));
        }
        let training = Training {
            model,
            optimizer,
            average,
            stage: self.stage.clone(),
            schedule: self.schedule,
            identity: self.identity.clone(),
            step,
            steps_before,
            skipped,
            watch,
            device: resources.device,
            micro_batch: self.stage.batch,
            evaluations: None,
        };
        Ok((training, without_moments))
    }
}
