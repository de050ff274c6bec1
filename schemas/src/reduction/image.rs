//! The image reductions of CLIPA over a grid of patches: random mask, grid mask, block mask.
//!
//! The fourth, `resize`, is the stage's smaller image size and needs no mask.

use std::{fmt, num::NonZeroU32};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{
        Error, MapAccess, Visitor,
        value::{MapAccessDeserializer, StrDeserializer},
    },
};

use crate::random::Random;

/// Which patches of an image are kept in training; evaluation keeps all.
///
/// Read from a name, `"grid"`, or a table, `{ mask = "random", drop = 0.5 }`; written as a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(tag = "mask", rename_all = "kebab-case")]
pub enum ImageReduction {
    /// All patches: the image was made smaller instead (CLIPA's `resize`, its best one).
    #[default]
    Resize,
    /// A uniformly random subset: `drop` of them is dropped (PatchDropout, FLIP).
    Random {
        /// Part that is dropped, in `[0, 1)`.
        drop: f64,
    },
    /// One random patch of every 2×2 window of the grid; windows at a ragged edge are smaller.
    Grid,
    /// One contiguous block of patches at a random place; about `drop` of the patches lie outside.
    Block {
        /// Part that is dropped, in `[0, 1)`.
        drop: f64,
    },
}

/// An image reduction as a recipe spells it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spelled {
    mask: Mask,
    drop: Option<f64>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Mask {
    Resize,
    Random,
    Grid,
    Block,
}

impl Spelled {
    fn reduction<E: Error>(self) -> Result<ImageReduction, E> {
        match (self.mask, self.drop) {
            (Mask::Resize, None) => Ok(ImageReduction::Resize),
            (Mask::Random, Some(drop)) => Ok(ImageReduction::Random { drop }),
            (Mask::Grid, None) => Ok(ImageReduction::Grid),
            (Mask::Block, Some(drop)) => Ok(ImageReduction::Block { drop }),
            (Mask::Resize, Some(_)) => {
                Err(E::custom("`resize` keeps all patches and has no `drop`"))
            }
            (Mask::Grid, Some(_)) => {
                Err(E::custom("`grid` keeps one patch of four and has no `drop`"))
            }
            (Mask::Random, None) => Err(E::custom(needs_drop("random"))),
            (Mask::Block, None) => Err(E::custom(needs_drop("block"))),
        }
    }
}

fn needs_drop(mask: &str) -> String {
    format!(
        "`{mask}` needs `drop`, the part of the patches that is dropped: \
         {{ mask = \"{mask}\", drop = 0.5 }}"
    )
}

impl<'de> Deserialize<'de> for ImageReduction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ImageReduction, D::Error> {
        deserializer.deserialize_any(ReductionVisitor)
    }
}

struct ReductionVisitor;

impl<'de> Visitor<'de> for ReductionVisitor {
    type Value = ImageReduction;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of an image reduction, or a table of `mask` and `drop`")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<ImageReduction, E> {
        let mask = Mask::deserialize(StrDeserializer::new(name))?;
        Spelled { mask, drop: None }.reduction()
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<ImageReduction, A::Error> {
        Spelled::deserialize(MapAccessDeserializer::new(table))?.reduction()
    }
}

/// Rows and columns of the patch grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Patches from top to bottom.
    pub rows: NonZeroU32,
    /// Patches from left to right.
    pub columns: NonZeroU32,
}

impl Grid {
    /// The grid of a square image; `None` where no patch fits.
    pub fn square(image_size_px: u32, patch_size_px: u32) -> Option<Grid> {
        let side = NonZeroU32::new(image_size_px.checked_div(patch_size_px)?)?;
        Some(Grid { rows: side, columns: side })
    }

    /// Number of patches.
    pub fn patches(self) -> u32 {
        self.rows.get() * self.columns.get()
    }
}

impl ImageReduction {
    /// How many patches are kept, the same for every image of a stage.
    ///
    /// Random: `max(1, int(L·(1−drop)))` in f64, as PatchDropout computes it. Grid: one per window.
    /// Block: rows × columns of [`block_shape`].
    pub fn kept_count(self, grid: Grid) -> u32 {
        match self {
            ImageReduction::Resize => grid.patches(),
            ImageReduction::Random { drop } => {
                ((f64::from(grid.patches()) * (1.0 - drop)) as u32).clamp(1, grid.patches())
            }
            ImageReduction::Grid => grid.rows.get().div_ceil(2) * grid.columns.get().div_ceil(2),
            ImageReduction::Block { drop } => {
                let (rows, columns) = block_shape(grid, drop);
                rows * columns
            }
        }
    }

