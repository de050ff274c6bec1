//! Retrieval between images and captions, by CLIP_benchmark's definitions.
//!
//! Image retrieval: for every caption all images are ranked; recall@K is the part of the captions whose image is among the
//! first K. Text retrieval: for every image all captions are ranked; recall@K is the part of the images of whose captions
//! any is among the first K. Both rank by the cosine of the embeddings; [`super::ranks`] says what comes first of equals.

use std::path::Path;

use clipa_recipe::Precision;
use clipa_stream::{EvalPass, StreamConfig};
use tch::Tensor;

use super::{
    Encoded, EvalError, Lengths,
    encoder::Encoder,
    ranks::{Pairs, TILE_BYTES},
};
use crate::model::Clip;

/// The places within which a right answer counts.
const RECALLED: [i64; 3] = [1, 5, 10];

/// How many of the right answers were found.
#[derive(Clone, Debug, PartialEq)]
pub struct RetrievalReport {
    /// How images and captions were read.
    pub lengths: Lengths,
    /// Images, each with at least one caption.
    pub images: u64,
    /// Captions of all of them.
    pub captions: u64,
    /// Captions whose image came among the first 1, 5, 10.
    pub images_found: [u64; 3],
    /// Images of whose captions one came among the first 1, 5, 10.
    pub captions_found: [u64; 3],
}

impl RetrievalReport {
    /// Recall@1, 5, 10 of images, in `[0, 1]`.
    pub fn image_recall(&self) -> [f64; 3] {
        self.images_found.map(|found| found as f64 / self.captions.max(1) as f64)
    }

    /// Recall@1, 5, 10 of captions, in `[0, 1]`.
    pub fn text_recall(&self) -> [f64; 3] {
        self.captions_found.map(|found| found as f64 / self.images.max(1) as f64)
    }
}

/// Evaluates a model on a set of pairs with all of its captions. Memory: the embeddings, `(images + captions) · E` numbers
/// of four bytes, and a tile of cosines.
///
/// # Errors
/// A set without captions for the model, embeddings that are no numbers; [`EvalError::Stopped`] once `goes_on` says no.
pub(super) fn retrieval(
    model: &Clip,
    dataset: &Path,
    config: StreamConfig,
    precision: Precision,
    goes_on: &dyn Fn() -> bool,
) -> Result<RetrievalReport, EvalError> {
    let lengths = Lengths {
        image_size: model.sizes().image_size,
        context_length: model.sizes().context_length,
        text_reduction: config.text,
    };
    let encoder = Encoder { model, precision, dataset };
    let context_length = config.context_length;
    let (mut images, mut texts, mut captions) = (Vec::new(), Vec::new(), Vec::new());
    let mut before = 0;
    for batch in EvalPass::with_every_caption(dataset, config)? {
        if !goes_on() {
            return Err(EvalError::Stopped);
        }
        let mut batch = batch?;
        let tokens = std::mem::take(&mut batch.tokens);
        let counts = batch.captions.take();
        captions.extend(counts.ok_or_else(|| EvalError::NoCaptions { path: dataset.into() })?);
        texts.push(encoder.texts(&tokens, context_length, Encoded::Caption, before)?);
        before += (tokens.len() / context_length) as u64;
        images.push(encoder.images(batch)?);
    }
    let pairs = Pairs { images: Tensor::cat(&images, 0), texts: Tensor::cat(&texts, 0), captions };
    drop((images, texts));
    let found =
        |ranks: &[i64]| RECALLED.map(|k| ranks.iter().filter(|&&rank| rank < k).count() as u64);
    let (of_images, of_texts) =
        (pairs.ranks_of_images(TILE_BYTES), pairs.ranks_of_texts(TILE_BYTES));
    Ok(RetrievalReport {
        lengths,
        images: of_texts.len() as u64,
        captions: of_images.len() as u64,
        images_found: found(&of_images),
        captions_found: found(&of_texts),
    })
}
