//! The losses as papers write them, with the whole matrix of logits and automatic differentiation: what the tiled ones
//! are compared with.

use tch::{Kind, Reduction, Tensor};

/// `½ [CE(s·I·Tᵀ, arange) + CE(s·T·Iᵀ, arange)]` with `s = exp(logit_scale)`.
pub(crate) fn clip_loss(images: &Tensor, texts: &Tensor, logit_scale: &Tensor) -> Tensor {
    let logits = images.matmul(&texts.tr()) * logit_scale.exp();
    let pairs = Tensor::arange(images.size()[0], (Kind::Int64, images.device()));
    let cross_entropy = |logits: &Tensor| {
        logits.cross_entropy_loss::<&Tensor>(&pairs, None, Reduction::Mean, -100, 0.0)
    };
    (cross_entropy(&logits) + cross_entropy(&logits.tr())) / 2.0
}

/// `−Σ ln σ(label · (s·I·Tᵀ + b)) / G`, labels 1 on the diagonal and −1 elsewhere.
pub(crate) fn siglip_loss(
    images: &Tensor,
    texts: &Tensor,
    logit_scale: &Tensor,
    logit_bias: &Tensor,
) -> Tensor {
    let logits = images.matmul(&texts.tr()) * logit_scale.exp() + logit_bias;
    let pairs = images.size()[0];
    let labels = Tensor::eye(pairs, (images.kind(), images.device())) * 2.0 - 1.0;
    -(labels * logits).log_sigmoid().sum(images.kind()) / pairs as f64
}
