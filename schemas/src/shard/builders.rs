//! Rows into Arrow columns: what a shard, and the prompts beside a classification set, are made of.

use std::sync::Arc;

use arrow::{
    array::{
        ArrayRef, BinaryBuilder, FixedSizeBinaryBuilder, Float64Builder, ListBuilder, RecordBatch,
        StringBuilder, StructArray, UInt8Builder, UInt16Builder, UInt32Builder, UInt64Builder,
    },
    datatypes::{DataType, Schema},
};

use super::layout::{ShardLayout, item_field, token_fields};
use crate::{
    error::{Error, Result},
    image_column::ImageColumn,
    sample::{Sample, StoredImage},
    text::TokenizedText,
};

/// The columns of the row group under construction.
pub(super) struct RowBuilders {
    schema: Arc<Schema>,
    key: StringBuilder,
    url: StringBuilder,
    caption: StringBuilder,
    source_offset: UInt64Builder,
    original_width: UInt32Builder,
    original_height: UInt32Builder,
    sha256: FixedSizeBinaryBuilder,
    image_hash: FixedSizeBinaryBuilder,
    similarity: Float64Builder,
    punsafe: Float64Builder,
    pwatermark: Float64Builder,
    nsfw: StringBuilder,
    license: StringBuilder,
    language: StringBuilder,
    label: UInt32Builder,
    tokens: Vec<TokenBuilders>,
    pos: ListBuilder<UInt8Builder>,
    images: Vec<ImageBuilder>,
    pub(super) rows: usize,
    pub(super) image_bytes: usize,
}

impl RowBuilders {
    pub(super) fn new(layout: &ShardLayout) -> RowBuilders {
        RowBuilders {
            schema: Arc::new(layout.schema()),
            key: StringBuilder::new(),
            url: StringBuilder::new(),
            caption: StringBuilder::new(),
            source_offset: UInt64Builder::new(),
            original_width: UInt32Builder::new(),
            original_height: UInt32Builder::new(),
            sha256: FixedSizeBinaryBuilder::new(32),
            image_hash: FixedSizeBinaryBuilder::new(32),
            similarity: Float64Builder::new(),
            punsafe: Float64Builder::new(),
            pwatermark: Float64Builder::new(),
            nsfw: StringBuilder::new(),
            license: StringBuilder::new(),
            language: StringBuilder::new(),
            label: UInt32Builder::new(),
            tokens: layout.tokens.iter().map(|_| TokenBuilders::new()).collect(),
            pos: list_builder(UInt8Builder::new(), DataType::UInt8),
            images: layout.images.iter().map(|&column| ImageBuilder::new(column)).collect(),
            rows: 0,
            image_bytes: 0,
        }
    }

    /// Appends one row, or nothing where the sample does not fit the layout.
    pub(super) fn append(&mut self, sample: &Sample) -> Result<()> {
        self.check(sample)?;
        let fixed = |error: arrow::error::ArrowError| Error::Row {
            key: sample.key.clone(),
            detail: error.to_string(),
        };
        self.key.append_value(&sample.key);
        self.url.append_option(sample.url.as_deref());
        self.caption.append_value(&sample.caption);
        self.source_offset.append_value(sample.source_offset);
        self.original_width.append_option(sample.original_width);
        self.original_height.append_option(sample.original_height);
        match &sample.sha256 {
            Some(digest) => self.sha256.append_value(digest).map_err(fixed)?,
            None => self.sha256.append_null(),
        }
        self.image_hash.append_value(sample.image_hash).map_err(fixed)?;
        self.similarity.append_option(sample.similarity);
        self.punsafe.append_option(sample.punsafe);
        self.pwatermark.append_option(sample.pwatermark);
        self.nsfw.append_option(sample.nsfw.as_deref());
        self.license.append_option(sample.license.as_deref());
        self.language.append_option(sample.language.as_deref());
        self.label.append_option(sample.label);
        for (builders, text) in self.tokens.iter_mut().zip(&sample.tokens) {
            builders.append(text);
        }
        self.pos.values().append_slice(&sample.pos);
        self.pos.append(true);
        for (builder, image) in self.images.iter_mut().zip(&sample.images) {
            builder.append(image).map_err(fixed)?;
            self.image_bytes += image.bytes.len();
        }
        self.rows += 1;
        Ok(())
    }

