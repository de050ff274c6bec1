//! The optimizer's settings of a stage.

use serde::{Deserialize, Serialize};

/// AdamW's settings of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdamWConfig {
    /// Decoupled weight decay of the group that decays.
    pub weight_decay: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Which parameters decay.
    #[serde(default)]
    pub decay: Decay,
}

/// Which parameters weight decay applies to. Biases, layer norms, the class token and the logit scale never decay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decay {
    /// All other parameters, embeddings of tokens and positions included: open_clip's rule up to 3.3, and clipa_torch's.
    #[default]
    Matrices,
    /// All of those but the positions: the rule of open_clip's main branch since 2026.
    NoPositions,
    /// Weights of linear layers, of the patch convolution and of the projections only, no embedding: clipa_jax's rule
    /// (`.*/kernel`).
    Kernels,
}

impl Decay {
    pub(crate) fn is_default(&self) -> bool {
        *self == Decay::default()
    }
}
