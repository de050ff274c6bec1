//! `rejects/00000.parquet`: every sample that did not become a row, with enough to find it again.

use std::{path::Path, sync::Arc};

use arrow::{
    array::{AsArray, RecordBatch, StringArray, UInt64Array},
    datatypes::{DataType, Field, Schema, UInt64Type},
};

use crate::{
    error::{Error, Result},
    file::FileDigest,
    table,
};

/// One rejected sample.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reject {
    /// The input as it was named.
    pub source: String,
    /// Byte offset of the image's data (of the first member, where there is no image) in the source.
    pub offset: Option<u64>,
    /// As found.
    pub key: String,
    /// Machine-readable reason, the same word as in the ledger.
    pub reason: String,
    /// What exactly was wrong, for a person.
    pub detail: String,
    /// Where the image came from.
    pub url: Option<String>,
    /// As found.
    pub caption: Option<String>,
}

/// Writes the rejects of a unit, whole or not at all. `name` is the path in its entry.
///
/// # Errors
/// [`Error::Io`].
pub fn write(path: &Path, name: &str, rejects: &[Reject]) -> Result<FileDigest> {
    let text = |name: &str, nullable| Field::new(name, DataType::Utf8, nullable);
    let schema = Schema::new(vec![
        text("source", false),
        Field::new("offset", DataType::UInt64, true),
        text("key", false),
        text("reason", false),
        text("detail", false),
        text("url", true),
        text("caption", true),
    ]);
    let strings = |of: fn(&Reject) -> Option<&str>| {
        Arc::new(rejects.iter().map(of).collect::<StringArray>()) as arrow::array::ArrayRef
    };
    let offsets: UInt64Array = rejects.iter().map(|reject| reject.offset).collect();
    let columns = vec![
        strings(|reject| Some(&reject.source)),
        Arc::new(offsets),
        strings(|reject| Some(&reject.key)),
        strings(|reject| Some(&reject.reason)),
        strings(|reject| Some(&reject.detail)),
        strings(|reject| reject.url.as_deref()),
        strings(|reject| reject.caption.as_deref()),
    ];
    let batch = RecordBatch::try_new(Arc::new(schema), columns)
        .map_err(|error| Error::corrupt(path, error))?;
    table::write(path, name, &batch)
}

/// Reads the rejects of a unit.
///
/// # Errors
/// [`Error::Io`], [`Error::Corrupt`].
pub fn read(path: &Path) -> Result<Vec<Reject>> {
    let batch = table::read(path)?;
    let missing = |name: &str| Error::corrupt(path, format!("column `{name}` is not there"));
    let text = |name: &str| -> Result<Vec<Option<String>>> {
        let column = batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
        let column = column.ok_or_else(|| missing(name))?;
        Ok(column.iter().map(|value| value.map(str::to_owned)).collect())
    };
    let offsets = batch
        .column_by_name("offset")
        .and_then(|column| column.as_primitive_opt::<UInt64Type>())
        .ok_or_else(|| missing("offset"))?;
    let (source, key, reason) = (text("source")?, text("key")?, text("reason")?);
    let (detail, url, caption) = (text("detail")?, text("url")?, text("caption")?);
    Ok((0..batch.num_rows())
        .map(|row| Reject {
            source: source[row].clone().unwrap_or_default(),
            offset: arrow::array::Array::is_valid(offsets, row).then(|| offsets.value(row)),
            key: key[row].clone().unwrap_or_default(),
            reason: reason[row].clone().unwrap_or_default(),
            detail: detail[row].clone().unwrap_or_default(),
            url: url[row].clone(),
            caption: caption[row].clone(),
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_survive_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("00000.parquet");
        let rejects = vec![
            Reject {
                source: "a.tar".into(),
                offset: Some(512),
                key: "000000001".into(),
                reason: "truncated".into(),
                detail: "the JPEG ends after 17 bytes".into(),
                url: Some("https://example.org/1.jpg".into()),
                caption: None,
            },
            Reject { key: "x".into(), ..Reject::default() },
        ];
        write(&path, "rejects/00000.parquet", &rejects).unwrap();
        assert_eq!(read(&path).unwrap(), rejects);
    }
}
