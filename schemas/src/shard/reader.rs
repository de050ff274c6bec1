//! Maps a finished shard and lends its images out of the mapping.

use std::{ops::Range, path::Path, path::PathBuf, sync::Arc};

use arrow::{
    array::{Array, AsArray, BinaryViewArray, RecordBatch, RecordBatchReader, UInt16Array},
    buffer::Buffer,
    compute::concat_batches,
    datatypes::{DataType, Field, Schema, UInt16Type},
};
use bytes::Bytes;
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder},
    },
    basic::Encoding,
    column::page::{Page, PageReader},
    file::{metadata::ColumnChunkMetaData, serialized_reader::SerializedPageReader},
};

use super::{layout::ShardLayout, mapping::Mapping, texts::TextBlock};
use crate::{
    batches::all_batches,
    error::{Error, Result},
    image_column::ImageColumn,
    manifest::SCHEMA_VERSION,
};

/// A finished shard, mapped. Cheap to clone; clones share the mapping.
#[derive(Clone)]
pub struct ShardReader {
    path: Arc<PathBuf>,
    mapping: Mapping,
    bytes: Bytes,
    metadata: ArrowReaderMetadata,
    images: Arc<[ImageColumn]>,
}

/// The images of one column and row group, borrowed from the mapping.
#[derive(Clone)]
pub struct ImageBlock {
    column: ImageColumn,
    values: Values,
}

#[derive(Clone)]
enum Values {
    /// One page: rows × [`ImageColumn::fixed_bytes`].
    Fixed {
        page: Bytes,
        rows: usize,
    },
    Sized(Box<SizedValues>),
}

#[derive(Clone)]
struct SizedValues {
    values: BinaryViewArray,
    width: UInt16Array,
    height: UInt16Array,
}

/// One stored image; `bytes` lie in the mapped file.
#[derive(Clone, Copy, Debug)]
pub struct ImageRef<'a> {
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
    /// Raw RGB rows or a JPEG, as the column's encoding says.
    pub bytes: &'a [u8],
}

impl ShardReader {
    /// Maps a shard and reads its footer, nothing else.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be mapped, [`Error::Corrupt`] where it is not a shard of this schema version.
    pub fn open(path: &Path) -> Result<ShardReader> {
        let mapping = Mapping::open(path)?;
        let bytes = mapping.bytes();
        let corrupt = |error: &dyn std::fmt::Display| Error::corrupt(path, error);
        let loaded = ArrowReaderMetadata::load(&bytes, ArrowReaderOptions::new())
            .map_err(|error| corrupt(&error))?;
        let options = ArrowReaderOptions::new().with_schema(Arc::new(with_views(loaded.schema())));
        let metadata = ArrowReaderMetadata::try_new(loaded.metadata().clone(), options)
            .map_err(|error| corrupt(&error))?;
        let value = |key: &str| {
            let entries = metadata.metadata().file_metadata().key_value_metadata()?;
            entries.iter().find(|entry| entry.key == key)?.value.clone()
        };
        let version = value("clipa.schema_version")
            .ok_or_else(|| corrupt(&"a Parquet file, but not a clipa shard"))?;
        if version != SCHEMA_VERSION.to_string() {
            return Err(corrupt(&format!(
                "schema version {version}, this program reads {SCHEMA_VERSION}"
            )));
        }
        let images = ShardLayout::images_from_text(&value("clipa.images").unwrap_or_default())
            .map_err(|error| corrupt(&error))?;
        let path = Arc::new(path.to_owned());
        let reader = ShardReader { path, mapping, bytes, metadata, images: images.into() };
        reader.check_chunks()?;
        Ok(reader)
    }

