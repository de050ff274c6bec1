//! Parquet tables as img2dataset writes them beside its tars.

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// Writes rows (JSON objects) as a table; a field that a row lacks is null. Compressed as pyarrow does by default.
pub fn write_table(path: &Path, rows: &[Value]) {
    let names: BTreeSet<&String> =
        rows.iter().flat_map(|row| row.as_object().expect("a row is an object").keys()).collect();
    let columns = names.into_iter().map(|name| (name, column(rows, name)));
    let batch = RecordBatch::try_from_iter(columns).expect("columns of one length");
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let file = File::create(path).expect("the table can be created");
    let mut writer =
        ArrowWriter::try_new(file, batch.schema(), Some(properties)).expect("a Parquet writer");
    writer.write(&batch).expect("the rows can be written");
    writer.close().expect("the table can be finished");
}

fn column(rows: &[Value], name: &str) -> ArrayRef {
    let values = || rows.iter().map(|row| &row[name]);
    if values().all(|value| value.is_null() || value.is_i64()) {
        return Arc::new(values().map(Value::as_i64).collect::<Int64Array>());
    }
    if values().all(|value| value.is_null() || value.is_number()) {
        return Arc::new(values().map(Value::as_f64).collect::<Float64Array>());
    }
    Arc::new(values().map(Value::as_str).collect::<StringArray>())
}
