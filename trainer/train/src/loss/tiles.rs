//! The matrix of logits, a few rows at a time.

use std::ops::Range;

use tch::{Device, Kind, Tensor};

/// Bytes of a tile of logits. 128 rows of 65,536 columns: large enough that the products run at full rate, and small
/// beside the features of so many pairs (134 MB for 512 numbers).
pub const TILE_BYTES: usize = 32 << 20;

/// A process's rows of the matrix of logits: its images against the texts of the whole batch.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'r> {
    /// Normalised features of its images, f32 `[R, E]`.
    pub images: &'r Tensor,
    /// Normalised features of all texts, f32 `[G, E]`.
    pub texts: &'r Tensor,
    /// The text that belongs to its first image; the others follow in order.
    pub first: i64,
}

/// What turns cosines into logits: `exp(logit_scale) · cosine + logit_bias`.
#[derive(Debug)]
pub struct Temperature<'t> {
    /// The scale's natural logarithm, a scalar.
    pub logit_scale: &'t Tensor,
    /// The bias, a scalar; SigLIP's loss has one.
    pub logit_bias: Option<&'t Tensor>,
}

/// A loss and its derivatives; of several processes each has a part, and the sums are the whole batch's.
#[derive(Debug)]
pub struct Contrast {
    /// The mean over the pairs of the whole batch, a scalar.
    pub loss: Tensor,
    /// By the images of the process, `[R, E]`; no other process has a part in these.
    pub images: Tensor,
    /// By the texts of the whole batch, `[G, E]`.
    pub texts: Tensor,
    /// By the logarithm of the scale, a scalar.
    pub logit_scale: Tensor,
    /// By the bias, a scalar.
    pub logit_bias: Option<Tensor>,
}

/// Logits by tiles, and the sums that every loss makes of them.
#[derive(Debug)]
pub(super) struct Tiles<'r> {
    rows: Rows<'r>,
    /// exp(logit_scale), a scalar on the device.
    scale: Tensor,
    bias: Option<Tensor>,
    tile_rows: i64,
}

/// The derivatives, as they are added up tile by tile.
#[derive(Debug)]
pub(super) struct Sums {
    pub(super) images: Tensor,
    /// Without the factor of the scale until [`Tiles::finished`].
    pub(super) texts: Tensor,
    pub(super) logit_scale: Tensor,
}

impl<'r> Tiles<'r> {
    pub(super) fn new(rows: Rows<'r>, temperature: &Temperature<'_>, tile_bytes: usize) -> Self {
        let row_bytes = rows.texts.size()[0].max(1) as usize * size_of::<f32>();
        Tiles {
            rows,
            scale: temperature.logit_scale.detach().exp(),
            bias: temperature.logit_bias.map(Tensor::detach),
            tile_rows: (tile_bytes / row_bytes).max(1) as i64,
        }
    }

    /// The tiles, as ranges of the process's rows.
    pub(super) fn ranges(&self) -> impl Iterator<Item = Range<i64>> + use<> {
        let (rows, step) = (self.rows.images.size()[0], self.tile_rows);
        (0..rows).step_by(step as usize).map(move |start| start..rows.min(start + step))
    }

    /// Is there only one tile?
    pub(super) fn is_one(&self) -> bool {
        self.tile_rows >= self.rows.images.size()[0]
    }

    /// Pairs of the whole batch.
    pub(super) fn pairs(&self) -> i64 {
        self.rows.texts.size()[0]
    }

    /// Columns that belong to the process's rows.
    pub(super) fn own_columns(&self) -> Range<i64> {
        self.rows.first..self.rows.first + self.rows.images.size()[0]
    }

    pub(super) fn device(&self) -> Device {
        self.rows.texts.device()
    }

    pub(super) fn has_bias(&self) -> bool {
        self.bias.is_some()
    }

    /// Logits `[t, G]` of a tile, in memory of their own.
    pub(super) fn logits(&self, tile: &Range<i64>) -> Tensor {
        let logits = (self.images(tile) * &self.scale).matmul(&self.rows.texts.tr());
        assert_eq!(logits.kind(), Kind::Float, "the loss is computed outside of autocast");
        match &self.bias {
            Some(bias) => logits + bias,
            None => logits,
        }
    }

    /// The logits of a tile's pairs: a view of a matrix `[t, G]`.
    pub(super) fn diagonal(&self, matrix: &Tensor, tile: &Range<i64>) -> Tensor {
        matrix.narrow(1, self.rows.first + tile.start, tile.end - tile.start).diagonal(0, 0, 1)
    }

    /// A place for the derivatives.
    pub(super) fn sums(&self) -> Sums {
        Sums {
            images: self.rows.images.empty_like(),
            texts: self.rows.texts.zeros_like(),
            logit_scale: self.zero(),
        }
    }

    /// A sum in f64 that nothing was added to.
    pub(super) fn zero(&self) -> Tensor {
        Tensor::zeros([0i64; 0], (Kind::Double, self.device()))
    }

    /// Adds what the derivatives by a tile's logits say of features and scale.
    pub(super) fn add(&self, sums: &mut Sums, tile: &Range<i64>, by_logits: &Tensor) {
        let images = self.images(tile);
        let by_images = by_logits.matmul(self.rows.texts) * &self.scale;
        // ∂/∂ln s = Σ ∂/∂logit · s·cosine, and the sum over the columns is in the images' derivatives already.
        sums.logit_scale += (&by_images * &images).sum(Kind::Double);
        sums.images.narrow(0, tile.start, tile.end - tile.start).copy_(&by_images);
        let _ = sums.texts.addmm_(&by_logits.tr(), &images);
    }

    /// The derivatives, when all tiles are in them.
    pub(super) fn finished(&self, mut sums: Sums) -> Sums {
        sums.texts *= &self.scale;
        sums
    }

    fn images(&self, tile: &Range<i64>) -> Tensor {
        self.rows.images.narrow(0, tile.start, tile.end - tile.start)
    }
}
