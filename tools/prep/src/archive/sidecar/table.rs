//! The `NNNNN.parquet` that img2dataset writes beside `NNNNN.tar`: a row for every image it tried, also for those
//! that it did not get. Its rows and the tar's members are both in the order in which downloads ended, so they are
//! joined by key and never by position.

use std::{borrow::Cow, collections::HashMap, path::Path};

use arrow::compute::concat_batches;

use super::{
    Sidecar,
    fields::{Fields, is_known},
    json::Scalar,
};
use crate::foreign_table::{Column, ForeignTable, TableError};

/// Most rows of a table; img2dataset writes 10,000.
pub const MAX_TABLE_ROWS: u64 = 1 << 20;

/// Most bytes of the columns that are read, decompressed; 10,000 rows with their `exif` have about 20 MB.
pub const MAX_TABLE_BYTES: u64 = 1 << 28;

/// The column that rows are joined by.
const KEY: &str = "key";

/// The metadata of a tar in memory, found by key.
#[derive(Debug)]
pub struct MetadataTable {
    columns: Vec<(String, Column)>,
    rows: usize,
    /// The first row of each key.
    by_key: HashMap<Box<str>, u32>,
    /// Rows whose key another row has already, or that have none.
    pub keyless: u64,
    /// Is there a column `key`?
    pub has_keys: bool,
}

/// What img2dataset says became of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Its image is in the tar.
    InTar,
    /// There is no image; why.
    NotDownloaded {
        /// `failed_to_download`, `failed_to_resize`.
        status: String,
        /// Why.
        error: Option<String>,
    },
}

impl MetadataTable {
    /// Reads the columns that the mapping knows.
    ///
    /// # Errors
    /// The table is unreadable, or larger than [`MAX_TABLE_ROWS`] or [`MAX_TABLE_BYTES`].
    pub fn read(path: &Path) -> Result<MetadataTable, TableError> {
        let table = ForeignTable::open(path)?;
        let bad = |detail: String| TableError::Bad { path: path.to_owned(), detail };
        if table.rows() > MAX_TABLE_ROWS {
            return Err(bad(format!("{} rows, the limit is {MAX_TABLE_ROWS}", table.rows())));
        }
        let bytes = table.decoded_bytes(is_known);
        if bytes > MAX_TABLE_BYTES {
            return Err(bad(format!(
                "{bytes} bytes in its columns, the limit is {MAX_TABLE_BYTES}"
            )));
        }
        let batches = table.batches(is_known)?.collect::<Result<Vec<_>, _>>()?;
        let Some(schema) = batches.first().map(|batch| batch.schema()) else {
            return Ok(MetadataTable::of_columns(
                Vec::new(),
                0,
                table.names().any(|name| name == KEY),
            ));
        };
        let batch = concat_batches(&schema, &batches).map_err(|error| bad(error.to_string()))?;
        let names = schema.fields().iter().map(|field| field.name().clone());
        let columns: Vec<_> = names.zip(batch.columns().iter().map(Column::of)).collect();
        let has_keys = columns.iter().any(|(name, _)| name == KEY);
        Ok(MetadataTable::of_columns(columns, batch.num_rows(), has_keys))
    }

    fn of_columns(columns: Vec<(String, Column)>, rows: usize, has_keys: bool) -> MetadataTable {
        let mut by_key = HashMap::with_capacity(rows);
        let keys = columns.iter().find(|(name, _)| name == KEY).map(|(_, column)| column);
        for row in 0..rows {
            if let Some(key) = keys.and_then(|keys| text_or_number(keys, row)) {
                by_key.entry(key.into()).or_insert(row as u32);
            }
        }
        let keyless = (rows - by_key.len()) as u64;
        MetadataTable { columns, rows, by_key, keyless, has_keys }
    }

    /// Rows in all.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The row of a sample: that of its key, or of the key's last part, where the tar has folders.
    pub fn row_of(&self, key: &str) -> Option<usize> {
        let base = key.rsplit('/').next().unwrap_or(key);
        self.by_key.get(key).or_else(|| self.by_key.get(base)).map(|&row| row as usize)
    }

    /// The key of every row that is found by it, with its row.
    pub fn keys(&self) -> impl Iterator<Item = (&str, usize)> {
        self.by_key.iter().map(|(key, &row)| (&**key, row as usize))
    }

    /// All that a row says.
    pub fn sidecar(&self, row: usize) -> Sidecar {
        let fields = self.columns.iter().map(|(name, column)| {
            (Cow::Borrowed(name.as_str()), scalar(column, row).unwrap_or(Scalar::Null))
        });
        Fields(fields.collect()).sidecar("table")
    }

    /// What became of a row; without a column `status` every image is in the tar.
    pub fn fate(&self, row: usize) -> Fate {
        let text = |name: &str| {
            let (_, column) = self.columns.iter().find(|(found, _)| found == name)?;
            column.text(row)
        };
        match text("status") {
            None | Some("success") => Fate::InTar,
            Some(status) => Fate::NotDownloaded {
                status: status.to_owned(),
                error: text("error_message").map(str::to_owned),
            },
        }
    }
}

fn text_or_number(column: &Column, row: usize) -> Option<Cow<'_, str>> {
    column.text(row).map(Cow::Borrowed).or_else(|| column.number(row))
}

