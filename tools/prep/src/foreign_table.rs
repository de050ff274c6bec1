//! Parquet that others wrote: metadata beside tars, lists of URLs. Nothing in it is trusted.
//!
//! Only the columns that are asked for are decoded, batch by batch; text stays where the page holds it, so that a
//! dictionary with one long value cannot become gigabytes; what its footer declares is checked first; and a parser
//! that stumbles costs an error, not the run. Types that a program noted beside Parquet's own are passed over.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, Read, Seek},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::{
    array::{
        Array, ArrayRef, AsArray, BinaryViewArray, BooleanArray, FixedSizeBinaryArray,
        Float64Array, Int64Array, RecordBatch, StringViewArray, UInt64Array,
    },
    compute::cast,
    datatypes::{DataType, Field, Float64Type, Int64Type, Schema, UInt64Type},
};
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{
            ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
            ParquetRecordBatchReaderBuilder,
        },
    },
    basic::Compression,
    file::metadata::ColumnChunkMetaData,
};
use thiserror::Error;

use clipa_talk::printable;

/// Rows decoded at once.
const BATCH_ROWS: usize = 8192;

/// Why a table cannot be read.
#[derive(Debug, Error)]
pub enum TableError {
    /// The system refuses.
    #[error("cannot open {}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Damaged, no Parquet, or beyond a limit.
    #[error("cannot read {}: {detail}", path.display())]
    Bad {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
}

/// A Parquet file of another program, its footer read.
pub struct ForeignTable {
    path: PathBuf,
    file: File,
    metadata: ArrowReaderMetadata,
}

/// The chosen columns of a table, a batch of rows after the other.
pub struct Batches<'t> {
    table: &'t ForeignTable,
    reader: ParquetRecordBatchReader,
}

/// A column whose type is one of few.
#[derive(Clone, Debug)]
pub enum Column {
    /// Strings.
    Text(StringViewArray),
    /// Bytes, of any length.
    Bytes(BinaryViewArray),
    /// Bytes, all of one length.
    Fixed(FixedSizeBinaryArray),
    /// Signed numbers of any width.
    Whole(Int64Array),
    /// Unsigned numbers of any width.
    Unsigned(UInt64Array),
    /// Real numbers of any width.
    Real(Float64Array),
    /// Yes or no.
    Bool(BooleanArray),
    /// Dates, lists and the like.
    Other,
}

impl ForeignTable {
    /// Opens a table and reads its footer.
    ///
    /// # Errors
    /// It cannot be opened, is no Parquet, or its footer contradicts its length.
    pub fn open(path: &Path) -> Result<ForeignTable, TableError> {
        let open_error = |source| TableError::Open { path: path.to_owned(), source };
        let file = File::open(path).map_err(open_error)?;
        let length = file.metadata().map_err(open_error)?.len();
        refuse_other_kinds(path, &file, length)?;
        let metadata = guarded(path, || {
            let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
            let loaded = ArrowReaderMetadata::load(&file, options.clone())?;
            let schema = Arc::new(with_views(loaded.schema()));
            ArrowReaderMetadata::try_new(loaded.metadata().clone(), options.with_schema(schema))
        })?;
        let table = ForeignTable { path: path.to_owned(), file, metadata };
        table.check_chunks(length)?;
        Ok(table)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Rows in all, as the footer says.
    pub fn rows(&self) -> u64 {
        self.metadata.metadata().file_metadata().num_rows().max(0) as u64
    }

    /// Names of the columns that are no list or struct.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let flat = |field: &&Arc<Field>| !field.data_type().is_nested();
        self.metadata.schema().fields().iter().filter(flat).map(|field| field.name().as_str())
    }

    /// Names of all columns.
    pub fn all_names(&self) -> impl Iterator<Item = &str> {
        self.metadata.schema().fields().iter().map(|field| field.name().as_str())
    }

    /// Names of the columns that are lists or structs, which are not read.
    pub fn nested_names(&self) -> impl Iterator<Item = &str> {
        let nested = |field: &&Arc<Field>| field.data_type().is_nested();
        self.metadata.schema().fields().iter().filter(nested).map(|field| field.name().as_str())
    }

