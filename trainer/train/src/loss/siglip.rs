//! SigLIP's loss: every image with every text is a yes or a no (Zhai et al. 2023).

use tch::Kind;

use super::tiles::{Contrast, Tiles};

/// `−Σ ln σ(±Lᵢⱼ) / G`, plus on the diagonal and minus elsewhere, over the G pairs; L are the logits.
///
/// In sums that do not overflow: `(Σ softplus(Lᵢⱼ) − Σ Lᵢᵢ) / G`. The derivative by a logit is `(σ(Lᵢⱼ) − δᵢⱼ) / G`.
pub(super) fn contrast(tiles: Tiles<'_>) -> Contrast {
    assert!(tiles.has_bias(), "SigLIP's loss has a bias");
    let share = 1.0 / tiles.pairs() as f64;
    let (mut loss, mut logit_bias) = (tiles.zero(), tiles.zero());
    let mut sums = tiles.sums();
    for tile in tiles.ranges() {
        let mut logits = tiles.logits(&tile);
        loss += logits.softplus().sum(Kind::Double);
        loss -= tiles.diagonal(&logits, &tile).sum(Kind::Double);
        let mut by_logits = logits.sigmoid_();
        by_logits *= share;
        let mut pairs = tiles.diagonal(&by_logits, &tile);
        pairs -= share;
        logit_bias += by_logits.sum(Kind::Double);
        tiles.add(&mut sums, &tile, &by_logits);
    }
    let sums = tiles.finished(sums);
    Contrast {
        loss: loss * share,
        images: sums.images,
        texts: sums.texts,
        logit_scale: sums.logit_scale,
        logit_bias: Some(logit_bias),
    }
}
