//! The contrastive losses, with their own gradients, in memory that does not grow with the square of the batch.
//!
//! ```text
//!                 texts of the whole batch, G columns
//!               ┌──────────────────────────────────────┐
//!   images of   │ logits s·I·Tᵀ + b, one tile of rows  │ ──► loss, ∂/∂I of the tile's rows, ∂/∂T added up
//!   a process   ├──────────────────────────────────────┤
//!               │ the next tile                        │
//!               └──────────────────────────────────────┘
//! ```
//! A G×G matrix of 65,536 pairs has 17 GB, and automatic differentiation keeps several. Here a tile of rows is computed,
//! used for the loss and for all gradients, and forgotten; what stays are features, gradients of features and a vector
//! of G numbers. [`contrast`] is the same for one process and for several: a process has rows, and all columns.

mod clip;
#[cfg(test)]
pub(crate) mod direct;
mod siglip;
mod tiles;

use clipa_recipe::model::config::Loss;
use tch::{Kind, Tensor};

use self::tiles::Tiles;
pub use self::tiles::{Contrast, Rows, TILE_BYTES, Temperature};

/// Least norm that [`normalise`] divides by, PyTorch's default.
const NORM_EPS: f64 = 1e-12;

/// Rows scaled to length one, in f32.
pub fn normalise(features: &Tensor) -> Tensor {
    let features = features.to_kind(Kind::Float);
    let norm = features.norm_scalaropt_dim(2, [-1i64], true);
    features / norm.clamp_min(NORM_EPS)
}

/// Loss and derivatives of a process's rows, in f32 with sums in f64.
///
/// `tile_bytes` bounds one tile of logits ([`TILE_BYTES`]); up to three tiles exist at a time. `merge` turns the
/// columns' partial log-sum-exps `[G]`, f64, of this process's rows into those of all rows; of one process it returns
/// what it is given. [`Loss::Siglip`] needs none.
///
/// # Panics
/// A SigLIP loss without a bias, or called under autocast: at s = 100 logits in bf16 would be rounded to steps of 0.5.
pub fn contrast(
    loss: Loss,
    rows: Rows<'_>,
    temperature: &Temperature<'_>,
    tile_bytes: usize,
    merge: impl FnOnce(Tensor) -> Tensor,
) -> Contrast {
    let _no_grad = tch::no_grad_guard();
    let tiles = Tiles::new(rows, temperature, tile_bytes);
    match loss {
        Loss::Clip => clip::contrast(tiles, merge),
        Loss::Siglip => siglip::contrast(tiles),
    }
}

#[cfg(test)]
mod tests;
