//! CLIP's contrastive loss.

use tch::{Kind, Reduction, Tensor};

/// Least norm that [`normalise`] divides by, PyTorch's default.
const NORM_EPS: f64 = 1e-12;

/// Rows scaled to length one, in f32.
pub fn normalise(features: &Tensor) -> Tensor {
    let features = features.to_kind(Kind::Float);
    let norm = features.norm_scalaropt_dim(2, [-1i64], true);
    features / norm.clamp_min(NORM_EPS)
}

/// `½ [CE(s·I·Tᵀ, arange) + CE(s·T·Iᵀ, arange)]` with `s = exp(logit_scale)`, mean over the batch (Radford et al. 2021).
///
/// Both inputs are normalised rows `[B, E]`; pair i is row i of both. Call it outside autocast: at s = 100 logits in
/// bf16 would be rounded to steps of 0.5.
pub fn clip_loss(images: &Tensor, texts: &Tensor, logit_scale: &Tensor) -> Tensor {
    let logits = images.matmul(&texts.tr()) * logit_scale.exp();
    let pairs = Tensor::arange(images.size()[0], (Kind::Int64, images.device()));
    (cross_entropy(&logits, &pairs) + cross_entropy(&logits.tr(), &pairs)) / 2.0
}

fn cross_entropy(logits: &Tensor, labels: &Tensor) -> Tensor {
    logits.cross_entropy_loss::<&Tensor>(labels, None, Reduction::Mean, -100, 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loss_equals_open_clips() {
        let images: Vec<f32> = (1..=12).map(|i| i as f32).collect();
        let images = normalise(&Tensor::from_slice(&images).view([4, 3]));
        let texts = [1f32, 0., 0., 0., 1., 0., 0., 0., 1., 1., 1., 1.];
        let texts = normalise(&Tensor::from_slice(&texts).view([4, 3]));
        let scale = Tensor::from_slice(&[(1.0f32 / 0.07).ln()]).squeeze();
        let loss = clip_loss(&images, &texts, &scale).double_value(&[]);
        assert!((loss - 3.749378).abs() < 1e-5, "{loss}");
    }

    #[test]
    fn a_zero_row_stays_zero() {
        let rows = normalise(&Tensor::zeros([2, 3], (Kind::Float, tch::Device::Cpu)));
        assert_eq!(rows.abs().max().double_value(&[]), 0.0);
    }
}
