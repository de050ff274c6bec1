//! How far down the right answers stand when everything is ranked, without the matrix of all with all.
//!
//! ```text
//!              N images                              M texts
//!           ┌────────────┐                        ┌────────────────┐
//!   a tile  │ cosines    │  rank of the text's    │ cosines        │  rank of the image's
//!   of texts│            │  image                 │ a tile of      │  best caption
//!           └────────────┘                        │ images         │
//!                                                 └────────────────┘
//! ```
//! A rank counts what has a greater cosine, and what has an equal one and stands before it in the data set: of equals the
//! earlier comes first, as in a stable sort. So equal embeddings, of a model that has collapsed, do not count as hits.

use tch::{Kind, Tensor};

use super::encoder::numbers;

/// Bytes of a tile of cosines; masks and places beside it need up to four times as much.
pub const TILE_BYTES: usize = 32 << 20;

/// Embeddings of a data set, of length one, and which texts belong to which image.
#[derive(Debug)]
pub struct Pairs {
    /// f32 `[N, E]`.
    pub images: Tensor,
    /// f32 `[M, E]`, image by image.
    pub texts: Tensor,
    /// `[N]`; texts of each image, at least one.
    pub captions: Vec<u32>,
}

impl Pairs {
    /// Rank of each text's image among all images, `[M]`; 0 is the best.
    ///
    /// # Panics
    /// An image without a text.
    pub fn ranks_of_images(&self, tile_bytes: usize) -> Vec<i64> {
        let _no_grad = tch::no_grad_guard();
        let count = self.images.size()[0];
        let places = places(count, &self.images);
        let owners = self.owners();
        let transposed = self.images.tr();
        let tile = |first: i64, rows: i64| {
            let cosines = self.texts.narrow(0, first, rows).matmul(&transposed);
            let owner = owners.narrow(0, first, rows).unsqueeze(1);
            let right = cosines.gather(1, &owner, false);
            before(&cosines, &right, &places, &owner)
        };
        by_tiles(self.texts.size()[0], count, tile_bytes, tile)
    }

    /// Rank of the best of each image's texts among all texts, `[N]`; 0 is the best.
    ///
    /// # Panics
    /// An image without a text.
    pub fn ranks_of_texts(&self, tile_bytes: usize) -> Vec<i64> {
        let _no_grad = tch::no_grad_guard();
        let count = self.texts.size()[0];
        let images = places(self.images.size()[0], &self.images);
        let places = places(count, &self.texts);
        let owners = self.owners().unsqueeze(0);
        let transposed = self.texts.tr();
        let tile = |first: i64, rows: i64| {
            let cosines = self.images.narrow(0, first, rows).matmul(&transposed);
            let own = owners.eq_tensor(&images.narrow(1, first, rows).tr());
            let best = cosines.masked_fill(&own.logical_not(), f64::NEG_INFINITY).amax(1, true);
            let is_best = own.logical_and(&cosines.eq_tensor(&best));
            let place = places.expand_as(&cosines).masked_fill(&is_best.logical_not(), count);
            before(&cosines, &best, &places, &place.amin(1, true))
        };
        by_tiles(self.images.size()[0], count, tile_bytes, tile)
    }

    /// Image of each text, `[M]`.
    fn owners(&self) -> Tensor {
        assert!(self.captions.iter().all(|&count| count > 0), "an image without a caption");
        let owners = self.captions.iter().enumerate();
        let owners = owners.flat_map(|(image, &count)| (0..count).map(move |_| image as i64));
        Tensor::from_slice(&owners.collect::<Vec<i64>>()).to_device(self.texts.device())
    }
}

/// `[1, count]`: 0, 1, 2, ...
fn places(count: i64, beside: &Tensor) -> Tensor {
    Tensor::arange(count, (Kind::Int64, beside.device())).unsqueeze(0)
}

/// How many of each row stand before the one of cosine `right` `[R, 1]` at `place` `[R, 1]`.
fn before(cosines: &Tensor, right: &Tensor, places: &Tensor, place: &Tensor) -> Tensor {
    let earlier = cosines.eq_tensor(right).logical_and(&places.lt_tensor(place));
    let before = cosines.gt_tensor(right).logical_or(&earlier);
    before.sum_dim_intlist(1i64, false, Kind::Int64)
}