    /// Does training drop any patch at all?
    pub fn is_mask(self) -> bool {
        self != ImageReduction::Resize
    }
}

/// Rows and columns of the kept block: the grid's own aspect, area nearest to `(1 − drop)` of the patches.
pub fn block_shape(grid: Grid, drop: f64) -> (u32, u32) {
    let keep = f64::from(grid.patches()) * (1.0 - drop);
    let (grid_rows, grid_columns) = (grid.rows.get(), grid.columns.get());
    let rows = ((1.0 - drop).max(0.0).sqrt() * f64::from(grid_rows)).round();
    let rows = (rows as u32).clamp(1, grid_rows);
    let columns = ((keep / f64::from(rows)).round() as u32).clamp(1, grid_columns);
    (rows, columns)
}

/// Indices of the kept patches, ascending, row-major (`row · columns + column`), class token not counted.
///
/// Always [`ImageReduction::kept_count`] of them. `seed` names sample and epoch.
pub fn kept_patches(reduction: ImageReduction, grid: Grid, seed: u64) -> Vec<u32> {
    let mut random = Random::new(seed);
    let (rows, columns) = (grid.rows.get(), grid.columns.get());
    match reduction {
        ImageReduction::Resize => (0..grid.patches()).collect(),
        ImageReduction::Random { .. } => {
            let mut wanted = reduction.kept_count(grid);
            let mut kept = Vec::with_capacity(wanted as usize);
            for patch in 0..grid.patches() {
                if random.below(u64::from(grid.patches() - patch)) < u64::from(wanted) {
                    kept.push(patch);
                    wanted -= 1;
                }
            }
            kept
        }
        ImageReduction::Grid => {
            let mut kept = Vec::with_capacity(reduction.kept_count(grid) as usize);
            for top in (0..rows).step_by(2) {
                for left in (0..columns).step_by(2) {
                    let row = top + random.below(u64::from((rows - top).min(2))) as u32;
                    let column = left + random.below(u64::from((columns - left).min(2))) as u32;
                    kept.push(row * columns + column);
                }
            }
            kept.sort_unstable();
            kept
        }
        ImageReduction::Block { drop } => {
            let (height, width) = block_shape(grid, drop);
            let top = random.below(u64::from(rows - height + 1)) as u32;
            let left = random.below(u64::from(columns - width + 1)) as u32;
            (top..top + height)
                .flat_map(|row| (left..left + width).map(move |column| row * columns + column))
                .collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn grid(rows: u32, columns: u32) -> Grid {
        Grid { rows: NonZeroU32::new(rows).unwrap(), columns: NonZeroU32::new(columns).unwrap() }
    }

    #[test]
    fn random_keeps_what_patch_dropout_keeps() {
        let count = |patches_side, drop| {
            ImageReduction::Random { drop }.kept_count(grid(patches_side, patches_side))
        };
        assert_eq!(count(16, 0.3), 179);
        assert_eq!(count(24, 0.4), 345);
        assert_eq!(count(14, 0.5), 98);
        assert_eq!(count(14, 0.75), 49);
        assert_eq!(count(1, 0.9), 1);
    }

    #[test]
    fn grid_keeps_one_patch_of_each_window() {
        let kept = kept_patches(ImageReduction::Grid, grid(5, 4), 3);
        let windows: std::collections::BTreeSet<(u32, u32)> =
            kept.iter().map(|patch| (patch / 4 / 2, patch % 4 / 2)).collect();
        assert_eq!((kept.len(), windows.len()), (6, 6));
    }

    #[test]
    fn block_is_a_rectangle_of_about_the_wanted_area() {
        let reduction = ImageReduction::Block { drop: 0.75 };
        let kept = kept_patches(reduction, grid(14, 14), 9);
        assert_eq!(kept.len(), 49);
        let (first, last) = (kept[0], kept[48]);
        assert_eq!((last / 14 - first / 14, last % 14 - first % 14), (6, 6));
    }

    proptest! {
        #[test]
        fn counts_hold_and_indices_ascend(
            rows in 1u32..20, columns in 1u32..20, drop in 0.0f64..0.99, seed: u64,
        ) {
            let grid = grid(rows, columns);
            for reduction in [
                ImageReduction::Resize,
                ImageReduction::Random { drop },
                ImageReduction::Grid,
                ImageReduction::Block { drop },
            ] {
                let kept = kept_patches(reduction, grid, seed);
                prop_assert_eq!(kept.len(), reduction.kept_count(grid) as usize);
                prop_assert!(kept.is_sorted_by(|a, b| a < b));
                prop_assert!(kept.last().unwrap() < &grid.patches());
            }
        }
    }
}