    /// Bytes of the wanted columns once they are decompressed, as the footer says.
    pub fn decoded_bytes(&self, wanted: impl Fn(&str) -> bool) -> u64 {
        self.chunks()
            .filter(|chunk| matches!(chunk.column_path().parts(), [name] if wanted(name)))
            .map(|chunk| chunk.uncompressed_size().max(0) as u64)
            .fold(0, u64::saturating_add)
    }

    /// Starts to read the wanted columns.
    ///
    /// # Errors
    /// The table is damaged.
    pub fn batches(&self, wanted: impl Fn(&str) -> bool) -> Result<Batches<'_>, TableError> {
        self.refuse_codecs(&wanted)?;
        let fields = self.metadata.schema().fields().iter().enumerate();
        let roots: Vec<usize> = fields
            .filter(|(_, field)| !field.data_type().is_nested() && wanted(field.name()))
            .map(|(root, _)| root)
            .collect();
        let file = self
            .file
            .try_clone()
            .map_err(|source| TableError::Open { path: self.path.clone(), source })?;
        let reader = guarded(&self.path, || {
            let mask = ProjectionMask::roots(self.metadata.parquet_schema(), roots);
            ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone())
                .with_projection(mask)
                .with_batch_size(BATCH_ROWS)
                .build()
        })?;
        Ok(Batches { table: self, reader })
    }

    /// A wanted column whose compression is none of those that are read.
    fn refuse_codecs(&self, wanted: impl Fn(&str) -> bool) -> Result<(), TableError> {
        let is_unread = |chunk: &&ColumnChunkMetaData| {
            matches!(chunk.column_path().parts(), [name] if wanted(name))
                && matches!(chunk.compression(), Compression::LZO)
        };
        match self.chunks().find(is_unread) {
            Some(chunk) => {
                let detail = format!(
                    "column `{}` is compressed with {}, which is not read: write the table again with zstd, snappy or gzip",
                    printable(&chunk.column_path().string()),
                    chunk.compression()
                );
                Err(TableError::Bad { path: self.path.clone(), detail })
            }
            None => Ok(()),
        }
    }

    fn chunks(&self) -> impl Iterator<Item = &ColumnChunkMetaData> {
        self.metadata.metadata().row_groups().iter().flat_map(|group| group.columns())
    }

    /// Every chunk lies inside the file.
    fn check_chunks(&self, length: u64) -> Result<(), TableError> {
        let inside = |chunk: &ColumnChunkMetaData| {
            let start = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
            let end = start.checked_add(chunk.compressed_size());
            start >= 0
                && chunk.compressed_size() >= 0
                && end.is_some_and(|end| end as u64 <= length)
        };
        match self.chunks().find(|chunk| !inside(chunk)) {
            Some(chunk) => {
                let detail =
                    format!("column `{}` lies outside the file", chunk.column_path().string());
                Err(TableError::Bad { path: self.path.clone(), detail })
            }
            None => Ok(()),
        }
    }
}

impl Iterator for Batches<'_> {
    type Item = Result<RecordBatch, TableError>;

    fn next(&mut self) -> Option<Self::Item> {
        guarded(&self.table.path, || self.reader.next().transpose()).transpose()
    }
}

impl Column {
    /// The column as one of few types; [`Column::Other`] where it is none of them.
    pub fn of(array: &ArrayRef) -> Column {
        let as_type = |kind| cast(array, &kind).unwrap_or_else(|_| Arc::clone(array));
        let column = match array.data_type() {
            DataType::Utf8View => array.as_string_view_opt().cloned().map(Column::Text),
            DataType::BinaryView => array.as_binary_view_opt().cloned().map(Column::Bytes),
            DataType::FixedSizeBinary(_) => {
                array.as_fixed_size_binary_opt().cloned().map(Column::Fixed)
            }
            DataType::Boolean => array.as_boolean_opt().cloned().map(Column::Bool),
            kind if kind.is_signed_integer() => {
                as_type(DataType::Int64).as_primitive_opt::<Int64Type>().cloned().map(Column::Whole)
            }
            kind if kind.is_unsigned_integer() => as_type(DataType::UInt64)
                .as_primitive_opt::<UInt64Type>()
                .cloned()
                .map(Column::Unsigned),
            // also DECIMAL: a score that was rounded on purpose
            kind if kind.is_floating() || kind.is_decimal() => as_type(DataType::Float64)
                .as_primitive_opt::<Float64Type>()
                .cloned()
                .map(Column::Real),
            _ => None,
        };
        column.unwrap_or(Column::Other)
    }

