//! Appends samples to a shard that becomes visible whole or not at all.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::datatypes::Schema;
use parquet::{
    arrow::{
        ArrowWriter,
        arrow_writer::{ArrowRowGroupWriterFactory, compute_leaves},
    },
    errors::ParquetError,
    file::writer::SerializedFileWriter,
};

use super::{
    builders::{Column, RowBuilders, ShardBuffers},
    layout::{ROW_GROUP_IMAGE_BYTES, ROW_GROUP_ROWS, ShardLayout},
};
use crate::{
    error::{Error, Result},
    file::AtomicFile,
    ledger::ShardDigest,
    sample::Sample,
};

/// Writes one shard: temporary name, fsync, rename. Dropped before [`ShardWriter::finish`] it leaves nothing.
///
/// Holds one row group in memory, at most [`ROW_GROUP_IMAGE_BYTES`] of images and [`ROW_GROUP_ROWS`] rows. The bytes
/// depend on samples and layout alone.
pub struct ShardWriter {
    writer: SerializedFileWriter<AtomicFile>,
    columns: ArrowRowGroupWriterFactory,
    schema: Arc<Schema>,
    builders: RowBuilders,
    path: PathBuf,
    row_groups: Vec<u32>,
}

impl ShardWriter {
    /// Begins a shard at `path`.
    ///
    /// # Errors
    /// [`Error::Io`] where the folder cannot be written.
    pub fn create(path: &Path, layout: &ShardLayout) -> Result<ShardWriter> {
        ShardWriter::create_with(path, layout, ShardBuffers::default())
    }

    /// The same, filling the memory of an earlier shard.
    ///
    /// # Errors
    /// Those of [`ShardWriter::create`].
    pub fn create_with(
        path: &Path,
        layout: &ShardLayout,
        buffers: ShardBuffers,
    ) -> Result<ShardWriter> {
        let file = AtomicFile::create(path)?;
        let schema = Arc::new(layout.schema());
        let (writer, columns) =
            ArrowWriter::try_new(file, Arc::clone(&schema), Some(layout.writer_properties()))
                .and_then(ArrowWriter::into_serialized_writer)
                .map_err(|error| write_error(path, error))?;
        Ok(ShardWriter {
            writer,
            columns,
            schema,
            builders: RowBuilders::new(layout, buffers),
            path: path.to_owned(),
            row_groups: Vec::new(),
        })
    }

    /// Appends one row.
    ///
    /// # Errors
    /// [`Error::Row`] where the sample does not fit the layout (nothing is appended then), [`Error::Io`] where a
    /// full row group cannot be written.
    pub fn append(&mut self, sample: &Sample) -> Result<()> {
        self.builders.append(sample)?;
        if self.builders.rows == ROW_GROUP_ROWS
            || self.builders.image_bytes >= ROW_GROUP_IMAGE_BYTES
        {
            self.end_row_group()?;
        }
        Ok(())
    }

    fn end_row_group(&mut self) -> Result<()> {
        let rows = self.builders.rows as u32;
        if rows == 0 {
            return Ok(());
        }
        self.write_row_group().map_err(|error| write_error(&self.path, error))?;
        self.builders.clear_images();
        self.row_groups.push(rows);
        Ok(())
    }

    fn write_row_group(&mut self) -> Result<(), ParquetError> {
        let leaves = self.writer.schema_descr().columns().to_vec();
        let mut leaf = 0;
        let mut encoders = self.columns.create_column_writers(self.row_groups.len())?.into_iter();
        let mut row_group = self.writer.next_row_group()?;
        for (field, column) in self.schema.fields().iter().zip(self.builders.finish()) {
            match column {
                Column::Array(array) => {
                    for part in compute_leaves(field, &array)? {
                        let mut encoder = encoders.next().ok_or_else(too_few_leaves)?;
                        encoder.write(&part)?;
                        encoder.close()?.append_to_row_group(&mut row_group)?;
                        leaf += 1;
                    }
                }
                Column::Image(chunk) => {
                    // arrow's own encoder of this column stays unused
                    encoders.next().ok_or_else(too_few_leaves)?;
                    let (chunk, close) = chunk.finished(Arc::clone(&leaves[leaf]))?;
                    row_group.append_column(&chunk, close)?;
                    leaf += 1;
                }
            }
        }
        row_group.close()?;
        Ok(())
    }

    /// Rows appended so far.
    pub fn rows(&self) -> u64 {
        self.row_groups.iter().map(|&rows| u64::from(rows)).sum::<u64>() + self.builders.rows as u64
    }

    /// Ends the shard, which then has its name; `name` is its path in the manifest.
    ///
    /// # Errors
    /// [`Error::Io`]; nothing is left then.
    pub fn finish(self, name: impl Into<String>) -> Result<ShardDigest> {
        self.finish_with(name).map(|(digest, _)| digest)
    }

    /// The same; also returns the memory for the next shard.
    ///
    /// # Errors
    /// Those of [`ShardWriter::finish`].
    pub fn finish_with(mut self, name: impl Into<String>) -> Result<(ShardDigest, ShardBuffers)> {
        self.end_row_group()?;
        let file = self.writer.into_inner().map_err(|error| write_error(&self.path, error))?;
        let file = file.commit(name)?;
        let rows = self.row_groups.iter().map(|&rows| u64::from(rows)).sum();
        let digest = ShardDigest { file, rows, row_groups: self.row_groups };
        Ok((digest, self.builders.into_buffers()))
    }
}

fn too_few_leaves() -> ParquetError {
    ParquetError::General("fewer Parquet columns than fields".to_owned())
}

/// The operating system's reason out of what Parquet wraps around it.
pub(crate) fn write_error(path: &Path, error: ParquetError) -> Error {
    let source = match error {
        ParquetError::External(inner) => match inner.downcast::<std::io::Error>() {
            Ok(io) => *io,
            Err(other) => std::io::Error::other(other.to_string()),
        },
        other => std::io::Error::other(other.to_string()),
    };
    Error::Io { path: path.into(), source }
}
