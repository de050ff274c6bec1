//! CLIP's loss: a softmax over each row and each column of the logits (Radford et al. 2021).

use tch::{Kind, Tensor};

use super::tiles::{Contrast, Tiles};

/// `½ [CE(L, arange) + CE(Lᵀ, arange)]`, mean over the G pairs, with L the logits.
///
/// With r and c the log-sum-exps of rows and columns, the loss is `Σ (rᵢ + cᵢ − 2 Lᵢᵢ) / 2G`, and its derivative by a
/// logit `(exp(Lᵢⱼ − rᵢ) + exp(Lᵢⱼ − cⱼ) − 2 δᵢⱼ) / 2G`. A row is whole within its tile; the columns need a pass of
/// their own before, whose logits are kept for the second one where one tile holds them all.
pub(super) fn contrast(tiles: Tiles<'_>, merge: impl FnOnce(Tensor) -> Tensor) -> Contrast {
    let (partial, mut kept) = columns(&tiles);
    let columns = merge(partial);
    let own = tiles.own_columns();
    let share = 1.0 / tiles.pairs() as f64;
    let mut loss = columns.narrow(0, own.start, own.end - own.start).sum(Kind::Double);
    let columns = columns.to_kind(Kind::Float);
    let mut sums = tiles.sums();
    for tile in tiles.ranges() {
        let mut logits = kept.take().unwrap_or_else(|| tiles.logits(&tile));
        let rows = logits.logsumexp([1i64], true);
        loss += rows.sum(Kind::Double) - tiles.diagonal(&logits, &tile).sum(Kind::Double) * 2.0;
        let mut by_logits = (&logits - rows).exp_();
        logits -= &columns;
        by_logits += logits.exp_();
        by_logits *= share / 2.0;
        let mut pairs = tiles.diagonal(&by_logits, &tile);
        pairs -= share;
        tiles.add(&mut sums, &tile, &by_logits);
    }
    let sums = tiles.finished(sums);
    Contrast {
        loss: loss * (share / 2.0),
        images: sums.images,
        texts: sums.texts,
        logit_scale: sums.logit_scale,
        logit_bias: None,
    }
}

/// Log-sum-exps of the columns over this process's rows, f64 `[G]`, and the logits where there is one tile.
fn columns(tiles: &Tiles<'_>) -> (Tensor, Option<Tensor>) {
    let mut kept = None;
    let nothing = f64::NEG_INFINITY;
    let mut columns = Tensor::full([tiles.pairs()], nothing, (Kind::Double, tiles.device()));
    for tile in tiles.ranges() {
        let logits = tiles.logits(&tile);
        columns = columns.logaddexp(&logits.logsumexp([0i64], false).to_kind(Kind::Double));
        kept = tiles.is_one().then_some(logits);
    }
    (columns, kept)
}
