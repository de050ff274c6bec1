//! The `NNNNN.parquet` that img2dataset writes beside `NNNNN.tar`: a row for every image it tried, also for those
//! that it did not get. Its rows and the tar's members are both in the order in which downloads ended, so they are
//! joined by key and never by position.

use std::{borrow::Cow, collections::HashMap, path::Path};

use arrow::{array::Array, compute::concat_batches, datatypes::DataType};

use super::{
    Sidecar,
    fields::{Fields, holds, is_known},
    json::Scalar,
};
use crate::foreign_table::{Column, ForeignTable, TableError};

/// Most rows of a table; img2dataset writes 10,000.
pub const MAX_TABLE_ROWS: u64 = 1 << 20;

/// Most bytes of the columns that are read, decompressed; 10,000 rows with their `exif` have about 20 MB.
pub const MAX_TABLE_BYTES: u64 = 1 << 28;

/// Names of the column that rows are joined by, in any case: img2dataset's, and WebDataset's word for it.
const KEYS: [&str; 2] = ["key", "__key__"];

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
    /// Are keys numbers there, so that the zeros in front of a tar's keys are lost?
    has_numeric_keys: bool,
    /// Known columns of a type that is not read.
    unread: Vec<String>,
    /// All columns, for messages.
    names: Vec<String>,
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
        let key = key_column(&table);
        let is_wanted = |name: &str| is_known(name) || Some(name) == key.as_deref();
        let bytes = table.decoded_bytes(is_wanted);
        if bytes > MAX_TABLE_BYTES {
            return Err(bad(format!(
                "{bytes} bytes in its columns, the limit is {MAX_TABLE_BYTES}"
            )));
        }
        let mut read = MetadataTable::without_rows(&table, key.is_some());
        let batches = table.batches(is_wanted)?.collect::<Result<Vec<_>, _>>()?;
        let Some(schema) = batches.first().map(|batch| batch.schema()) else { return Ok(read) };
        let batch = concat_batches(&schema, &batches).map_err(|error| bad(error.to_string()))?;
        for (field, array) in schema.fields().iter().zip(batch.columns()) {
            let column = Column::of(array);
            match column {
                // a column of nothing says nothing
                Column::Other if *array.data_type() == DataType::Null => {}
                Column::Other => read.unread.push(field.name().clone()),
                column => read.columns.push((field.name().clone(), column)),
            }
        }
        read.find_keys(key.as_deref(), batch.num_rows());
        Ok(read)
    }

    fn without_rows(table: &ForeignTable, has_keys: bool) -> MetadataTable {
        MetadataTable {
            columns: Vec::new(),
            rows: 0,
            by_key: HashMap::new(),
            keyless: 0,
            has_keys,
            has_numeric_keys: false,
            unread: table.nested_names().filter(|name| is_known(name)).map(str::to_owned).collect(),
            names: table.all_names().map(str::to_owned).collect(),
        }
    }

    fn find_keys(&mut self, key: Option<&str>, rows: usize) {
        let keys = self.columns.iter().find(|(name, _)| Some(name.as_str()) == key);
        let keys = keys.map(|(_, column)| column);
        self.has_numeric_keys =
            matches!(keys, Some(Column::Whole(_) | Column::Unsigned(_) | Column::Real(_)));
        let mut by_key = HashMap::with_capacity(rows);
        for row in 0..rows {
            if let Some(key) = keys.and_then(|keys| text_or_number(keys, row)) {
                by_key.entry(key.into()).or_insert(row as u32);
            }
        }
        self.rows = rows;
        self.keyless = (rows - by_key.len()) as u64;
        self.by_key = by_key;
    }

    /// The names of its columns, for a message.
    pub fn names(&self) -> String {
        self.names.join(", ")
    }

    /// A column of the table that should hold this one of the metadata and is of a type that is not read; `None` where
    /// another does.
    pub fn unread(&self, column: &str) -> Option<&str> {
        if self.columns.iter().any(|(name, _)| holds(name, column)) {
            return None;
        }
        self.unread.iter().map(String::as_str).find(|name| holds(name, column))
    }

    /// Rows in all.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The row of a sample: that of its key, or of the key's last part, where the tar has folders.
    pub fn row_of(&self, key: &str) -> Option<usize> {
        let base = key.rsplit('/').next().unwrap_or(key);
        let by = |key: &str| self.by_key.get(key).copied();
        let by_number = || {
            let is_number = !base.is_empty() && base.bytes().all(|digit| digit.is_ascii_digit());
            let digits = base.trim_start_matches('0');
            by(if digits.is_empty() { "0" } else { digits }).filter(|_| is_number)
        };
        let row = by(key).or_else(|| by(base));
        row.or_else(|| self.has_numeric_keys.then(by_number)?).map(|row| row as usize)
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

/// The column that rows are joined by.
fn key_column(table: &ForeignTable) -> Option<String> {
    let named = |name: &str| {
        let exact = table.names().find(|found| *found == name);
        exact.or_else(|| table.names().find(|found| found.eq_ignore_ascii_case(name)))
    };
    KEYS.into_iter().find_map(named).map(str::to_owned)
}

fn text_or_number(column: &Column, row: usize) -> Option<Cow<'_, str>> {
    column.text(row).map(Cow::Borrowed).or_else(|| column.number(row))
}

