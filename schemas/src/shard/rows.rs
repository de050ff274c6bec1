//! Rows of a shard as samples again: what takes rows out writes the others as they were.

use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::{DataType, Float64Type, UInt32Type, UInt64Type},
};

use super::{ImageBlock, ShardLayout, ShardReader, TextBlock};
use crate::{
    error::{Error, Result},
    sample::{Sample, StoredImage},
    text::TokenizedText,
};

/// One row group, every column of it.
pub struct RowBlock {
    shared: RecordBatch,
    tokens: Vec<TextBlock>,
    images: Vec<ImageBlock>,
}

/// The columns that every shard has, as [`ShardLayout::schema`] names them.
const SHARED: [&str; 15] = [
    "key",
    "url",
    "caption",
    "source_offset",
    "original_width",
    "original_height",
    "sha256",
    "image_hash",
    "similarity",
    "punsafe",
    "pwatermark",
    "nsfw",
    "license",
    "language",
    "label",
];

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
        let shared = self.columns(row_group, &SHARED)?;
        let expected = ShardLayout::default().schema();
        for name in SHARED {
            let kind = |found: Option<&DataType>| found.cloned();
            let found = shared.column_by_name(name).map(|column| column.data_type());
            let wanted = expected.field_with_name(name).ok().map(|field| field.data_type());
            if kind(found) != kind(wanted) {
                let detail = format!("column `{name}` has another type");
                return Err(Error::corrupt(self.path(), detail));
            }
        }
        Ok(RowBlock {
            shared,
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
        self.shared.num_rows()
    }

    /// One row, as its writer got it.
    ///
    /// # Panics
    /// Where `row` is not below [`RowBlock::rows`].
    pub fn sample(&self, row: usize) -> Sample {
        let hash = |name: &str| -> Option<[u8; 32]> {
            let column = self.shared[name].as_fixed_size_binary();
            column.is_valid(row).then(|| column.value(row))?.try_into().ok()
        };
        let text = |name: &str| {
            let column = self.shared[name].as_string::<i32>();
            column.is_valid(row).then(|| column.value(row).to_owned())
        };
        let real = |name: &str| {
            let column = self.shared[name].as_primitive::<Float64Type>();
            column.is_valid(row).then(|| column.value(row))
        };
        let whole = |name: &str| {
            let column = self.shared[name].as_primitive::<UInt32Type>();
            column.is_valid(row).then(|| column.value(row))
        };
        let stored = self.tokens.iter().map(|block| block.get(row));
        let images = self.images.iter().map(|block| block.get(row)).map(|image| StoredImage {
            width: image.width as u16,
            height: image.height as u16,
            bytes: image.bytes.to_vec(),
        });
        Sample {
            key: text("key").unwrap_or_default(),
            url: text("url"),
            caption: text("caption").unwrap_or_default(),
            source_offset: self.shared["source_offset"].as_primitive::<UInt64Type>().value(row),
            original_width: whole("original_width"),
            original_height: whole("original_height"),
            sha256: hash("sha256"),
            image_hash: hash("image_hash").unwrap_or_default(),
            similarity: real("similarity"),
            punsafe: real("punsafe"),
            pwatermark: real("pwatermark"),
            nsfw: text("nsfw"),
            license: text("license"),
            language: text("language"),
            label: whole("label"),
            pos: self.tokens.first().map(|block| block.get(row).pos.to_vec()).unwrap_or_default(),
            tokens: stored
                .map(|text| TokenizedText {
                    tokens: text.tokens.to_vec(),
                    word_tokens: text.word_tokens.to_vec(),
                    word_lengths: text.word_lengths.to_vec(),
                })
                .collect(),
            images: images.collect(),
        }
    }
}
