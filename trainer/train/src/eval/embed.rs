//! A data set's embeddings as a table.

use std::path::Path;

use clipa_schemas::embeddings::{EmbeddingColumns, EmbeddingRows, EmbeddingWriter};
use clipa_stream::{EvalPass, Keys};

use super::{
    Encoded, EvalError, EvalSet, Reading, Task,
    encoder::{Encoder, numbers},
};
use crate::model::Clip;

/// Rows of a table that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Embedded {
    /// Images.
    pub rows: u64,
    /// Images that have more captions than the first, which is embedded.
    pub with_more_captions: u64,
}

/// Writes the embeddings of every image of a data set, and of its first caption where it has captions, by key and in the
/// set's order ([`clipa_schemas::embeddings`]). `about` goes into the file's metadata.
///
/// # Errors
/// A file that is there already; what the data set or libtorch say. Nothing is left then.
pub fn embed(
    model: &Clip,
    set: &EvalSet,
    reading: &Reading,
    output: &Path,
    about: &[(&str, String)],
) -> Result<Embedded, EvalError> {
    let _no_grad = tch::no_grad_guard();
    let texts = set.task == Task::Retrieval;
    let width = model.config().embed_dim as usize;
    let columns = EmbeddingColumns { width, texts, labels: !texts };
    let mut table = EmbeddingWriter::create(output, columns, about)?;
    let encoder = Encoder { model, precision: reading.precision, dataset: &set.path };
    let stream = reading.evaluated().stream;
    let length = stream.context_length;
    let mut keys = Keys::open(&set.path)?;
    let mut embedded = Embedded { rows: 0, with_more_captions: 0 };
    for batch in EvalPass::with_every_caption(&set.path, stream)? {
        let mut batch = batch?;
        let first = batch.first_sample;
        let labels = batch.labels.take().unwrap_or_default();
        let captions = batch.captions.take().unwrap_or_default();
        let tokens = first_captions(&std::mem::take(&mut batch.tokens), &captions, length);
        let keys = keys.take(batch.len)?;
        embedded.rows += keys.len() as u64;
        embedded.with_more_captions += captions.iter().filter(|&&count| count > 1).count() as u64;
        let texts = match texts {
            true => numbers(&encoder.texts(&tokens, length, Encoded::Caption, first)?),
            false => Vec::new(),
        };
        table.append(EmbeddingRows {
            keys,
            labels,
            images: numbers(&encoder.images(batch)?),
            texts,
        })?;
    }
    table.finish()?;
    Ok(embedded)
}

/// Of the rows of all captions those of each image's first one.
fn first_captions(tokens: &[i64], captions: &[u32], context_length: usize) -> Vec<i64> {
    let mut rows = tokens.chunks(context_length);
    let first = captions.iter().filter_map(|&count| {
        let first = rows.next();
        if count > 1 {
            let _ = rows.nth(count as usize - 2);
        }
        first
    });
    first.flatten().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_caption_of_each_image_is_taken() {
        let tokens = [1, 1, 2, 2, 3, 3, 4, 4];
        assert_eq!(first_captions(&tokens, &[1, 2, 1], 2), [1, 1, 2, 2, 4, 4]);
    }
}