    /// Is there nothing in this row? Not known of [`Column::Other`].
    pub fn is_null(&self, row: usize) -> bool {
        match self {
            Column::Text(values) => values.is_null(row),
            Column::Bytes(values) => values.is_null(row),
            Column::Fixed(values) => values.is_null(row),
            Column::Whole(values) => values.is_null(row),
            Column::Unsigned(values) => values.is_null(row),
            Column::Real(values) => values.is_null(row) || values.value(row).is_nan(),
            Column::Bool(values) => values.is_null(row),
            Column::Other => false,
        }
    }

    /// The text of a row; bytes count where they are UTF-8.
    pub fn text(&self, row: usize) -> Option<&str> {
        match self {
            Column::Text(values) => values.is_valid(row).then(|| values.value(row)),
            _ => std::str::from_utf8(self.bytes(row)?).ok(),
        }
    }

    /// The bytes of a row.
    pub fn bytes(&self, row: usize) -> Option<&[u8]> {
        match self {
            Column::Bytes(values) => values.is_valid(row).then(|| values.value(row)),
            Column::Fixed(values) => values.is_valid(row).then(|| values.value(row)),
            _ => None,
        }
    }

    /// The number of a row, as it is written; NaN is none.
    pub fn number(&self, row: usize) -> Option<Cow<'static, str>> {
        let number = match self {
            Column::Whole(values) => values.is_valid(row).then(|| values.value(row).to_string()),
            Column::Unsigned(values) => values.is_valid(row).then(|| values.value(row).to_string()),
            Column::Real(values) => values
                .is_valid(row)
                .then(|| values.value(row))
                .filter(|number| number.is_finite())
                .map(|number| number.to_string()),
            _ => None,
        };
        number.map(Cow::Owned)
    }
}

/// Files that are there under a table's name and are none.
fn refuse_other_kinds(path: &Path, file: &File, length: u64) -> Result<(), TableError> {
    let bad = |detail: &str| TableError::Bad { path: path.to_owned(), detail: detail.to_owned() };
    if length == 0 {
        return Err(bad("the file is empty"));
    }
    let mut start = Vec::new();
    let mut reader = file;
    let read = reader.take(4).read_to_end(&mut start).and_then(|_| reader.rewind());
    read.map_err(|source| TableError::Open { path: path.to_owned(), source })?;
    match start.as_slice() {
        b"PAR1" => Ok(()),
        b"PARE" => Err(bad("it is encrypted: write it again without")),
        _ => Err(bad("it is no Parquet file: those begin with PAR1")),
    }
}

/// Runs a piece of the parser; a panic in it is an error.
fn guarded<T, E: std::fmt::Display>(
    path: &Path,
    parse: impl FnOnce() -> Result<T, E>,
) -> Result<T, TableError> {
    let bad = |detail: String| TableError::Bad { path: path.to_owned(), detail };
    match catch_unwind(AssertUnwindSafe(parse)) {
        Ok(result) => result.map_err(|error| bad(error.to_string())),
        Err(_) => Err(bad("the Parquet reader panicked".to_owned())),
    }
}

/// Strings and bytes as views into their pages.
fn with_views(schema: &Schema) -> Schema {
    let fields = schema.fields().iter().map(|field| {
        let kind = match field.data_type() {
            DataType::Utf8 => DataType::Utf8View,
            DataType::Binary => DataType::BinaryView,
            _ => return Arc::clone(field),
        };
        Arc::new(Field::new(field.name(), kind, field.is_nullable()))
    });
    Schema::new(fields.collect::<Vec<_>>())
}