    fn check(&self, sample: &Sample) -> Result<()> {
        let wrong = |detail: String| Err(Error::Row { key: sample.key.clone(), detail });
        if sample.tokens.len() != self.tokens.len() {
            return wrong(format!("{} token columns", sample.tokens.len()));
        }
        if sample.images.len() != self.images.len() {
            return wrong(format!("{} images", sample.images.len()));
        }
        for (builder, image) in self.images.iter().zip(&sample.images) {
            if let Some(detail) = builder.misfit(image) {
                return wrong(detail);
            }
        }
        Ok(())
    }

    /// The rows so far as one batch; the builders are empty after it.
    pub(super) fn finish(&mut self) -> Result<RecordBatch, arrow::error::ArrowError> {
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(self.key.finish()),
            Arc::new(self.url.finish()),
            Arc::new(self.caption.finish()),
            Arc::new(self.source_offset.finish()),
            Arc::new(self.original_width.finish()),
            Arc::new(self.original_height.finish()),
            Arc::new(self.sha256.finish()),
            Arc::new(self.image_hash.finish()),
            Arc::new(self.similarity.finish()),
            Arc::new(self.punsafe.finish()),
            Arc::new(self.pwatermark.finish()),
            Arc::new(self.nsfw.finish()),
            Arc::new(self.license.finish()),
            Arc::new(self.language.finish()),
            Arc::new(self.label.finish()),
        ];
        for builders in &mut self.tokens {
            columns.push(Arc::new(builders.finish()));
        }
        columns.push(Arc::new(self.pos.finish()));
        for builder in &mut self.images {
            builder.finish(&mut columns);
        }
        (self.rows, self.image_bytes) = (0, 0);
        RecordBatch::try_new(self.schema.clone(), columns)
    }
}

/// Builders of one `Struct{tokens, word_tokens, word_lengths}` column.
pub(crate) struct TokenBuilders {
    lists: [ListBuilder<UInt16Builder>; 3],
}

impl TokenBuilders {
    pub(crate) fn new() -> TokenBuilders {
        let lists = std::array::from_fn(|_| list_builder(UInt16Builder::new(), DataType::UInt16));
        TokenBuilders { lists }
    }

    pub(crate) fn append(&mut self, text: &TokenizedText) {
        for (list, values) in
            self.lists.iter_mut().zip([&text.tokens, &text.word_tokens, &text.word_lengths])
        {
            list.values().append_slice(values);
            list.append(true);
        }
    }

    pub(crate) fn finish(&mut self) -> StructArray {
        let columns = self.lists.iter_mut().map(|list| Arc::new(list.finish()) as ArrayRef);
        StructArray::new(token_fields(), columns.collect(), None)
    }
}

pub(crate) fn list_builder<B: arrow::array::ArrayBuilder>(
    values: B,
    kind: DataType,
) -> ListBuilder<B> {
    ListBuilder::new(values).with_field(item_field(kind))
}

enum ImageBuilder {
    Fixed { bytes: usize, values: FixedSizeBinaryBuilder },
    Sized(Box<SizedBuilder>),
}

#[derive(Default)]
struct SizedBuilder {
    values: BinaryBuilder,
    width: UInt16Builder,
    height: UInt16Builder,
}

impl ImageBuilder {
    fn new(column: ImageColumn) -> ImageBuilder {
        match column.fixed_bytes() {
            Some(bytes) => {
                ImageBuilder::Fixed { bytes, values: FixedSizeBinaryBuilder::new(bytes as i32) }
            }
            None => ImageBuilder::Sized(Box::default()),
        }
    }

    fn misfit(&self, image: &StoredImage) -> Option<String> {
        match self {
            ImageBuilder::Fixed { bytes, .. } => (image.bytes.len() != *bytes)
                .then(|| format!("an image of {} bytes, not {bytes}", image.bytes.len())),
            ImageBuilder::Sized(_) => (image.width == 0 || image.height == 0)
                .then(|| "an image without pixels".to_owned()),
        }
    }

    fn append(&mut self, image: &StoredImage) -> Result<(), arrow::error::ArrowError> {
        match self {
            ImageBuilder::Fixed { values, .. } => values.append_value(&image.bytes),
            ImageBuilder::Sized(sized) => {
                sized.values.append_value(&image.bytes);
                sized.width.append_value(image.width);
                sized.height.append_value(image.height);
                Ok(())
            }
        }
    }

    fn finish(&mut self, columns: &mut Vec<ArrayRef>) {
        match self {
            ImageBuilder::Fixed { values, .. } => columns.push(Arc::new(values.finish())),
            ImageBuilder::Sized(sized) => {
                columns.push(Arc::new(sized.width.finish()));
                columns.push(Arc::new(sized.height.finish()));
                columns.push(Arc::new(sized.values.finish()));
            }
        }
    }
}
