//! Position embeddings: the two sin-cos tables, and the resize between stages.

use tch::{Kind, Tensor};

use clipa_recipe::model::config::VisionPositions;

/// The fixed table of a square grid, row-major `[1 + side², width]`; row 0, the class token's, is zero.
///
/// With Q = width/4, a row is `[sin(x·ω), cos(x·ω), sin(y·ω), cos(y·ω)]`, x the column. ω_k = 10000^(-k/Q) in MAE and
/// clipa_torch, 10000^(-k/(Q-1)) in clipa_jax. [`VisionPositions::Learnable`] has no table; it gets MAE's.
pub fn sin_cos_2d(positions: VisionPositions, width: i64, grid_side: i64) -> Vec<f32> {
    let quarter = width / 4;
    let divisor = match positions {
        VisionPositions::SinCos2dJax => quarter - 1,
        VisionPositions::SinCos2d | VisionPositions::Learnable => quarter,
    };
    let frequencies: Vec<f64> =
        (0..quarter).map(|k| 10_000f64.powf(-(k as f64) / divisor as f64)).collect();
    let mut table = vec![0f32; width as usize];
    for y in 0..grid_side {
        for x in 0..grid_side {
            for place in [x as f64, y as f64] {
                table.extend(frequencies.iter().map(|frequency| (place * frequency).sin() as f32));
                table.extend(frequencies.iter().map(|frequency| (place * frequency).cos() as f32));
            }
        }
    }
    table
}

/// Resizes an image tower's embeddings `[1 + old², width]` to `[1 + new², width]`: the class token's row is kept,
/// the grid is interpolated bicubically with antialiasing (open_clip's `resize_pos_embed`; coefficient −0.5).
pub fn resize_vision(embeddings: &Tensor, grid_side: i64) -> Tensor {
    let (rows, width) = (embeddings.size()[0], embeddings.size()[1]);
    let old_side = ((rows - 1) as f64).sqrt() as i64;
    if old_side == grid_side {
        return embeddings.copy();
    }
    let grid = embeddings.narrow(0, 1, rows - 1).to_kind(Kind::Float);
    let grid = grid.reshape([1, old_side, old_side, width]).permute([0, 3, 1, 2]);
    let grid = grid.internal_upsample_bicubic2d_aa([grid_side, grid_side], false, None, None);
    let grid = grid.permute([0, 2, 3, 1]).reshape([grid_side * grid_side, width]);
    Tensor::cat(&[embeddings.narrow(0, 0, 1), grid.to_kind(embeddings.kind())], 0)
}

/// A parameter's tensor at a model's lengths: position embeddings of other lengths are resized, everything else is as it
/// is. `grid_side` and `context_length` are the model's. The one rule for a new stage and for an evaluation.
pub fn at_lengths(name: &str, tensor: Tensor, grid_side: i64, context_length: i64) -> Tensor {
    let rows = tensor.size().first().copied().unwrap_or_default();
    match name {
        "visual.positional_embedding" if tensor.dim() == 2 && is_square(rows - 1) => {
            resize_vision(&tensor, grid_side)
        }
        "positional_embedding" if tensor.dim() == 2 && rows > 0 => {
            resize_text(&tensor, context_length)
        }
        _ => tensor,
    }
}

/// Is it the number of places of a square grid?
pub fn is_square(count: i64) -> bool {
    let side = (count.max(0) as f64).sqrt() as i64;
    count > 0 && side * side == count
}

