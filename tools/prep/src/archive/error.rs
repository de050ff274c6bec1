//! What can go wrong between the command line and a member's bytes.

use std::{io, path::PathBuf};

use thiserror::Error;

/// An operating error: the unit (one tar) or the run cannot go on. Damage *inside* a tar is not an error but a
/// finding of the walk ([`super::TarIndex::damage`], [`super::TarEnd`]): the members before it are good.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// The file cannot be opened or asked for its length.
    #[error("cannot open {}: {source}", path.display())]
    Open {
        /// The tar.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A folder, pipe or device where a tar was expected.
    #[error("{} is not a regular file: a tar is read by offset", path.display())]
    NotAFile {
        /// What was given.
        path: PathBuf,
    },
    /// A file of no bytes.
    #[error("{} is empty (0 bytes): the download or the writer stopped before its first member", path.display())]
    Empty {
        /// The tar.
        path: PathBuf,
    },
    /// Not one valid tar header in the whole file.
    #[error("{} is not a tar: {what}", path.display())]
    NotATar {
        /// The file.
        path: PathBuf,
        /// What it looks like instead, and the remedy.
        what: &'static str,
    },
    /// A read failed (bad disk, lost mount, file shortened meanwhile).
    #[error("cannot read {} at byte {offset}{}: {source}", path.display(), of_key(key))]
    Read {
        /// The tar.
        path: PathBuf,
        /// Key of the sample that was read; empty while the headers are walked.
        key: String,
        /// Byte offset in the tar.
        offset: u64,
        /// The system's reason.
        source: io::Error,
    },
    /// A member is larger than the caller's limit for its kind.
    #[error(
        "{}: member of {key} at byte {offset} has {size} bytes, the limit is {limit}",
        path.display()
    )]
    MemberTooLarge {
        /// The tar.
        path: PathBuf,
        /// Key of the sample.
        key: String,
        /// Byte offset of the member's data.
        offset: u64,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The file ends before the member does.
    #[error("{}: member of {key} at byte {offset} is cut off by the end of the file", path.display())]
    MemberCut {
        /// The tar.
        path: PathBuf,
        /// Key of the sample.
        key: String,
        /// Byte offset of the member's data.
        offset: u64,
    },
    /// The Parquet table beside a tar is there and cannot be read. The tar is not ingested without it: what would be
    /// filtered by its metadata must not slip through.
    #[error("{0}; repair it, or move it away to ingest the tar without its metadata")]
    Table(#[from] crate::foreign_table::TableError),
    /// More members than an index may hold.
    #[error("{} has more than {limit} members: split it", path.display())]
    TooManyMembers {
        /// The tar.
        path: PathBuf,
        /// [`super::MAX_MEMBERS`].
        limit: usize,
    },
    /// Paths of more bytes than an index may hold.
    #[error("{}: the names of its members have more than {limit} bytes together", path.display())]
    NamesTooLarge {
        /// The tar.
        path: PathBuf,
        /// [`super::MAX_NAMES_BYTES`].
        limit: u64,
    },
    /// A compressed tar that is larger than it may be.
    #[error("{} unpacks to more than {limit} bytes: unpack it yourself, if it is what you expect", path.display())]
    UnpacksTooLarge {
        /// The compressed tar.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// The scratch file of a compressed tar cannot be written.
    #[error(
        "cannot unpack {} into {}: {source}; TMPDIR names another folder",
        path.display(),
        folder.display()
    )]
    Scratch {
        /// The compressed tar.
        path: PathBuf,
        /// The folder of the scratch file.
        folder: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// No INPUT argument at all.
    #[error(
        "no input: name tars, folders of tars, globs or brace lists such as 'data/{{00000..00010}}.tar'"
    )]
    NoInput,
    /// An INPUT that names nothing on disk.
    #[error("input {input} does not exist")]
    MissingInput {
        /// As it was given.
        input: String,
    },
    /// A brace list of which some files are not there.
    #[error("input {input}: {missing} of {listed} listed files do not exist, first {first}")]
    MissingFromList {
        /// As it was given.
        input: String,
        /// How many do not exist.
        missing: usize,
        /// How many the list names.
        listed: usize,
        /// The first that does not exist.
        first: String,
    },
    /// A glob or a folder that yields no tar.
    #[error(
        "input {input} matches no .tar file{}; images are read from tars: make them with img2dataset --output_format \
         webdataset",
        there.as_ref().map_or(String::new(), |there| format!(" (it holds {there})"))
    )]
    NothingMatched {
        /// As it was given.
        input: String,
        /// What is there instead.
        there: Option<String>,
    },
    /// A brace list or glob that cannot be understood, or names too much.
    #[error("input {input} is not a valid pattern: {reason}")]
    BadPattern {
        /// As it was given.
        input: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The same file twice: its samples would be stored twice.
    #[error("input {} is named twice (by {first} and by {second})", path.display())]
    DuplicateInput {
        /// The file.
        path: PathBuf,
        /// The argument that named it first.
        first: String,
        /// The argument that named it again.
        second: String,
    },
    /// A folder that cannot be listed.
    #[error("cannot list {}: {source}", path.display())]
    List {
        /// The folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

fn of_key(key: &str) -> String {
    if key.is_empty() { String::new() } else { format!(" (sample {key})") }
}