fn scalar(column: &Column, row: usize) -> Option<Scalar<'_>> {
    match column.text(row) {
        Some(text) => Some(Scalar::Text(Cow::Borrowed(text))),
        None => match column {
            Column::Bool(values) => values.is_valid(row).then(|| Scalar::Bool(values.value(row))),
            column => column.number(row).map(Scalar::Number),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, path::PathBuf, sync::Arc};

    use arrow::array::{
        ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float32Array, Int64Array,
        LargeStringArray, ListArray, RecordBatch, StringArray, UInt16Array,
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
        assert!(!unknown.has_keys && unknown.names() == "x");
    }

    /// pandas makes numbers of keys, and of a key's name what it likes.
    #[test]
    fn keys_are_found_as_numbers_and_under_other_names() {
        let folder = tempfile::tempdir().unwrap();
        let table_of = |columns| MetadataTable::read(&table(folder.path(), columns)).unwrap();
        let words = || Arc::new(StringArray::from(vec!["000000007", "000000120"])) as ArrayRef;
        let decimals = Decimal128Array::from(vec![7, 120]).with_precision_and_scale(12, 0).unwrap();
        let numbers = [
            Arc::new(Int64Array::from(vec![7, 120])) as ArrayRef,
            Arc::new(UInt16Array::from(vec![7, 120])),
            Arc::new(Float32Array::from(vec![7.0, 120.0])),
            Arc::new(decimals),
        ];
        for keys in numbers {
            let table = table_of(vec![("key", keys)]);
            assert_eq!(
                (table.row_of("000000120"), table.row_of("a/000000007")),
                (Some(1), Some(0))
            );
            assert_eq!((table.row_of("000000000"), table.row_of("x7")), (None, None));
        }
        for name in ["Key", "KEY", "__key__"] {
            let table = table_of(vec![(name, words())]);
            assert_eq!((table.has_keys, table.row_of("000000120")), (true, Some(1)), "{name}");
        }
        let exact = table_of(vec![
            ("Key", Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef),
            ("key", words()),
        ]);
        assert_eq!(
            (exact.row_of("000000007"), exact.row_of("7")),
            (Some(0), None),
            "words stay words"
        );
    }

    #[test]
    fn decimals_are_numbers_and_what_is_not_read_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let table_of = |columns| MetadataTable::read(&table(folder.path(), columns)).unwrap();
        let keys = || ("key", Arc::new(StringArray::from(vec!["a", "b"])) as ArrayRef);
        let decimals = Decimal128Array::from(vec![25, 31]).with_precision_and_scale(4, 2).unwrap();
        let table = table_of(vec![keys(), ("similarity", Arc::new(decimals))]);
        assert_eq!(table.sidecar(1).metadata.similarity, Some(0.31));
        assert_eq!(table.unread("similarity"), None);

        let lists = || {
            let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1)]), None]);
            Arc::new(lists) as ArrayRef
        };
        let dates = Arc::new(Date32Array::from(vec![1, 2])) as ArrayRef;
        let table = table_of(vec![keys(), ("clip_similarity_vitb32", lists()), ("punsafe", dates)]);
        assert_eq!(table.unread("similarity"), Some("clip_similarity_vitb32"));
        assert_eq!((table.unread("punsafe"), table.unread("url")), (Some("punsafe"), None));
        let scores = Arc::new(Float32Array::from(vec![0.25, 0.5])) as ArrayRef;
        let table =
            table_of(vec![keys(), ("similarity", scores), ("clip_similarity_vitb32", lists())]);
        assert_eq!(table.unread("similarity"), None, "another column has it");

        let words = Arc::new(StringArray::from(vec!["0,31", " NaN "])) as ArrayRef;
        let verdicts = Arc::new(BooleanArray::from(vec![Some(true), None])) as ArrayRef;
        let table = table_of(vec![keys(), ("similarity", words), ("NSFW", verdicts)]);
        assert_eq!(table.sidecar(0).unreadable, ["similarity", "nsfw"]);
        assert!(table.sidecar(1).unreadable.is_empty(), "nothing is said");
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
