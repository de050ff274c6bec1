//! Rows of a shard as samples again: what takes rows out writes the others as they were.

use arrow::{array::AsArray, datatypes::DataType};

use super::{CaptionBlock, ImageBlock, ShardLayout, ShardReader};
use crate::{
    error::{Error, Result},
    metadata::Metadata,
    record::Record,
    sample::{Sample, StoredImage},
    text::{EncodedText, StoredText, TokenizedText},
};

/// One row group, every column of it.
pub struct RowBlock {
    rows: usize,
    sample: <Sample as Record>::Arrays,
    metadata: <Metadata as Record>::Arrays,
    tokens: Vec<CaptionBlock>,
    images: Vec<ImageBlock>,
}

impl ShardReader {
    /// The columns that the shard has besides those that every shard has.
    pub fn layout(&self) -> ShardLayout {
        let structs = |kind: &DataType| matches!(kind, DataType::Struct(_));
        let fields = self.schema().fields().iter().filter(|field| structs(field.data_type()));
        let tokens = fields.map(|field| field.name().clone()).collect();
        ShardLayout { images: self.images().to_vec(), tokens }
    }

    /// One row group with all its columns.
    ///
    /// # Errors
    /// [`Error::MissingColumn`], [`Error::Corrupt`].
    pub fn rows_of(&self, row_group: usize) -> Result<RowBlock> {
        let ShardLayout { images, tokens } = self.layout();
        let batch = self.columns(row_group, &[Sample::COLUMNS, Metadata::COLUMNS].concat())?;
        let wrong = |name| Error::corrupt(self.path(), format!("column `{name}` has another type"));
        let captions = batch.column_by_name("captions").and_then(|list| list.as_list_opt::<i32>());
        let tokens: Vec<CaptionBlock> =
            tokens.iter().map(|name| self.captions_of(row_group, name)).collect::<Result<_>>()?;
        if !tokens.iter().all(|block| captions.is_some_and(|captions| block.is_beside(captions))) {
            return Err(Error::corrupt(self.path(), "captions without tokens of their own"));
        }
        Ok(RowBlock {
            rows: batch.num_rows(),
            sample: Sample::arrays(&batch).map_err(wrong)?,
            metadata: Metadata::arrays(&batch).map_err(wrong)?,
            tokens,
            images: images
                .into_iter()
                .map(|column| self.images_of(row_group, column))
                .collect::<Result<_>>()?,
        })
    }
}

impl RowBlock {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// One row, as its writer got it.
    ///
    /// # Panics
    /// Where `row` is not below [`RowBlock::rows`].
    pub fn sample(&self, row: usize) -> Sample {
        let images = self.images.iter().map(|block| block.get(row)).map(|image| StoredImage {
            width: image.width as u16,
            height: image.height as u16,
            bytes: image.bytes.to_vec(),
        });
        let sample = Sample::row(&self.sample, row);
        let captions = sample.captions.as_ref().map_or(0, Vec::len);
        let EncodedText { tokens, pos } = self.encoded(|block| block.first().get(row));
        Sample {
            metadata: Metadata::row(&self.metadata, row),
            pos,
            tokens,
            captions_text: (0..captions)
                .map(|caption| self.encoded(|block| block.captions(row).get(caption)))
                .collect(),
            images: images.collect(),
            ..sample
        }
    }

    /// One caption, of which `text` has the columns of one tokenizer.
    fn encoded<'b>(&'b self, text: impl Fn(&'b CaptionBlock) -> StoredText<'b>) -> EncodedText {
        let texts: Vec<StoredText<'_>> = self.tokens.iter().map(text).collect();
        EncodedText {
            pos: texts.first().map(|text| text.pos.to_vec()).unwrap_or_default(),
            tokens: texts
                .into_iter()
                .map(|text| TokenizedText {
                    tokens: text.tokens.to_vec(),
                    word_tokens: text.word_tokens.to_vec(),
                    word_lengths: text.word_lengths.to_vec(),
                })
                .collect(),
        }
    }
}
