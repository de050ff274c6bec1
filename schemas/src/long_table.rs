//! Long Parquet tables: written row group by row group, whole or not at all, and never over a file that is there.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, FixedSizeListArray, PrimitiveArray, RecordBatch},
    datatypes::{ArrowPrimitiveType, DataType, Field, SchemaRef},
};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    file::{metadata::KeyValue, properties::WriterProperties},
};

use crate::{
    error::{Error, Result},
    file::{AtomicFile, FileDigest},
    shard::write_error,
};

/// Rows of a row group.
const ROW_GROUP_ROWS: usize = 8192;

/// A table under construction; dropped before [`LongTable::finish`] it leaves nothing.
pub(crate) struct LongTable {
    writer: ArrowWriter<AtomicFile>,
    schema: SchemaRef,
    path: PathBuf,
}

impl LongTable {
    /// Begins a table; `about` are facts of the whole table, kept in the file's metadata.
    pub(crate) fn create(
        path: &Path,
        schema: SchemaRef,
        about: &[(&str, String)],
    ) -> Result<LongTable> {
        refuse_existing(path)?;
        let about =
            about.iter().map(|(key, value)| KeyValue::new((*key).to_owned(), value.clone()));
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            // Numbers of embeddings hardly repeat, and keys never do.
            .set_dictionary_enabled(false)
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_key_value_metadata(Some(about.collect()))
            .build();
        let file = AtomicFile::create(path)?;
        let writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties))
            .map_err(|error| write_error(path, error))?;
        Ok(LongTable { writer, schema, path: path.to_owned() })
    }

    /// Appends rows, a column each in the schema's order.
    pub(crate) fn append(&mut self, columns: Vec<ArrayRef>) -> Result<()> {
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .map_err(|error| Error::corrupt(&self.path, error))?;
        self.writer.write(&batch).map_err(|error| write_error(&self.path, error))
    }

    /// Ends the table, which then has its name.
    pub(crate) fn finish(self) -> Result<FileDigest> {
        let LongTable { writer, path, .. } = self;
        let file = writer.into_inner().map_err(|error| write_error(&path, error))?;
        refuse_existing(&path)?;
        file.commit(path.file_name().unwrap_or_default().to_string_lossy())
    }
}

fn refuse_existing(path: &Path) -> Result<()> {
    if path.symlink_metadata().is_err() {
        return Ok(());
    }
    let why = "it is there already, and nothing is overwritten";
    let source = io::Error::new(io::ErrorKind::AlreadyExists, why);
    Err(Error::Io { path: path.into(), source })
}

/// The type of a list of `length` numbers in every row.
pub(crate) fn vector_type(kind: DataType, length: usize) -> DataType {
    DataType::FixedSizeList(Arc::new(Field::new("item", kind, false)), length as i32)
}

/// Rows of `length` numbers each, one after the other in `values`.
pub(crate) fn vectors<T: ArrowPrimitiveType>(
    path: &Path,
    values: Vec<T::Native>,
    length: usize,
) -> Result<ArrayRef>
where
    PrimitiveArray<T>: From<Vec<T::Native>>,
{
    let item = Arc::new(Field::new("item", T::DATA_TYPE, false));
    let values = Arc::new(PrimitiveArray::<T>::from(values));
    let array = FixedSizeListArray::try_new(item, length as i32, values, None);
    Ok(Arc::new(array.map_err(|error| Error::corrupt(path, error))?))
}
