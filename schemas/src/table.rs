//! Small Parquet tables beside the shards: written whole, read whole.

use std::{fs::File, path::Path, sync::Arc};

use arrow::{array::RecordBatch, compute::concat_batches};
use parquet::{
    arrow::{ArrowWriter, arrow_reader::ParquetRecordBatchReaderBuilder},
    basic::{Compression, ZstdLevel},
    file::properties::WriterProperties,
};

use crate::{
    batches::all_batches,
    error::{Error, Result},
    file::{AtomicFile, FileDigest},
    shard::write_error,
};

/// Writes one batch as a compressed Parquet file, whole or not at all.
pub(crate) fn write(path: &Path, name: &str, batch: &RecordBatch) -> Result<FileDigest> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .build();
    let file = AtomicFile::create(path)?;
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties))
        .map_err(|error| write_error(path, error))?;
    writer.write(batch).map_err(|error| write_error(path, error))?;
    writer.into_inner().map_err(|error| write_error(path, error))?.commit(name)
}

/// Reads a Parquet file into one batch.
pub(crate) fn read(path: &Path) -> Result<RecordBatch> {
    let corrupt = |error: &dyn std::fmt::Display| Error::corrupt(path, error);
    let file = File::open(path).map_err(Error::io(path))?;
    let builder =
        ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| corrupt(&error))?;
    let schema = Arc::clone(builder.schema());
    let reader = builder.build().map_err(|error| corrupt(&error))?;
    let batches = all_batches(reader).map_err(|error| corrupt(&error))?;
    concat_batches(&schema, &batches).map_err(|error| corrupt(&error))
}
