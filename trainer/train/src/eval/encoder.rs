//! Batches to embeddings of length one.

use std::path::Path;

use clipa_recipe::Precision;
use clipa_stream::Batch;
use tch::{Kind, Tensor};
use torch_ext::Autocast;

use super::{Encoded, EvalError};
use crate::{loss::normalise, model::Clip};

/// Texts that are encoded at once.
const TEXT_BATCH: usize = 256;

/// A model that encodes without a graph, in the precision of a stage.
#[derive(Clone, Copy, Debug)]
pub struct Encoder<'m> {
    /// The model.
    pub model: &'m Clip,
    /// Precision of the towers; embeddings are f32.
    pub precision: Precision,
    /// The data set, for messages.
    pub dataset: &'m Path,
}

impl Encoder<'_> {
    /// Embeddings of a batch's images, f32 `[B, E]` on the model's device; the batch returns its memory.
    ///
    /// # Errors
    /// [`EvalError::NotANumber`] with the sample; libtorch.
    pub fn images(&self, batch: Batch) -> Result<Tensor, EvalError> {
        let (rows, side, first) =
            (batch.len as i64, i64::from(batch.image_size), batch.first_sample);
        let images =
            torch_ext::from_owner(batch, |batch| &mut batch.images, &[rows, side, side, 3])?;
        let images = images.to_device(self.model.device());
        let embeddings = self.in_precision(|| self.model.encode_image(&images, None))?;
        self.checked(embeddings, Encoded::Image, first)
    }

    /// Embeddings of texts, f32 `[T, E]` on the model's device. `tokens` are the rows of `context_length` ids, the first
    /// of which is number `first` of its kind.
    ///
    /// # Errors
    /// [`EvalError::CaptionToken`] where the model has no row for an id, [`EvalError::NotANumber`]; libtorch.
    pub fn texts(
        &self,
        tokens: &[i64],
        context_length: usize,
        kind: Encoded,
        first: u64,
    ) -> Result<Tensor, EvalError> {
        let vocab_size = self.model.config().text.vocab_size;
        if let Some(place) = tokens.iter().position(|token| !(0..vocab_size).contains(token)) {
            // libtorch would look up a row that is not there.
            let (token, text) = (tokens[place], first + (place / context_length) as u64);
            return Err(EvalError::CaptionToken {
                path: self.dataset.into(),
                token,
                text,
                vocab_size,
            });
        }
        let mut parts = Vec::new();
        for (number, part) in tokens.chunks(TEXT_BATCH * context_length).enumerate() {
            let rows = (part.len() / context_length) as i64;
            let part = torch_ext::from_owned(part.to_vec(), &[rows, context_length as i64])?;
            let part = part.to_device(self.model.device());
            let embeddings = self.in_precision(|| self.model.encode_text(&part))?;
            parts.push(self.checked(embeddings, kind, first + (number * TEXT_BATCH) as u64)?);
        }
        Ok(Tensor::cat(&parts, 0))
    }

    /// Normalised, and refused where it holds anything but numbers: a rank among them would be chance.
    fn checked(&self, embeddings: Tensor, kind: Encoded, first: u64) -> Result<Tensor, EvalError> {
        let embeddings = normalise(&embeddings);
        let is_number = embeddings.isfinite().all_dim(1, false);
        if is_number.all().int64_value(&[]) == 1 {
            return Ok(embeddings);
        }
        let row = is_number.to_kind(Kind::Int64).argmin(0, false).int64_value(&[]);
        let sample = first + row.max(0) as u64;
        Err(EvalError::NotANumber { path: self.dataset.into(), kind, sample })
    }

    fn in_precision(&self, encode: impl FnOnce() -> Tensor) -> Result<Tensor, EvalError> {
        let _autocast = match self.precision {
            Precision::Bf16 => Some(Autocast::enter(self.model.device(), Kind::BFloat16)?),
            Precision::F32 => None,
        };
        let _no_grad = tch::no_grad_guard();
        Ok(encode())
    }
}

/// The numbers of a tensor, row by row.
pub(super) fn numbers<T: tch::kind::Element + Default + Clone>(tensor: &Tensor) -> Vec<T> {
    let mut values = vec![T::default(); tensor.numel()];
    let count = values.len();
    tensor.to_device(tch::Device::Cpu).contiguous().copy_data(&mut values, count);
    values
}
