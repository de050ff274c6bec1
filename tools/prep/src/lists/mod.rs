//! Lists of URLs, hashes and keys: what may be used (`--allow`), and what must not be (`--deny`, `takedown`).
//!
//! An entry is kept as 128 bits: the first half of a SHA-256 as it stands, an MD5, or the first half of the SHA-256 of
//! a [normalised](url::normalised) URL or of a key. So an entry costs 16 bytes of memory, a list of 100 million 1.6 GB,
//! and two different entries are never taken for one. A look-up is a binary search.

mod entries;
mod fields;
mod host;
mod identity;
mod lines;
mod read;
mod text;
pub mod url;

use std::path::PathBuf;

use serde::Serialize;
use thiserror::Error;

use self::entries::Entries;
pub use self::identity::Identity;
use crate::foreign_table::TableError;

/// The entries of what one `--allow` or `--deny` names, for each.
#[derive(Debug, Default)]
pub struct List {
    parts: Vec<Entries>,
    /// SHA-256 of each file, sorted.
    files: Vec<String>,
}

/// How much of a list named something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Matched {
    /// The list, as it was named.
    pub list: String,
    /// Its entries.
    pub entries: usize,
    /// Those that named a sample.
    pub matched: usize,
}

/// Why a list cannot be used. A line that is not understood is an error: it may name what must not be used.
#[derive(Debug, Error)]
pub enum ListError {
    /// The system refuses.
    #[error("cannot read the list {}: {source}", path.display())]
    Read {
        /// The list.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A line that is none of what a list holds.
    #[error("{}, line {line}: {what}", path.display())]
    Line {
        /// The list.
        path: PathBuf,
        /// Its number, from 1.
        line: u64,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A file that is neither text nor Parquet.
    #[error("{} is {what}: unpack it, or write it as text, CSV or Parquet", path.display())]
    Kind {
        /// The list.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// A pattern that names no file.
    #[error("--allow or --deny {pattern} names no file")]
    Nothing {
        /// As it was given.
        pattern: String,
    },
    /// A Parquet file that cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A Parquet file without a usable column.
    #[error(
        "{} has no column of URLs or hashes: {} are looked for, as text (hashes in hexadecimal) or binary; it has {found}",
        path.display(), read::COLUMNS.join(", ")
    )]
    NoColumn {
        /// The list.
        path: PathBuf,
        /// The columns that are there.
        found: String,
    },
    /// A value in a Parquet file that can name no sample.
    #[error("{}, row {row}: `{column}` is {what}", path.display())]
    Value {
        /// The list.
        path: PathBuf,
        /// Its number, from 0.
        row: u64,
        /// Its column.
        column: String,
        /// What is wrong with it.
        what: &'static str,
    },
}

impl Matched {
    /// The number of its entries, in words.
    pub fn size(&self) -> String {
        match self.entries {
            1 => "1 entry".to_owned(),
            entries => format!("{} entries", clipa_talk::figures::count(entries as u64)),
        }
    }
}

impl List {
    /// Reads files: text, one entry a line, CSV, or Parquet. A name that does not exist may be a glob.
    ///
    /// # Errors
    /// A file cannot be read, or holds something that is no entry.
    pub fn read(files: &[PathBuf]) -> Result<List, ListError> {
        let mut list = List::default();
        for file in files {
            let name = file.display().to_string();
            let mut entries = Entries::named(name);
            for path in read::expand(file)? {
                list.files.push(read::into(&mut entries, &path)?);
            }
            entries.seal();
            list.parts.push(entries);
        }
        list.files.sort();
        Ok(list)
    }

