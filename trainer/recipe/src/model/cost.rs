//! Parameters and floating-point operations of a model, as formulas.
//!
//! A multiplication and an addition count as two operations. Products of matrices and attention are counted,
//! embedding look-ups, norms and activations are not; the backward pass costs twice the forward one. open_clip's
//! `model_profile.csv` is met within 0.1 %.

use serde::Serialize;

use super::config::{InputSizes, ModelConfig};

/// What one sample costs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Cost {
    /// Parameters of the image tower, its projection included.
    pub vision_parameters: i64,
    /// Parameters of the text tower, its embeddings and projection included.
    pub text_parameters: i64,
    /// Parameters of the loss: the logit scale, and SigLIP's bias.
    pub loss_parameters: i64,
    /// Forward operations of one image.
    pub image_flops: f64,
    /// Forward operations of one caption.
    pub text_flops: f64,
    /// Tokens of an image that are looked at, the class token included.
    pub image_tokens: i64,
    /// Tokens of a caption.
    pub text_tokens: i64,
}

/// Width, layers and MLP width of a tower, and the tokens that run through it.
#[derive(Clone, Copy)]
struct Tower {
    width: i64,
    layers: i64,
    mlp_width: i64,
    tokens: i64,
}

impl Cost {
    /// The cost of a model of these sizes where `kept_patches` patches of each image are looked at.
    pub fn new(config: &ModelConfig, sizes: InputSizes, kept_patches: i64) -> Cost {
        let (vision, text, embed) = (&config.vision, &config.text, config.embed_dim);
        let patch_values = 3 * vision.patch_size.pow(2);
        let image = Tower {
            width: vision.width,
            layers: vision.layers,
            mlp_width: vision.mlp_width,
            tokens: kept_patches + 1,
        };
        let caption = Tower {
            width: text.width,
            layers: text.layers,
            mlp_width: text.mlp_width,
            tokens: sizes.context_length,
        };
        let norms = if vision.ln_pre { 2 } else { 1 };
        Cost {
            vision_parameters: patch_values * vision.width
                + vision.width
                + config.image_tokens(sizes) * vision.width
                + norms * 2 * vision.width
                + image.parameters()
                + vision.width * embed,
            text_parameters: text.vocab_size * text.width
                + sizes.context_length * text.width
                + caption.parameters()
                + 2 * text.width
                + text.width * embed,
            loss_parameters: config.loss.parameters(),
            image_flops: image.flops()
                + 2.0 * (kept_patches * patch_values * vision.width + vision.width * embed) as f64,
            text_flops: caption.flops() + 2.0 * (text.width * embed) as f64,
            image_tokens: image.tokens,
            text_tokens: caption.tokens,
        }
    }

    /// Parameters of the whole model, the loss's included.
    pub fn parameters(&self) -> i64 {
        self.vision_parameters + self.text_parameters + self.loss_parameters
    }

    /// Forward and backward operations of one pair, both towers and the loss over `batch` pairs.
    pub fn training_flops(&self, embed_dim: i64, batch: i64) -> f64 {
        let loss = 4.0 * batch as f64 * embed_dim as f64;
        3.0 * (self.image_flops + self.text_flops + loss)
    }
}

impl Tower {
    /// Two norms, packed attention, MLP.
    fn parameters(self) -> i64 {
        let (w, m) = (self.width, self.mlp_width);
        self.layers * (4 * w * w + 2 * w * m + 4 * w + 4 * w + m + w)
    }

    fn flops(self) -> f64 {
        let (w, m, n) = (self.width as f64, self.mlp_width as f64, self.tokens as f64);
        2.0 * self.layers as f64 * ((4.0 * w * w + 2.0 * w * m) * n + 2.0 * n * n * w)
    }
}