    /// Every chunk lies inside the file; Parquet's own functions panic where an offset is negative.
    fn check_chunks(&self) -> Result<()> {
        let inside = |chunk: &ColumnChunkMetaData| {
            let start = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
            let end = start.checked_add(chunk.compressed_size());
            start >= 0
                && chunk.compressed_size() >= 0
                && end.is_some_and(|end| end as u64 <= self.bytes.len() as u64)
        };
        let groups = self.metadata.metadata().row_groups().iter();
        match groups.flat_map(|group| group.columns()).find(|chunk| !inside(chunk)) {
            Some(chunk) => {
                let name = chunk.column_path().string();
                Err(self.corrupt(format!("column `{name}` lies outside the file")))
            }
            None => Ok(()),
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The whole mapping.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The Arrow schema; binary image columns appear as `BinaryView`.
    pub fn schema(&self) -> &Schema {
        self.metadata.schema()
    }

    /// The image columns.
    pub fn images(&self) -> &[ImageColumn] {
        &self.images
    }

    /// Rows in all.
    pub fn rows(&self) -> u64 {
        self.metadata.metadata().file_metadata().num_rows().max(0) as u64
    }

    /// Number of row groups.
    pub fn row_groups(&self) -> usize {
        self.metadata.metadata().num_row_groups()
    }

    /// Rows of one row group.
    ///
    /// # Panics
    /// Where there is no such row group.
    pub fn row_group_rows(&self, row_group: usize) -> usize {
        self.metadata.metadata().row_group(row_group).num_rows().max(0) as usize
    }

    /// The Parquet metadata, for those who show the layout.
    pub fn parquet_metadata(&self) -> &parquet::file::metadata::ParquetMetaData {
        self.metadata.metadata()
    }

    /// The images of one row group, without copying a pixel.
    ///
    /// # Errors
    /// [`Error::MissingColumn`], [`Error::Corrupt`] where the column is not laid out as its writer does it.
    pub fn images_of(&self, row_group: usize, column: ImageColumn) -> Result<ImageBlock> {
        let rows = self.row_group_rows(row_group);
        let values = match (column.fixed_bytes(), column.size_names()) {
            (Some(value_bytes), _) => {
                let page = self.fixed_page(row_group, &column.name(), rows, value_bytes)?;
                Values::Fixed { page, rows }
            }
            (None, sizes) => {
                let (width, height) = sizes.unwrap_or_default();
                let name = column.name();
                let batch = self.columns(row_group, &[&width, &height, &name])?;
                let wrong = || self.corrupt(format!("column `{name}` has another type"));
                let of = |name: &str| batch.column_by_name(name).ok_or_else(wrong);
                let size = |name: &str| {
                    Ok(of(name)?.as_primitive_opt::<UInt16Type>().ok_or_else(wrong)?.clone())
                };
                let values = of(&name)?.as_binary_view_opt().ok_or_else(wrong)?.clone();
                let (width, height) = (size(&width)?, size(&height)?);
                Values::Sized(Box::new(SizedValues { values, width, height }))
            }
        };
        Ok(ImageBlock { column, values })
    }

    /// The one data page of a fixed-size column: rows × value_bytes, a slice of the mapping.
    fn fixed_page(
        &self,
        row_group: usize,
        name: &str,
        rows: usize,
        value_bytes: usize,
    ) -> Result<Bytes> {
        let metadata = self.metadata.metadata().row_group(row_group);
        let chunk = metadata
            .columns()
            .iter()
            .find(|chunk| matches!(chunk.column_path().parts(), [part] if part == name))
            .ok_or_else(|| self.missing(name))?;
        let unreadable =
            |error| self.corrupt(format!("row group {row_group}, column `{name}`: {error}"));
        let mut pages = SerializedPageReader::new(Arc::new(self.bytes.clone()), chunk, rows, None)
            .map_err(|error| unreadable(error.to_string()))?;
        let page = pages.get_next_page().map_err(|error| unreadable(error.to_string()))?;
        match page {
            Some(Page::DataPage { buf, encoding: Encoding::PLAIN, .. })
                if buf.len() == rows * value_bytes =>
            {
                Ok(buf)
            }
            _ => Err(unreadable("not one plain page of all its values".to_owned())),
        }
    }

    /// Token and tag columns of one row group, decoded.
    ///
    /// # Errors
    /// [`Error::MissingColumn`], [`Error::Corrupt`].
    pub fn texts_of(&self, row_group: usize, tokens: &str) -> Result<TextBlock> {
        let batch = self.columns(row_group, &[tokens, "pos"])?;
        TextBlock::from_batch(&batch, tokens)
            .ok_or_else(|| self.corrupt(format!("column `{tokens}` has another type")))
    }

    /// Any columns of one row group as one batch, in file order.
    ///
    /// # Errors
    /// [`Error::MissingColumn`], [`Error::Corrupt`].
    pub fn columns(&self, row_group: usize, names: &[&str]) -> Result<RecordBatch> {
        let mut roots = Vec::with_capacity(names.len());
        for name in names {
            roots.push(self.schema().index_of(name).map_err(|_| self.missing(name))?);
        }
        let rows = self.row_group_rows(row_group);
        let unreadable = |error: &dyn std::fmt::Display| {
            self.corrupt(format!("row group {row_group}, columns {names:?}: {error}"))
        };
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), roots);
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(
            self.bytes.clone(),
            self.metadata.clone(),
        )
        .with_row_groups(vec![row_group])
        .with_projection(mask)
        .with_batch_size(rows.max(1))
        .build()
        .map_err(|error| unreadable(&error))?;
        let schema = reader.schema();
        let mut batches = all_batches(reader).map_err(|error| unreadable(&error))?;
        let batch = match batches.len() {
            1 => batches.remove(0),
            _ => concat_batches(&schema, &batches).map_err(|error| unreadable(&error))?,
        };
        if batch.num_rows() != rows {
            return Err(unreadable(&format!("{} rows, not {rows}", batch.num_rows())));
        }
        Ok(batch)
    }

