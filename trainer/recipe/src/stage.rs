//! One stage of a recipe: what a model sees, for how long, and how it learns from it.

use clipa_schemas::reduction::{
    image::{Grid, ImageReduction},
    text::{Specials, TextReduction},
};
use serde::{Deserialize, Serialize};

use crate::{
    augment::Augmentation,
    captions::Captions,
    model::{
        InputSizes, ModelConfig,
        config::{Tokenizer, VisionPositions},
    },
    optimizer::{AdamWConfig, Decay},
    schedule::{Course, Schedule, ScheduleKind},
    whole,
};

/// The batch that `base_lr` is given for: CLIPA's rule is `lr = base_lr · batch / 256`.
pub const BASE_BATCH: f64 = 256.0;

/// A stage of training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// `pretrain`, `finetune`, or a name of its own.
    pub name: String,
    /// Side of the square images in pixels, a multiple of the patch size.
    #[serde(deserialize_with = "whole::number")]
    pub image_size: i64,
    /// Which patches are kept; `resize` keeps all, of a smaller image.
    #[serde(default)]
    pub image_reduction: ImageReduction,
    /// Tokens of a caption, specials and padding included.
    #[serde(deserialize_with = "whole::number")]
    pub context_length: i64,
    /// Which tokens of a longer caption are kept.
    pub text_reduction: TextReduction,
    /// Which caption of an image is read, where it has several.
    #[serde(default, skip_serializing_if = "Captions::is_first")]
    pub captions: Captions,
    /// BERT's rows as open_clip makes them, one piece shorter ([`Specials::BERT_OPEN_CLIP`]), and not as CLIPA trained with.
    #[serde(default, skip_serializing_if = "is_false")]
    pub strip_sep_token: bool,
    /// Where the image tower's positions come from in this stage; the model's own choice where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub positions: Option<VisionPositions>,
    /// Length of the stage in passes over the data set; this or `samples`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<f64>,
    /// Length of the stage in samples; this or `epochs`.
    #[serde(
        default,
        deserialize_with = "whole::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub samples: Option<u64>,
    /// Pairs of a step, over all processes.
    #[serde(deserialize_with = "whole::number")]
    pub batch: u64,
    /// Peak learning rate; this or `base_lr`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lr: Option<f64>,
    /// Peak learning rate for a batch of 256, scaled linearly with the batch; this or `lr`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_lr: Option<f64>,
    /// Steps of linear warm-up.
    #[serde(deserialize_with = "whole::number")]
    pub warmup_steps: u64,
    /// How the learning rate goes on after the warm-up.
    #[serde(default, skip_serializing_if = "ScheduleKind::is_cosine")]
    pub schedule: ScheduleKind,
    /// Samples of the cooldown at the end of a `constant-cooldown` schedule.
    #[serde(
        default,
        deserialize_with = "whole::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub cooldown_samples: Option<u64>,
    /// The power of the cooldown's decay, 1 (linear) where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown_power: Option<f64>,
    /// The learning rate that the cooldown ends at, 0 where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown_end_lr: Option<f64>,
    /// AdamW's decoupled weight decay.
    pub weight_decay: f64,
    /// Which parameters decay.
    #[serde(default, skip_serializing_if = "Decay::is_default")]
    pub decay: Decay,
    /// AdamW's decay of the first moment.
    pub beta1: f64,
    /// AdamW's decay of the second moment.
    pub beta2: f64,
    /// AdamW's epsilon.
    pub eps: f64,
    /// Greatest norm of all gradients together; no clipping where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_grad_norm: Option<f64>,
    /// Decay a step of a moving average of the weights, which checkpoints then hold as well; none where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ema: Option<f64>,
    /// Precision of matrix products.
    pub precision: Precision,
    /// Computes the activations of a block again in the backward pass instead of keeping them: a third more forward
    /// operations, and memory for one block and not for all.
    #[serde(default, skip_serializing_if = "is_false")]
    pub recompute: bool,
    /// Steps between two lines of the log.
    #[serde(deserialize_with = "whole::number")]
    pub log_steps: u64,
    /// Steps between two checkpoints.
    #[serde(deserialize_with = "whole::number")]
    pub checkpoint_steps: u64,
    /// Checkpoints that are kept; older ones are removed when a new one is complete.
    #[serde(default = "two", deserialize_with = "whole::number")]
    pub keep_checkpoints: u64,
    /// Keeps the first checkpoint at or after every so many samples for ever.
    #[serde(
        default,
        deserialize_with = "whole::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub keep_every_samples: Option<u64>,
    /// Keeps the best checkpoint by a metric: `loss`, or the words of a number in `results.jsonl` (`imagenet acc1`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_best: Option<String>,
    /// What happens to an image on the way.
    #[serde(default)]
    pub augment: Augmentation,
}