    /// By what the sample is listed; `None` where it is not. Entries that name it count as [matched](List::matched).
    pub fn finds(&self, sample: &Identity<'_>) -> Option<&'static str> {
        // every part is asked, so that each knows that it matched
        self.parts.iter().fold(None, |by, part| {
            let found = part.finds(sample);
            by.or(found)
        })
    }

    /// What named something since the list was read, for each name that it was read by.
    pub fn matched(&self) -> Vec<Matched> {
        let of_part = |part: &Entries| Matched {
            list: part.name.clone(),
            entries: part.len(),
            matched: part.found(),
        };
        self.parts.iter().map(of_part).collect()
    }

    /// Entries in all.
    pub fn len(&self) -> usize {
        self.parts.iter().map(Entries::len).sum()
    }

    /// Is there no entry?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of MD5 entries: a shard holds no MD5 that they could be compared with.
    pub fn md5_entries(&self) -> usize {
        self.parts.iter().map(|part| part.md5.len()).sum()
    }

    /// Number of SHA-256 entries.
    pub fn sha256_entries(&self) -> usize {
        self.parts.iter().map(|part| part.sha256.len()).sum()
    }

    /// Number of URLs.
    pub fn url_entries(&self) -> usize {
        self.parts.iter().map(|part| part.urls.len()).sum()
    }

    /// SHA-256 of the files, for a configuration: the list under another name is the same list.
    pub fn files_sha256(&self) -> &[String] {
        &self.files
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    const HASH: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn list(text: &str) -> Result<List, ListError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list.txt");
        std::fs::write(&path, text).unwrap();
        List::read(&[path])
    }

    fn hash() -> [u8; 32] {
        Sha256::digest(b"abc").into()
    }

    #[test]
    fn lines_are_urls_hashes_and_keys() {
        let text = format!(
            "\u{feff}# a list\r\nhttp://Example.org/a.jpg\r\n\n  {}  \n0123456789abcdef0123456789ABCDEF\n\
             key: 000000012\nurl:example.org/b.jpg",
            HASH.to_uppercase()
        );
        let list = list(&text).unwrap();
        assert_eq!((list.len(), list.md5_entries()), (5, 1));
        let by = |identity: Identity<'_>| list.finds(&identity);
        assert_eq!(
            by(Identity { url: Some("https://example.org/a.jpg#x"), ..Identity::default() }),
            Some("url")
        );
        assert_eq!(
            by(Identity { url: Some("https://example.org/b.jpg"), ..Identity::default() }),
            Some("url")
        );
        assert_eq!(
            by(Identity { url: Some("https://example.org/A.jpg"), ..Identity::default() }),
            None
        );
        let hash = hash();
        assert_eq!(by(Identity { sha256: Some(&hash), ..Identity::default() }), Some("sha256"));
        assert_eq!(
            by(Identity { image_hash: Some(&hash), ..Identity::default() }),
            Some("image_hash")
        );
        let md5 = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef_u128.to_be_bytes();
        assert_eq!(by(Identity { md5: Some(&md5), ..Identity::default() }), Some("md5"));
        assert_eq!(by(Identity { key: Some("000000012"), ..Identity::default() }), Some("key"));
        assert_eq!(by(Identity::default()), None);
    }

    #[test]
    fn a_line_that_is_no_entry_is_an_error_with_its_number() {
        for (text, number) in [
            ("http://a.b/c\nabc\n", 2),
            ("# x\n\n12\n", 3),
            ("sha256:12", 1),
            ("key:", 1),
            ("url:http://", 1),
        ] {
            match list(text) {
                Err(ListError::Line { line, .. }) => assert_eq!(line, number, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
        assert!(list("# nothing\n").unwrap().is_empty());
    }

    #[test]
    fn parquet_lists_are_read_by_the_names_of_their_columns() {
        use std::sync::Arc;

        use arrow::array::{ArrayRef, FixedSizeBinaryArray, Int64Array, RecordBatch, StringArray};
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, columns: Vec<(&str, ArrayRef)>| -> PathBuf {
            let path = folder.path().join(name);
            let batch = RecordBatch::try_from_iter(columns).unwrap();
            let file = std::fs::File::create(&path).unwrap();
            let mut writer =
                parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
            writer.write(&batch).unwrap();
            writer.close().unwrap();
            path
        };
        let urls: ArrayRef =
            Arc::new(StringArray::from(vec![Some("http://a.b/c"), None, Some("http://a.b/c")]));
        let sums: ArrayRef = Arc::new(StringArray::from(vec![None, Some(HASH), None]));
        let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
        write("a.parquet", vec![("URL", urls), ("sha256", sums), ("hash", Arc::clone(&ids))]);
        let raw = FixedSizeBinaryArray::try_from_iter([[7u8; 32]].into_iter()).unwrap();
        write("b.parquet", vec![("image_hash", Arc::new(raw) as ArrayRef)]);
        let list = List::read(&[folder.path().join("*.parquet")]).unwrap();
        assert_eq!((list.len(), list.files_sha256().len()), (3, 2));
        assert!(
            list.finds(&Identity { url: Some("https://a.b/c"), ..Identity::default() }).is_some()
        );
        assert!(
            list.finds(&Identity { image_hash: Some(&[7; 32]), ..Identity::default() }).is_some()
        );
        assert!(list.finds(&Identity { sha256: Some(&hash()), ..Identity::default() }).is_some());

        let numbers = write("c.parquet", vec![("hash", ids)]);
        assert!(matches!(List::read(&[numbers]), Err(ListError::NoColumn { .. })));
        let wrong: ArrayRef = Arc::new(StringArray::from(vec!["12"]));
        let wrong = write("d.parquet", vec![("md5", wrong)]);
        assert!(matches!(List::read(&[wrong]), Err(ListError::Value { row: 0, .. })));
        assert!(matches!(List::read(&[folder.path().join("e*")]), Err(ListError::Nothing { .. })));
    }
}