/// Resizes a text tower's embeddings `[old, width]` to `[new, width]`: linear, without antialiasing
/// (open_clip's `resize_text_pos_embed`).
pub fn resize_text(embeddings: &Tensor, context_length: i64) -> Tensor {
    if embeddings.size()[0] == context_length {
        return embeddings.copy();
    }
    let line = embeddings.to_kind(Kind::Float).tr().unsqueeze(0);
    let line = line.upsample_linear1d([context_length], false, None);
    line.squeeze_dim(0).tr().contiguous().to_kind(embeddings.kind())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(table: &[f32], width: usize, index: usize) -> &[f32] {
        &table[index * width..(index + 1) * width]
    }

    fn assert_near(left: &[f32], right: &[f64]) {
        assert_eq!(left.len(), right.len());
        for (index, (&l, &r)) in left.iter().zip(right).enumerate() {
            assert!((f64::from(l) - r).abs() < 1e-5, "{index}: {l} {r}");
        }
    }

    #[test]
    fn the_torch_table_has_the_golden_rows() {
        let table = sin_cos_2d(VisionPositions::SinCos2d, 16, 3);
        assert_eq!(table.len(), 10 * 16);
        let one = [0.841471, 0.099833, 0.01, 0.001, 0.540302, 0.995004, 0.99995, 1.0];
        let zero = [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0];
        assert_near(row(&table, 16, 0), &[0.0; 16]);
        assert_near(row(&table, 16, 2), &[one, zero].concat());
        assert_near(row(&table, 16, 5), &[one, one].concat());
    }

    #[test]
    fn the_jax_table_ends_at_one_ten_thousandth() {
        let table = sin_cos_2d(VisionPositions::SinCos2dJax, 16, 3);
        let frequencies = [1.0, 10_000f64.powf(-1.0 / 3.0), 10_000f64.powf(-2.0 / 3.0), 1e-4];
        let mut expected: Vec<f64> = frequencies.iter().map(|f| f.sin()).collect();
        expected.extend(frequencies.iter().map(|f| f.cos()));
        assert_near(&row(&table, 16, 2)[..8], &expected);
    }

    /// The rule of facts on torch's antialiased bicubic, written out for one axis.
    fn bicubic_weights(old: i64, new: i64, place: i64) -> Vec<(usize, f64)> {
        let cubic = |x: f64| {
            let (x, a) = (x.abs(), -0.5);
            if x < 1.0 {
                ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
            } else if x < 2.0 {
                (((x - 5.0) * x + 8.0) * x - 4.0) * a
            } else {
                0.0
            }
        };
        let scale = old as f64 / new as f64;
        let stretch = scale.max(1.0);
        let (support, centre) = (2.0 * stretch, scale * (place as f64 + 0.5));
        let first = ((centre - support + 0.5) as i64).max(0);
        let last = ((centre + support + 0.5) as i64).min(old);
        let weights: Vec<f64> =
            (first..last).map(|j| cubic((j as f64 - centre + 0.5) / stretch)).collect();
        let total: f64 = weights.iter().sum();
        (first as usize..).zip(weights.into_iter().map(|weight| weight / total)).collect()
    }

    #[test]
    fn vision_embeddings_follow_the_antialiased_bicubic() {
        for (old, new) in [(4i64, 14i64), (14, 4), (7, 5)] {
            let values: Vec<f32> =
                (0..(1 + old * old)).map(|i| (i as f32 * 0.7).sin() + 0.1).collect();
            let resized = resize_vision(&Tensor::from_slice(&values).reshape([-1, 1]), new);
            assert_eq!(resized.size(), [1 + new * new, 1]);
            assert_eq!(resized.double_value(&[0, 0]), f64::from(values[0]));
            for y in 0..new {
                for x in 0..new {
                    let mut expected = 0.0;
                    for (row, down) in bicubic_weights(old, new, y) {
                        for (column, across) in bicubic_weights(old, new, x) {
                            let value = values[1 + row * old as usize + column];
                            expected += down * across * f64::from(value);
                        }
                    }
                    let got = resized.double_value(&[1 + y * new + x, 0]);
                    assert!(
                        (got - expected).abs() < 1e-5,
                        "{old}->{new} {y},{x}: {got} {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn text_embeddings_are_interpolated_linearly() {
        let ramp =
            |rows: i64| Tensor::arange(rows, (Kind::Float, tch::Device::Cpu)).reshape([-1, 1]);
        let at = |tensor: &Tensor, row: i64| tensor.double_value(&[row, 0]);
        let longer = resize_text(&ramp(8), 32);
        assert_eq!(longer.size(), [32, 1]);
        for (row, expected) in
            [(0, 0.0), (1, 0.0), (2, 0.125), (3, 0.375), (4, 0.625), (29, 6.875), (30, 7.0)]
        {
            assert!((at(&longer, row) - expected).abs() < 1e-6, "{row}");
        }
        let shorter = resize_text(&ramp(77), 32);
        for (row, expected) in [(0, 0.703_125), (1, 3.109_375), (2, 5.515_625)] {
            assert!((at(&shorter, row) - expected).abs() < 1e-5, "{row}");
        }
    }

    #[test]
    fn the_same_size_changes_nothing() {
        let embeddings = Tensor::randn([17, 8], (Kind::Float, tch::Device::Cpu));
        assert_eq!(resize_vision(&embeddings, 4), embeddings);
        assert_eq!(resize_text(&embeddings, 17), embeddings);
    }
}
