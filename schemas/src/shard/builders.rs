//! Rows into Arrow columns: what a shard, and the prompts beside a classification set, are made of.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, ListBuilder, UInt8Builder, UInt16Builder},
    datatypes::DataType,
};

use super::{
    caption_builders::CaptionBuilders,
    image_chunk::ImageChunk,
    layout::{ShardLayout, in_file_order},
    token_builders::{TokenBuilders, list_builder},
};
use crate::{
    error::{Error, Result},
    image_column::ImageColumn,
    metadata::Metadata,
    record::Record,
    sample::{Sample, StoredImage},
};

/// The columns of the row group under construction.
pub(super) struct RowBuilders {
    sample: <Sample as Record>::Builders,
    metadata: <Metadata as Record>::Builders,
    tokens: Vec<TokenBuilders>,
    pos: ListBuilder<UInt8Builder>,
    captions: CaptionBuilders,
    images: Vec<ImageBuilder>,
    pub(super) rows: usize,
    pub(super) image_bytes: usize,
}

impl RowBuilders {
    /// Image columns fill `buffers`, as far as there are any.
    pub(super) fn new(layout: &ShardLayout, buffers: ShardBuffers) -> RowBuilders {
        let mut buffers = buffers.0.into_iter();
        let mut image = |&column| ImageBuilder::new(column, buffers.next().unwrap_or_default());
        RowBuilders {
            sample: Sample::builders(),
            metadata: Metadata::builders(),
            tokens: layout.tokens.iter().map(|_| TokenBuilders::new()).collect(),
            pos: list_builder(UInt8Builder::new(), DataType::UInt8),
            captions: CaptionBuilders::new(layout.tokens.len()),
            images: layout.images.iter().map(&mut image).collect(),
            rows: 0,
            image_bytes: 0,
        }
    }

    /// Appends one row, or nothing where the sample does not fit the layout.
    pub(super) fn append(&mut self, sample: &Sample) -> Result<()> {
        self.check(sample)?;
        let refused = |error: arrow::error::ArrowError| Error::Row {
            key: sample.key.clone(),
            detail: error.to_string(),
        };
        sample.append(&mut self.sample).map_err(refused)?;
        sample.metadata.append(&mut self.metadata).map_err(refused)?;
        for (builders, text) in self.tokens.iter_mut().zip(&sample.tokens) {
            builders.append(text);
        }
        self.pos.values().append_slice(&sample.pos);
        self.pos.append(true);
        self.captions.append(&sample.captions_text);
        for (builder, image) in self.images.iter_mut().zip(&sample.images) {
            builder.append(image);
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
        if let Some(detail) = self.captions.misfit(sample) {
            return wrong(detail);
        }
        for (builder, image) in self.images.iter().zip(&sample.images) {
            if let Some(detail) = builder.misfit(image) {
                return wrong(detail);
            }
        }
        Ok(())
    }

    /// The columns of the rows so far, in the schema's order; call [`RowBuilders::clear_images`] when they are written.
    pub(super) fn finish(&mut self) -> Vec<Column<'_>> {
        let sample = Sample::finish(&mut self.sample);
        let metadata = Metadata::finish(&mut self.metadata);
        let mut columns: Vec<Column<'_>> =
            in_file_order(sample, metadata).into_iter().map(Column::Array).collect();
        columns.extend(self.tokens.iter_mut().map(|builders| Column::array(builders.finish())));
        columns.push(Column::array(self.pos.finish()));
        columns.extend(self.captions.finish().map(Column::array));
        for image in &mut self.images {
            if let Some(sizes) = &mut image.sizes {
                columns.extend(sizes.iter_mut().map(|size| Column::array(size.finish())));
            }
            columns.push(Column::Image(&image.chunk));
        }
        (self.rows, self.image_bytes) = (0, 0);
        columns
    }

    /// Empties the image columns; their memory is kept.
    pub(super) fn clear_images(&mut self) {
        self.images.iter_mut().for_each(|image| image.chunk.clear());
    }

    /// The image columns' memory.
    pub(super) fn into_buffers(self) -> ShardBuffers {
        ShardBuffers(self.images.into_iter().map(|image| image.chunk.into_buffer()).collect())
    }
}

/// Memory of a finished shard's image columns, for the next shard: fresh memory costs more to touch than to fill.
#[derive(Debug, Default)]
pub struct ShardBuffers(Vec<Vec<u8>>);

/// A column of a row group that is ready to be written.
pub(super) enum Column<'a> {
    /// Written by the crate `parquet`.
    Array(ArrayRef),
    /// Already in its final form.
    Image(&'a ImageChunk),
}

impl Column<'_> {
    fn array(array: impl Array + 'static) -> Self {
        Column::Array(Arc::new(array))
    }
}

/// An image column and, where its sizes vary, their columns.
struct ImageBuilder {
    chunk: ImageChunk,
    sizes: Option<[UInt16Builder; 2]>,
}

impl ImageBuilder {
    fn new(column: ImageColumn, buffer: Vec<u8>) -> ImageBuilder {
        let fixed_bytes = column.fixed_bytes();
        let sizes = fixed_bytes.is_none().then(Default::default);
        ImageBuilder { chunk: ImageChunk::new(fixed_bytes, buffer), sizes }
    }

    fn misfit(&self, image: &StoredImage) -> Option<String> {
        if self.sizes.is_some() && (image.width == 0 || image.height == 0) {
            return Some("an image without pixels".to_owned());
        }
        self.chunk.misfit(image.bytes.len())
    }

    fn append(&mut self, image: &StoredImage) {
        self.chunk.append(&image.bytes);
        if let Some([width, height]) = &mut self.sizes {
            width.append_value(image.width);
            height.append_value(image.height);
        }
    }
}
