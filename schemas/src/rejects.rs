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
        /// Name of the input, without its folder.
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
        /// SHA-256 of the image on the web, from its metadata.
        pub sha256: Option<[u8; 32]>,
        /// SHA-256 of the image file, where it was read; the hash of the same name in a shard.
        pub image_hash: Option<[u8; 32]>,
    }
}

impl Reject {
    /// Takes away everything that is the sample's own: URL, captions, hashes. Place, key and reason stay.
    pub fn clear(&mut self) {
        (self.url, self.caption, self.captions) = (None, None, None);
        (self.sha256, self.image_hash) = (None, None);
    }

    /// Is there nothing left that [`Reject::clear`] would take away?
    pub fn is_clear(&self) -> bool {
        self.url.is_none()
            && self.caption.is_none()
            && self.captions.is_none()
            && self.sha256.is_none()
            && self.image_hash.is_none()
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
                sha256: None,
                image_hash: Some([7; 32]),
            },
            Reject { key: "x".into(), ..Reject::default() },
        ];
        write(&path, "rejects/00000.parquet", &rejects).unwrap();
        assert_eq!(read(&path).unwrap(), rejects);
        let mut cleared = rejects[0].clone();
        cleared.clear();
        assert!(cleared.is_clear() && !rejects[0].is_clear() && cleared.offset == Some(512));
    }
}
