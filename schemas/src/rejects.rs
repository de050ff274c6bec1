//! `rejects/00000.parquet`: every sample that did not become a row, with enough to find it again.

use std::{path::Path, sync::Arc};

use arrow::{array::RecordBatch, datatypes::Schema};

use crate::{
    error::{Error, Result},
    file::FileDigest,
    record::{Record, record},
    table,
};

record! {
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
        /// As found; the first one, where there are several.
        pub caption: Option<String>,
        /// All captions, where there are several.
        pub captions: Option<Vec<String>>,
    }
}

/// Writes the rejects of a unit, whole or not at all. `name` is the path in its entry.
///
/// # Errors
/// [`Error::Io`].
pub fn write(path: &Path, name: &str, rejects: &[Reject]) -> Result<FileDigest> {
    let mut builders = Reject::builders();
    let batch = rejects
        .iter()
        .try_for_each(|reject| reject.append(&mut builders))
        .and_then(|()| {
            let schema = Arc::new(Schema::new(Reject::fields()));
            RecordBatch::try_new(schema, Reject::finish(&mut builders))
        })
        .map_err(|error| Error::corrupt(path, error))?;
    table::write(path, name, &batch)
}

/// Reads the rejects of a unit.
///
/// # Errors
/// [`Error::Io`], [`Error::Corrupt`].
pub fn read(path: &Path) -> Result<Vec<Reject>> {
    let batch = table::read(path)?;
    let missing = |name| Error::corrupt(path, format!("column `{name}` is not there"));
    let arrays = Reject::arrays(&batch).map_err(missing)?;
    Ok((0..batch.num_rows()).map(|row| Reject::row(&arrays, row)).collect())
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
                caption: Some("one".into()),
                captions: Some(vec!["one".into(), "two".into()]),
            },
            Reject { key: "x".into(), ..Reject::default() },
        ];
        write(&path, "rejects/00000.parquet", &rejects).unwrap();
        assert_eq!(read(&path).unwrap(), rejects);
    }
}
