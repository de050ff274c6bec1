//! The CLIP model: two towers and a temperature.
//!
//! Names and shapes of the parameters are those of open_clip's `CLIP` class, and so are the results, to 1e-5
//! (`tests` below hold golden numbers of open_clip 3.3.0). Where CLIPA's four dialects differ, [`clipa_recipe::model::config`] has a switch.

mod block;
mod initial;
mod parameters;
pub mod positions;
mod recompute;
mod specification;
mod text;
mod vision;

use clipa_recipe::model::config::{Loss, VisionPositions};
use tch::{Device, Tensor};

pub use clipa_recipe::model::{InputSizes, ModelConfig, ModelConfigError};
pub use initial::Initial;
pub use parameters::{Parameter, Parameters};
pub use recompute::{Recorded, pass_on};
pub use specification::{
    INITIAL_LOGIT_BIAS, INITIAL_LOGIT_SCALE, INITIAL_SIGLIP_SCALE, ParameterSpec, specify,
};

/// A CLIP model with its parameters.
#[derive(Debug)]
pub struct Clip {
    config: ModelConfig,
    sizes: InputSizes,
    device: Device,
    parameters: Parameters,
    vision: vision::VisionTower,
    text: text::TextTower,
    logit_scale: Tensor,
    logit_bias: Option<Tensor>,
}

impl Clip {
    /// Builds and initialises a model; equal seeds give equal weights on every machine.
    ///
    /// # Errors
    /// Sizes from which no model can be built.
    pub fn new(
        config: &ModelConfig,
        sizes: InputSizes,
        seed: u64,
        device: Device,
    ) -> Result<Clip, ModelConfigError> {
        config.check()?;
        config.check_sizes(sizes)?;
        let parameters = Parameters::new(specify(config, sizes), seed, device);
        Ok(Clip::of(config, sizes, parameters, device))
    }

    fn of(config: &ModelConfig, sizes: InputSizes, parameters: Parameters, device: Device) -> Clip {
        Clip {
            config: config.clone(),
            sizes,
            device,
            vision: vision::VisionTower::new(config, &parameters, device),
            text: text::TextTower::new(config, &parameters),
            logit_scale: parameters.tensor("logit_scale"),
            logit_bias: match config.loss {
                Loss::Clip => None,
                Loss::Siglip => Some(parameters.tensor("logit_bias")),
            },
            parameters,
        }
    }

    /// This model as a stage with other lengths, and with the positions that `positions` names, would begin with it:
    /// positions are resized, or computed where they are a fixed table; everything else is shared and needs no memory.
    ///
    /// # Errors
    /// Lengths from which no model can be built.
    pub fn at_lengths(
        &self,
        positions: VisionPositions,
        sizes: InputSizes,
    ) -> Result<Clip, ModelConfigError> {
        let mut config = self.config.clone();
        config.vision.positions = positions;
        config.check_sizes(sizes)?;
        let (grid, device) = (config.grid_side(sizes), self.device);
        let parameters = self.parameters.adapted(specify(&config, sizes), |spec, tensor| {
            if spec.trained {
                return positions::at_lengths(&spec.name, tensor, grid, sizes.context_length);
            }
            spec.initial.tensor(0, &spec.name, &spec.shape).to_device(device)
        });
        Ok(Clip::of(&config, sizes, parameters, device))
    }

    /// Image embeddings `[B, E]`, not normalised, of u8 images `[B, S, S, 3]`.
    ///
    /// `keep` `[B, K]`, i64, names the patches of each image that are looked at (class token not counted); `None`
    /// keeps all, as evaluation does.
    pub fn encode_image(&self, images: &Tensor, keep: Option<&Tensor>) -> Tensor {
        self.vision.encode(images, keep)
    }

    /// Text embeddings `[B, E]`, not normalised, of i64 token ids `[B, C]`.
    pub fn encode_text(&self, tokens: &Tensor) -> Tensor {
        self.text.encode(tokens)
    }

    /// Image embeddings as [`Clip::encode_image`] returns them, without the blocks' activations; those are computed
    /// again when the backward pass goes on with [`Recorded::backward`].
    pub fn record_image(&self, images: &Tensor, keep: Option<&Tensor>) -> (Tensor, Recorded<'_>) {
        self.vision.record(images, keep)
    }

    /// The same of text embeddings.
    pub fn record_text(&self, tokens: &Tensor) -> (Tensor, Recorded<'_>) {
        self.text.record(tokens)
    }

    /// The natural logarithm of the temperature's inverse, a scalar.
    pub fn logit_scale(&self) -> &Tensor {
        &self.logit_scale
    }

    /// What SigLIP's loss adds to its logits, a scalar.
    pub fn logit_bias(&self) -> Option<&Tensor> {
        self.logit_bias.as_ref()
    }

    /// All parameters.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// What it was built from.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The lengths that it was built for.
    pub fn sizes(&self) -> InputSizes {
        self.sizes
    }

    /// Where its parameters are.
    pub fn device(&self) -> Device {
        self.device
    }
}

#[cfg(test)]
mod tests;
