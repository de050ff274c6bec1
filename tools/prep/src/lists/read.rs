//! Lists on disk: text with one entry a line, CSV, or Parquet as LAION publishes it.

use std::{
    fs::File,
    io::{BufReader, Read},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{
    ListError,
    entries::Entries,
    identity::first_half,
    lines::{Encoding, Lines},
    text::{Column as Kind, TextList, add_hash, add_value, is_hash},
};
use crate::foreign_table::{Column, ForeignTable};

/// Names of the columns of a list, in any case; `key` counts where none of the others is there.
pub(super) const COLUMNS: [&str; 6] = ["url", "sha256", "md5", "hash", "image_hash", "key"];

const BLOCK_BYTES: usize = 1 << 20;

/// How files begin that are no list, and what they are.
const OTHER_KINDS: [(&[u8], &str); 6] = [
    (b"\x1f\x8b", "compressed with gzip"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
    (b"BZh", "compressed with bzip2"),
    (b"\xfd7zXZ", "compressed with xz"),
    (b"PK\x03\x04", "a zip file or a spreadsheet"),
    (b"PARE", "an encrypted Parquet file"),
];

/// The files that an argument names.
pub(super) fn expand(file: &Path) -> Result<Vec<PathBuf>, ListError> {
    if file.exists() {
        return Ok(vec![file.to_owned()]);
    }
    let pattern = file.to_string_lossy().into_owned();
    let found: Vec<PathBuf> = glob::glob(&pattern)
        .map(|paths| paths.filter_map(Result::ok).collect())
        .unwrap_or_default();
    if found.is_empty() { Err(ListError::Nothing { pattern }) } else { Ok(found) }
}

/// Adds the entries of a file; returns its SHA-256.
pub(super) fn into(entries: &mut Entries, path: &Path) -> Result<String, ListError> {
    let looked = look(path).map_err(|source| ListError::Read { path: path.to_owned(), source })?;
    let begins = |&&(start, _): &&(&[u8], &str)| looked.start.starts_with(start);
    if let Some(&(_, what)) = OTHER_KINDS.iter().find(begins) {
        return Err(ListError::Kind { path: path.to_owned(), what });
    }
    if looked.start.starts_with(b"PAR1") {
        read_table(entries, path)?;
    } else {
        // most entries of a list are of one kind; room for all of them at once, instead of twice as much while it grows
        entries.urls.reserve_exact(usize::try_from(looked.lines).unwrap_or_default());
        read_lines(entries, path, Encoding::of(&looked.start))?;
    }
    Ok(looked.sha256)
}

struct Looked {
    sha256: String,
    lines: u64,
    start: Vec<u8>,
}

/// Reads the whole file once: its hash, its lines, what it is.
fn look(path: &Path) -> std::io::Result<Looked> {
    let mut file = File::open(path)?;
    let mut block = vec![0; BLOCK_BYTES];
    let (mut hasher, mut lines, mut start) = (Sha256::new(), 1, Vec::new());
    loop {
        let read = file.read(&mut block)?;
        if read == 0 {
            let sha256 = clipa_schemas::file::hex(&hasher.finalize());
            return Ok(Looked { sha256, lines, start });
        }
        let block = &block[..read];
        if start.len() < 8 {
            start.extend(block.iter().take(8));
        }
        lines += block.iter().filter(|&&byte| byte == b'\n').count() as u64;
        hasher.update(block);
    }
}

fn read_lines(entries: &mut Entries, path: &Path, encoding: Encoding) -> Result<(), ListError> {
    let failed = |source| ListError::Read { path: path.to_owned(), source };
    let file = BufReader::with_capacity(BLOCK_BYTES, File::open(path).map_err(failed)?);
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    let (mut lines, mut list) = (Lines::new(file, encoding), TextList::new(&extension));
    let mut number = 0;
    while let Some(line) = lines.next().map_err(failed)? {
        number += 1;
        line.and_then(|line| list.add(entries, line)).map_err(|what| ListError::Line {
            path: path.to_owned(),
            line: number,
            what,
        })?;
    }
    Ok(())
}

fn read_table(entries: &mut Entries, path: &Path) -> Result<(), ListError> {
    let table = ForeignTable::open(path)?;
    let kinds = || table.names().filter_map(Kind::named);
    // keys are only numbers, so beside what says more they name other samples too
    let takes_keys = !kinds().any(|kind| kind != Kind::Key);
    let kind_of = |name: &str| Kind::named(name).filter(|&kind| takes_keys || kind != Kind::Key);
    if kinds().any(|kind| kind == Kind::Url) {
        entries.urls.reserve_exact(usize::try_from(table.rows()).unwrap_or_default());
    }
    let mut first_row = 0;
    let mut has_column = table.rows() == 0 && kinds().next().is_some();
    for batch in table.batches(|name| kind_of(name).is_some())? {
        let batch = batch?;
        for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
            let Some(kind) = kind_of(field.name()) else { continue };
            let column = Column::of(array);
            let is_text = matches!(column, Column::Text(_) | Column::Bytes(_) | Column::Fixed(_));
            // LAION's `hash` of URL and text is a number: no hash of an image
            if kind == Kind::Hash && !is_text {
                continue;
            }
            has_column = true;
            if array.null_count() == array.len() {
                continue;
            }
            for row in 0..batch.num_rows() {
                add_cell(entries, kind, &column, row, is_text).map_err(|what| {
                    let (path, column) = (path.to_owned(), field.name().clone());
                    ListError::Value { path, row: first_row + row as u64, column, what }
                })?;
            }
        }
        first_row += batch.num_rows() as u64;
    }
    if has_column {
        return Ok(());
    }
    let found: Vec<&str> = table.all_names().collect();
    let found = clipa_talk::printable(&found.join(", ")).into_owned();
    Err(ListError::NoColumn { path: path.to_owned(), found })
}

/// Adds one value, where there is one.
fn add_cell(
    entries: &mut Entries,
    kind: Kind,
    column: &Column,
    row: usize,
    is_text: bool,
) -> Result<(), &'static str> {
    let is_hash = !matches!(kind, Kind::Url | Kind::Key);
    if let Some(bytes) = column.bytes(row).filter(|_| is_hash) {
        return add_hash_bytes(entries, bytes);
    }
    if let Some(text) = column.text(row) {
        return add_value(entries, kind, text.trim());
    }
    match column.number(row) {
        Some(number) if kind == Kind::Key => add_value(entries, kind, &number),
        Some(_) => Err("a number, and should be text"),
        None if column.bytes(row).is_some() => Err("bytes that are no text"),
        None if !is_text && !matches!(column, Column::Real(_)) && !column.is_null(row) => {
            Err("of a type that is neither text nor bytes")
        }
        None => Ok(()),
    }
}

/// Adds a hash as it is or in hexadecimal.
fn add_hash_bytes(entries: &mut Entries, bytes: &[u8]) -> Result<(), &'static str> {
    if bytes.is_empty() {
        return Ok(());
    }
    if let Some(text) = std::str::from_utf8(bytes).ok().filter(|text| is_hash(text.trim())) {
        return add_hash(entries, text.trim());
    }
    if let Ok(hash) = <&[u8; 32]>::try_from(bytes) {
        entries.sha256.push(first_half(hash));
    } else if let Ok(hash) = <[u8; 16]>::try_from(bytes) {
        entries.md5.push(u128::from_be_bytes(hash));
    } else {
        return Err("neither a SHA-256 nor an MD5");
    }
    Ok(())
}