    /// Reads columns of a row group into memory and touches no byte of another one; returns when they are there.
    /// Call it before bytes are borrowed that may not be in memory yet: a page that is first touched through a
    /// borrowed slice is read alone.
    ///
    /// # Errors
    /// [`Error::MissingColumn`], [`Error::Io`].
    pub fn populate(&self, row_group: usize, names: &[impl AsRef<str>]) -> Result<()> {
        for name in names {
            let range = self.chunk_range(row_group, name.as_ref())?;
            self.mapping.populate(range).map_err(Error::io(self.path.as_path()))?;
        }
        Ok(())
    }

    /// Bytes of the file that a column of a row group occupies; a nested column's parts lie side by side.
    ///
    /// # Errors
    /// [`Error::MissingColumn`].
    pub fn chunk_range(&self, row_group: usize, name: &str) -> Result<Range<usize>> {
        let metadata = self.metadata.metadata().row_group(row_group);
        metadata
            .columns()
            .iter()
            .filter(|chunk| chunk.column_path().parts().first().is_some_and(|part| part == name))
            .map(|chunk| {
                let (start, length) = chunk.byte_range();
                start as usize..(start + length) as usize
            })
            .reduce(|all, part| all.start.min(part.start)..all.end.max(part.end))
            .ok_or_else(|| self.missing(name))
    }

    fn missing(&self, column: &str) -> Error {
        let stored: Vec<&str> =
            self.schema().fields().iter().map(|field| field.name().as_str()).collect();
        Error::MissingColumn {
            path: self.path.to_path_buf(),
            column: column.to_owned(),
            stored: stored.join(", "),
        }
    }

    fn corrupt(&self, detail: String) -> Error {
        Error::corrupt(self.path.as_path(), detail)
    }
}

impl ImageBlock {
    /// Which column this is.
    pub fn column(&self) -> ImageColumn {
        self.column
    }

    /// Number of images.
    pub fn rows(&self) -> usize {
        match &self.values {
            Values::Fixed { rows, .. } => *rows,
            Values::Sized(sized) => sized.values.len(),
        }
    }

    /// One image.
    ///
    /// # Panics
    /// Where `row` is not below [`ImageBlock::rows`].
    pub fn get(&self, row: usize) -> ImageRef<'_> {
        match &self.values {
            Values::Fixed { page, rows } => {
                let value_bytes = page.len() / (*rows).max(1);
                let side = self.column.side;
                let bytes = &page[row * value_bytes..(row + 1) * value_bytes];
                ImageRef { width: side, height: side, bytes }
            }
            Values::Sized(sized) => ImageRef {
                width: u32::from(sized.width.value(row)),
                height: u32::from(sized.height.value(row)),
                bytes: sized.values.value(row),
            },
        }
    }

    /// The block as one buffer `[N, S, S, 3]`, for fixed-size columns.
    pub fn as_buffer(&self) -> Option<Buffer> {
        match &self.values {
            Values::Fixed { page, .. } => Some(Buffer::from(page.clone())),
            Values::Sized(_) => None,
        }
    }
}

/// The schema hint that makes binary columns views into the mapping instead of copies.
fn with_views(schema: &Schema) -> Schema {
    let fields = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Binary => {
            Arc::new(Field::new(field.name(), DataType::BinaryView, field.is_nullable()))
        }
        _ => field.clone(),
    });
    Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone())
}