/// Puts together what `tile` says of the rows from a first one on.
fn by_tiles(
    rows: i64,
    columns: i64,
    tile_bytes: usize,
    tile: impl Fn(i64, i64) -> Tensor,
) -> Vec<i64> {
    let of_tile = (tile_bytes / (4 * columns.max(1) as usize)).max(1);
    let tiles = (0..rows).step_by(of_tile);
    tiles.flat_map(|first| numbers(&tile(first, (of_tile as i64).min(rows - first)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::normalise;

    /// Rows of numbers that are exact in f32 and whose products are, too, so that the order of sums does not matter.
    fn embeddings(rows: i64, seed: i64) -> Tensor {
        let values: Vec<f32> =
            (0..rows * 4).map(|n| (((n + seed) * 7919 % 13) - 6) as f32 / 8.0).collect();
        Tensor::from_slice(&values).view([rows, 4])
    }

    /// Sorts everything with everything, as the definition says.
    fn directly(pairs: &Pairs) -> (Vec<i64>, Vec<i64>) {
        let rows = |tensor: &Tensor| -> Vec<Vec<f32>> {
            numbers::<f32>(tensor).chunks(4).map(<[f32]>::to_vec).collect()
        };
        let (images, texts) = (rows(&pairs.images), rows(&pairs.texts));
        let owners: Vec<usize> = pairs
            .captions
            .iter()
            .enumerate()
            .flat_map(|(image, &count)| vec![image; count as usize])
            .collect();
        let order = |one: &[f32], all: &[Vec<f32>]| -> Vec<usize> {
            let cosine = |other: &Vec<f32>| -> f32 {
                one.iter().zip(other).map(|(left, right)| left * right).sum()
            };
            let mut order: Vec<usize> = (0..all.len()).collect();
            order.sort_by(|&left, &right| cosine(&all[right]).total_cmp(&cosine(&all[left])));
            order
        };
        let place = |order: Vec<usize>, is_right: &dyn Fn(usize) -> bool| {
            order.into_iter().position(is_right).unwrap() as i64
        };
        let of_images = texts.iter().zip(&owners);
        let of_images =
            of_images.map(|(text, &owner)| place(order(text, &images), &|image| image == owner));
        let of_texts = images.iter().enumerate();
        let of_texts =
            of_texts.map(|(image, row)| place(order(row, &texts), &|text| owners[text] == image));
        (of_images.collect(), of_texts.collect())
    }

    #[test]
    fn ranks_are_those_of_sorting_everything_whatever_the_tiles() {
        for (images, seed) in [(1, 0), (7, 3), (40, 5)] {
            let captions: Vec<u32> = (0..images).map(|image| 1 + (image * 5 % 4) as u32).collect();
            let texts = captions.iter().sum::<u32>().into();
            let pairs = Pairs {
                images: embeddings(images, seed),
                texts: embeddings(texts, seed + 11),
                captions,
            };
            let expected = directly(&pairs);
            assert!(images == 1 || expected.0.iter().any(|&rank| rank > 0));
            for tile_bytes in [1, 4 * 3 * texts as usize, TILE_BYTES] {
                let found = (pairs.ranks_of_images(tile_bytes), pairs.ranks_of_texts(tile_bytes));
                assert_eq!(found, expected, "{images} images, tiles of {tile_bytes} bytes");
            }
        }
    }

    /// Of equals the earlier comes first: a model that sees nothing finds one image, not all of them.
    #[test]
    fn equal_embeddings_rank_in_the_sets_order() {
        let ones = |rows: i64| Tensor::ones([rows, 4], (Kind::Float, tch::Device::Cpu));
        let pairs = Pairs {
            images: normalise(&ones(5)),
            texts: normalise(&ones(10)),
            captions: vec![2; 5],
        };
        assert_eq!(pairs.ranks_of_images(TILE_BYTES), [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
        assert_eq!(pairs.ranks_of_texts(TILE_BYTES), [0, 2, 4, 6, 8]);
    }
}