/// Precision of a stage's matrix products. Weights, moments, layer norms, softmax and loss are f32 in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// All f32.
    #[serde(alias = "fp32")]
    F32,
    /// bf16 autocast over f32 weights; open_clip's `amp_bf16`.
    #[serde(alias = "amp_bf16", alias = "amp_bfloat16")]
    Bf16,
}

/// A value of a stage that cannot work: key, value, reason.
pub(super) type BadValue = (&'static str, String, String);

impl Stage {
    /// The lengths that the model is built for.
    pub fn sizes(&self) -> InputSizes {
        InputSizes { image_size: self.image_size, context_length: self.context_length }
    }

    /// The model of this stage: the recipe's, with the stage's own positions.
    pub fn model(&self, model: &ModelConfig) -> ModelConfig {
        let mut model = model.clone();
        model.vision.positions = self.positions.unwrap_or(model.vision.positions);
        model
    }

    /// The special tokens that go around a caption.
    pub fn specials(&self, tokenizer: Tokenizer) -> Specials {
        match (tokenizer, self.strip_sep_token) {
            (Tokenizer::ClipBpe, _) => Specials::CLIP_BPE,
            (Tokenizer::BertWordpiece, false) => Specials::BERT_CLIPA,
            (Tokenizer::BertWordpiece, true) => Specials::BERT_OPEN_CLIP,
            (Tokenizer::BertWordpieceClips, _) => Specials::BERT_CLIPS,
        }
    }

    /// Patches of an image that are looked at in training.
    pub fn kept_patches(&self, model: &ModelConfig) -> i64 {
        let (size, patch) = (self.image_size as u32, model.vision.patch_size as u32);
        Grid::square(size, patch).map_or(0, |grid| i64::from(self.image_reduction.kept_count(grid)))
    }

    /// The peak learning rate.
    pub fn peak_lr(&self) -> f64 {
        let scaled = self.base_lr.map(|base| base * self.batch as f64 / BASE_BATCH);
        self.lr.or(scaled).unwrap_or_default()
    }

    /// Samples of the stage on a data set of this size.
    pub fn total_samples(&self, samples_per_epoch: u64) -> u64 {
        let epochs = self.epochs.unwrap_or_default() * samples_per_epoch as f64;
        self.samples.unwrap_or(epochs as u64)
    }

    /// The learning rate of every step on a data set of this size; only whole batches are steps.
    pub fn schedule(&self, samples_per_epoch: u64) -> Schedule {
        Schedule {
            peak: self.peak_lr(),
            warmup_steps: self.warmup_steps,
            total_steps: self.total_samples(samples_per_epoch) / self.batch,
            course: match self.schedule {
                ScheduleKind::Cosine => Course::Cosine,
                ScheduleKind::Constant => Course::Constant,
                ScheduleKind::ConstantCooldown => Course::Cooldown {
                    steps: self.cooldown_samples.unwrap_or_default() / self.batch,
                    power: self.cooldown_power.unwrap_or(1.0),
                    end: self.cooldown_end_lr.unwrap_or_default(),
                },
            },
        }
    }

    /// AdamW's settings.
    pub fn adamw(&self) -> AdamWConfig {
        AdamWConfig {
            weight_decay: self.weight_decay,
            beta1: self.beta1,
            beta2: self.beta2,
            eps: self.eps,
            decay: self.decay,
        }
    }

    /// The first value that cannot work whatever the data set is.
    pub(super) fn check(&self) -> Result<(), BadValue> {
        let bad =
            |key, value: &dyn ToString, why: &str| Err((key, value.to_string(), why.to_owned()));
        one_of(("epochs", self.epochs.is_some()), ("samples", self.samples.is_some()))?;
        one_of(("lr", self.lr.is_some()), ("base_lr", self.base_lr.is_some()))?;
        for (key, value) in [
            ("batch", self.batch),
            ("log_steps", self.log_steps),
            ("checkpoint_steps", self.checkpoint_steps),
            ("keep_checkpoints", self.keep_checkpoints),
            ("keep_every_samples", self.keep_every_samples.unwrap_or(1)),
        ] {
            if value == 0 {
                return bad(key, &value, "it must be at least 1");
            }
        }
        if self.batch < 2 {
            return bad("batch", &self.batch, "a contrast needs at least 2 pairs");
        }
        if let Some((value, why)) = self.captions.problem() {
            return bad("captions", &value, why);
        }
        for (key, value, range, words) in [
            ("epochs", self.epochs.unwrap_or(1.0), 1e-9..1e9, "it must be above 0"),
            ("lr", self.peak_lr(), 0.0..1e3, "it must lie in 0..1000"),
            ("weight_decay", self.weight_decay, 0.0..1e3, "it must lie in 0..1000"),
            ("beta1", self.beta1, 0.0..1.0, "it must lie in 0..1"),
            ("beta2", self.beta2, 0.0..1.0, "it must lie in 0..1"),
            ("eps", self.eps, 0.0..1.0, "it must lie in 0..1"),
            ("clip_grad_norm", self.clip_grad_norm.unwrap_or(1.0), 1e-9..1e9, "it must be above 0"),
            ("cooldown_power", self.cooldown_power.unwrap_or(1.0), 1e-9..1e3, "it must be above 0"),
            ("ema", self.ema.unwrap_or_default(), 0.0..1.0, "it must lie in 0..1"),
            (
                "cooldown_end_lr",
                self.cooldown_end_lr.unwrap_or_default(),
                0.0..self.peak_lr().next_up(),
                "it must lie between 0 and the peak",
            ),
        ] {
            if !range.contains(&value) {
                return bad(key, &value, words);
            }
        }
        self.check_schedule()?;
        if let Some(metric) = self.keep_best.as_deref().filter(|metric| metric.trim().is_empty()) {
            return bad("keep_best", &metric, "it must name a metric, such as `loss`");
        }
        if let ImageReduction::Random { drop } | ImageReduction::Block { drop } =
            self.image_reduction
            && !(0.0..1.0).contains(&drop)
        {
            return bad("image_reduction.drop", &drop, "it must lie in 0..1");
        }
        Ok(())
    }

    /// The keys of a cooldown belong to the schedule that has one.
    fn check_schedule(&self) -> Result<(), BadValue> {
        let cools = self.schedule == ScheduleKind::ConstantCooldown;
        for (key, value) in [
            ("cooldown_samples", self.cooldown_samples.map(|samples| samples.to_string())),
            ("cooldown_power", self.cooldown_power.map(|power| power.to_string())),
            ("cooldown_end_lr", self.cooldown_end_lr.map(|lr| lr.to_string())),
        ] {
            if let (Some(value), false) = (value, cools) {
                let why = "only `schedule = \"constant-cooldown\"` has a cooldown";
                return Err((key, value, why.to_owned()));
            }
        }
        match self.cooldown_samples {
            None if cools => {
                let why = "a constant-cooldown schedule needs it";
                Err(("cooldown_samples", "not given".to_owned(), why.to_owned()))
            }
            Some(samples) if samples < self.batch => {
                let why = format!("a batch is {}: a cooldown has at least one", self.batch);
                Err(("cooldown_samples", samples.to_string(), why))
            }
            _ => Ok(()),
        }
    }

    /// The first value that cannot work with this tokenizer.
    pub(super) fn check_tokenizer(&self, tokenizer: Tokenizer) -> Result<(), BadValue> {
        let why = match tokenizer {
            _ if !self.strip_sep_token => return Ok(()),
            Tokenizer::BertWordpiece => return Ok(()),
            Tokenizer::ClipBpe => {
                "only BERT's WordPiece has a [SEP], and this model reads CLIP's byte pairs"
            }
            Tokenizer::BertWordpieceClips => {
                "this model's rows end with [CLS] and have room for no [SEP]"
            }
        };
        Err(("strip_sep_token", "true".to_owned(), why.to_owned()))
    }

    /// The first value that cannot work on a data set of this size.
    pub(super) fn check_length(&self, samples_per_epoch: u64) -> Result<(), BadValue> {
        let total = self.total_samples(samples_per_epoch);
        let steps = total / self.batch;
        if steps == 0 {
            let why = format!(
                "larger than the whole stage of {total} samples: lower it, or raise `samples`"
            );
            return Err(("batch", self.batch.to_string(), why));
        }
        if self.warmup_steps >= steps {
            let why =
                format!("the stage ends after {steps} steps, before the warm-up does: lower it");
            return Err(("warmup_steps", self.warmup_steps.to_string(), why));
        }
        let cooldown = self.cooldown_samples.unwrap_or_default();
        if self.warmup_steps + cooldown / self.batch > steps {
            let why = format!(
                "with {} steps of warm-up it is longer than the stage of {total} samples: lower it",
                self.warmup_steps
            );
            return Err(("cooldown_samples", cooldown.to_string(), why));
        }
        Ok(())
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

fn two() -> u64 {
    2
}

/// Exactly one of two keys must be given.
fn one_of(left: (&'static str, bool), right: (&'static str, bool)) -> Result<(), BadValue> {
    match (left.1, right.1) {
        (true, true) => {
            Err((left.0, "given".to_owned(), format!("so is `{}`; choose one", right.0)))
        }
        (false, false) => {
            Err((left.0, "not given".to_owned(), format!("choose this or `{}`", right.0)))
        }
        _ => Ok(()),
    }
}
