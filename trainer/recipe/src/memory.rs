//! The memory of a step, as formulas.
//!
//! Weights, moments and gradients are exact. Activations are what a pre-norm block keeps for its backward pass in
//! libtorch; a measured step of B/16 on a CPU is within a tenth of it. What a kernel needs for a moment is left out.

use serde::Serialize;

use crate::{
    model::{ModelConfig, cost::Cost},
    stage::{Precision, Stage},
};

/// Bytes of a number in f32.
const F32: u64 = 4;
/// Bytes of the tiles that the loss works on.
const LOSS_TILES_BYTES: u64 = 3 * (32 << 20);

/// Bytes of a step with micro-batches of one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Pairs of a micro-batch.
    pub micro_batch: u64,
    /// Parameters, f32.
    pub weights: u64,
    /// AdamW's two moments, f32.
    pub moments: u64,
    /// Moving average of the parameters, f32, where the stage has one.
    pub average: u64,
    /// Gradients, f32; there between backward pass and update.
    pub gradients: u64,
    /// What a micro-batch's graph keeps.
    pub activations: u64,
    /// Features of the whole batch, their gradients, tiles of logits.
    pub loss: u64,
    /// Images and tokens of the whole batch, as bytes in the main memory.
    pub staging: u64,
}

/// Width and depth of a tower with the tokens that run through it.
#[derive(Clone, Copy)]
struct Tower {
    width: u64,
    mlp_width: u64,
    layers: u64,
    tokens: u64,
    /// Numbers of a token before the tower: pixels of a patch.
    inputs: u64,
}

impl Memory {
    /// What a stage needs where a micro-batch has `micro_batch` pairs.
    pub fn new(model: &ModelConfig, stage: &Stage, micro_batch: u64) -> Memory {
        let cost = Cost::new(model, stage.sizes(), stage.kept_patches(model));
        let parameters = cost.parameters().unsigned_abs();
        let features = 2 * stage.batch * model.embed_dim.unsigned_abs() * F32;
        let tiles = LOSS_TILES_BYTES.min(3 * stage.batch.saturating_mul(stage.batch) * F32);
        let pixels = 3 * stage.image_size.unsigned_abs().pow(2);
        let tokens = 8 * stage.context_length.unsigned_abs();
        Memory {
            micro_batch,
            weights: parameters * F32,
            moments: 2 * parameters * F32,
            average: if stage.ema.is_some() { parameters * F32 } else { 0 },
            gradients: parameters * F32,
            activations: micro_batch * activations(model, stage, &cost),
            loss: 2 * features + tiles,
            staging: stage.batch * (pixels + tokens),
        }
    }

    /// What does not depend on the micro-batch; staging counts where model and stream share one memory.
    pub fn fixed(&self, shares_main_memory: bool) -> u64 {
        let staging = if shares_main_memory { self.staging } else { 0 };
        self.weights + self.moments + self.average + self.gradients + self.loss + staging
    }
}

/// Bytes that the graph of one pair keeps.
fn activations(model: &ModelConfig, stage: &Stage, cost: &Cost) -> u64 {
    let (vision, text) = (&model.vision, &model.text);
    let image = Tower {
        width: vision.width.unsigned_abs(),
        mlp_width: vision.mlp_width.unsigned_abs(),
        layers: vision.layers.unsigned_abs(),
        tokens: cost.image_tokens.unsigned_abs(),
        inputs: 3 * vision.patch_size.unsigned_abs().pow(2),
    };
    let caption = Tower {
        width: text.width.unsigned_abs(),
        mlp_width: text.mlp_width.unsigned_abs(),
        layers: text.layers.unsigned_abs(),
        tokens: cost.text_tokens.unsigned_abs(),
        inputs: 0,
    };
    [image, caption].map(|tower| tower.activations(stage.precision, stage.recompute)).iter().sum()
}

impl Tower {
    fn activations(self, precision: Precision, recompute: bool) -> u64 {
        let Tower { width, mlp_width, layers, tokens, inputs } = self;
        // f32: both norms' inputs and outputs, q, k and v, what attention returns as it is and laid out anew, the next
        // residual; the hidden layer before and after its activation. In bf16 the residual stream and the norms'
        // outputs stay f32, beside copies of the latter.
        let block = match precision {
            Precision::F32 => (9 * width + 2 * mlp_width) * F32,
            Precision::Bf16 => 30 * width + 4 * mlp_width,
        };
        let stem = (inputs + 3 * width) * F32;
        let kept = if recompute { layers * width * F32 + block } else { layers * block };
        tokens * (stem + kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Recipe;

    fn memory(set: &[&str], micro_batch: u64) -> Memory {
        let set: Vec<String> = set.iter().map(|&set| set.to_owned()).collect();
        let recipe = Recipe::load("b16-i50-t16", &set, Some("pretrain")).unwrap();
        Memory::new(&recipe.model, recipe.stage("pretrain").unwrap(), micro_batch)
    }

    #[test]
    fn the_published_batch_in_figures() {
        let memory = memory(&[], 65_536);
        assert_eq!(memory.weights, 149_476_609 * 4);
        assert_eq!(memory.staging, 65_536 * (112 * 112 * 3 + 16 * 8));
        // Features and gradients of 2 x 65,536 x 512 numbers; a matrix of logits alone would be 17 GB.
        assert!((500e6..700e6).contains(&(memory.loss as f64)), "{memory:?}");
        // 25 MB a pair were measured on a CPU.
        let pair = memory.activations as f64 / 65_536.0;
        assert!((20e6..30e6).contains(&pair), "{pair}");
    }

    #[test]
    fn only_activations_depend_on_the_micro_batch_and_recomputing_saves_most() {
        let (one, many) = (memory(&[], 64), memory(&[], 6400));
        assert_eq!(many.activations, 100 * one.activations);
        assert_eq!(many.fixed(true), one.fixed(true));
        assert_eq!(one.fixed(true), one.fixed(false) + one.staging);
        let averaged = memory(&["stage.ema=0.999"], 64);
        assert_eq!(averaged.fixed(true), one.fixed(true) + one.weights);
        let again = memory(&["stage.recompute=true"], 64);
        assert!(again.activations * 4 < one.activations, "{again:?} {one:?}");
        assert!(memory(&["stage.precision=f32"], 64).activations > one.activations);
    }
}
