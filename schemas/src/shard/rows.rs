//! Rows of a shard as samples again: what takes rows out writes the others as they were.

use arrow::datatypes::DataType;

use super::{ImageBlock, ShardLayout, ShardReader, TextBlock};
use crate::{
    error::{Error, Result},
    metadata::Metadata,
    record::Record,
    sample::{Sample, StoredImage},
    text::TokenizedText,
};

/// One row group, every column of it.
pub struct RowBlock {
    rows: usize,
    sample: <Sample as Record>::Arrays,
    metadata: <Metadata as Record>::Arrays,
    tokens: Vec<TextBlock>,
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
        Ok(RowBlock {
            rows: batch.num_rows(),
            sample: Sample::arrays(&batch).map_err(wrong)?,
            metadata: Metadata::arrays(&batch).map_err(wrong)?,
            tokens: tokens
                .iter()
                .map(|name| self.texts_of(row_group, name))
                .collect::<Result<_>>()?,
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
        let stored = self.tokens.iter().map(|block| block.get(row));
        let images = self.images.iter().map(|block| block.get(row)).map(|image| StoredImage {
            width: image.width as u16,
            height: image.height as u16,
            bytes: image.bytes.to_vec(),
        });
        Sample {
            metadata: Metadata::row(&self.metadata, row),
            pos: self.tokens.first().map(|block| block.get(row).pos.to_vec()).unwrap_or_default(),
            tokens: stored
                .map(|text| TokenizedText {
                    tokens: text.tokens.to_vec(),
                    word_tokens: text.word_tokens.to_vec(),
                    word_lengths: text.word_lengths.to_vec(),
                })
                .collect(),
            images: images.collect(),
            ..Sample::row(&self.sample, row)
        }
    }
}