fn scalar(column: &Column, row: usize) -> Option<Scalar<'_>> {
    match column.text(row) {
        Some(text) => Some(Scalar::Text(Cow::Borrowed(text))),
        None => column.number(row).map(Scalar::Number),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, path::PathBuf, sync::Arc};

    use arrow::array::{
        ArrayRef, BooleanArray, Float32Array, Int64Array, LargeStringArray, ListArray, RecordBatch,
        StringArray, UInt16Array,
    };
    use arrow::datatypes::Int32Type;
    use parquet::arrow::ArrowWriter;

    use super::*;

    fn table(folder: &Path, columns: Vec<(&str, ArrayRef)>) -> PathBuf {
        let path = folder.join("a.parquet");
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let file = File::create(&path).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        path
    }

    #[test]
    fn any_type_of_number_and_text_is_read_and_nan_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1)]), None]);
        let path = table(
            folder.path(),
            vec![
                ("key", Arc::new(LargeStringArray::from(vec!["a", "b"])) as ArrayRef),
                ("SAMPLE_ID", Arc::new(Int64Array::from(vec![i64::MAX, 1])) as ArrayRef),
                ("WIDTH", Arc::new(UInt16Array::from(vec![Some(640), None])) as ArrayRef),
                ("HEIGHT", Arc::new(StringArray::from(vec!["480", "x"])) as ArrayRef),
                ("similarity", Arc::new(Float32Array::from(vec![f32::NAN, 0.5])) as ArrayRef),
                ("TEXT", Arc::new(Int64Array::from(vec![2012, 7])) as ArrayRef),
                ("NSFW", Arc::new(BooleanArray::from(vec![true, false])) as ArrayRef),
                ("face_bboxes", Arc::new(lists) as ArrayRef),
            ],
        );
        let table = MetadataTable::read(&path).unwrap();
        assert_eq!((table.rows(), table.keyless, table.has_keys), (2, 0, true));
        let row = table.row_of("train/a").unwrap();
        let one = table.sidecar(row);
        assert_eq!((one.key.as_deref(), one.metadata.original_width), (Some("a"), Some(640)));
        assert_eq!((one.metadata.original_height, one.metadata.similarity), (Some(480), None));
        assert_eq!((&*one.captions[0].text, &*one.captions[0].source), ("2012", "table:TEXT"));
        assert_eq!((one.captions.len(), one.metadata.nsfw), (1, None));
        let other = table.sidecar(table.row_of("b").unwrap());
        assert_eq!((other.metadata.original_width, other.metadata.original_height), (None, None));
        assert_eq!(other.metadata.similarity, Some(0.5));
        assert_eq!((table.row_of("c"), table.fate(0)), (None, Fate::InTar));
    }

    #[test]
    fn a_table_without_keys_or_rows_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let urls = || Arc::new(StringArray::from(vec!["u", "v"])) as ArrayRef;
        let table_of = |columns| MetadataTable::read(&table(folder.path(), columns)).unwrap();
        let keyless = table_of(vec![("url", urls())]);
        assert_eq!((keyless.has_keys, keyless.rows(), keyless.row_of("u")), (false, 2, None));
        let none = table_of(vec![("key", Arc::new(StringArray::new_null(0)) as ArrayRef)]);
        assert_eq!((none.has_keys, none.rows()), (true, 0));
        let unknown = table_of(vec![("x", urls())]);
        assert!(!unknown.has_keys);
    }

    /// A dictionary of one text of 64 KB, which 40,000 rows repeat: copies of it would not fit into one column.
    #[test]
    fn one_long_value_repeated_is_not_copied() {
        let folder = tempfile::tempdir().unwrap();
        let long = "x".repeat(1 << 16);
        let path = folder.path().join("a.parquet");
        let schema = Arc::new(arrow::datatypes::Schema::new(vec![arrow::datatypes::Field::new(
            "caption",
            arrow::datatypes::DataType::Utf8,
            false,
        )]));
        let file = File::create(&path).unwrap();
        let mut writer = ArrowWriter::try_new(file, Arc::clone(&schema), None).unwrap();
        for _ in 0..400 {
            let column = Arc::new(StringArray::from(vec![long.as_str(); 100])) as ArrayRef;
            writer
                .write(&RecordBatch::try_new(Arc::clone(&schema), vec![column]).unwrap())
                .unwrap();
        }
        writer.close().unwrap();
        let table = MetadataTable::read(&path).unwrap();
        assert_eq!(table.rows(), 40_000);
        assert_eq!(table.sidecar(39_999).captions[0].text.len(), 1 << 16);
    }

    proptest::proptest! {
        #[test]
        fn a_damaged_table_is_an_error_or_a_table(
            at in proptest::prelude::any::<proptest::sample::Index>(), bits in 1u8.., cut: bool,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let text = |texts: Vec<&str>| Arc::new(StringArray::from(texts)) as ArrayRef;
            let columns = vec![
                ("key", text(vec!["a", "b", "c"])),
                ("url", text(vec!["u", "u", "w"])),
                ("similarity", Arc::new(Float32Array::from(vec![0.25, 0.5, 0.75])) as ArrayRef),
            ];
            let path = table(folder.path(), columns);
            let mut bytes = std::fs::read(&path).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= bits;
            if cut {
                bytes.truncate(at);
            }
            std::fs::write(&path, bytes).unwrap();
            if let Ok(table) = MetadataTable::read(&path) {
                for row in 0..table.rows() {
                    let _ = (table.sidecar(row), table.fate(row));
                }
            }
        }
    }

    #[test]
    fn tables_beyond_the_limits_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let many = Int64Array::from(vec![0; MAX_TABLE_ROWS as usize + 1]);
        let path = table(folder.path(), vec![("key", Arc::new(many) as ArrayRef)]);
        let error = MetadataTable::read(&path).unwrap_err().to_string();
        assert!(error.contains("1048577 rows"), "{error}");
    }
}
