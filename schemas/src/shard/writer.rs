//! Appends samples to a shard that becomes visible whole or not at all.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use parquet::{arrow::ArrowWriter, errors::ParquetError};

use super::{
    builders::RowBuilders,
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
/// Holds one row group in memory, at most [`ROW_GROUP_IMAGE_BYTES`] of images and [`ROW_GROUP_ROWS`] rows, twice
/// while it is being written. The bytes depend on samples and layout alone.
pub struct ShardWriter {
    writer: ArrowWriter<AtomicFile>,
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
        let file = AtomicFile::create(path)?;
        let schema = Arc::new(layout.schema());
        let writer = ArrowWriter::try_new(file, schema, Some(layout.writer_properties()))
            .map_err(|error| write_error(path, error))?;
        Ok(ShardWriter {
            writer,
            builders: RowBuilders::new(layout),
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
        let batch = self.builders.finish().map_err(|error| Error::corrupt(&self.path, error))?;
        self.writer
            .write(&batch)
            .and_then(|()| self.writer.flush())
            .map_err(|error| write_error(&self.path, error))?;
        self.row_groups.push(rows);
        Ok(())
    }

    /// Rows appended so far.
    pub fn rows(&self) -> u64 {
        self.row_groups.iter().map(|&rows| u64::from(rows)).sum::<u64>() + self.builders.rows as u64
    }

    /// Ends the shard and gives it its name; `name` is its path in the manifest.
    ///
    /// # Errors
    /// [`Error::Io`]; nothing is left then.
    pub fn finish(mut self, name: impl Into<String>) -> Result<ShardDigest> {
        self.end_row_group()?;
        let file = self.writer.into_inner().map_err(|error| write_error(&self.path, error))?;
        let file = file.commit(name)?;
        let rows = self.row_groups.iter().map(|&rows| u64::from(rows)).sum();
        Ok(ShardDigest { file, rows, row_groups: self.row_groups })
    }
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
