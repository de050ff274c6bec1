//! Lists on disk: text with one entry a line, or Parquet as LAION publishes it.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{List, ListError, first_half, of_text, of_url};
use crate::{
    archive::sidecar::hash_from_hex,
    foreign_table::{Column, ForeignTable},
};

/// Names of the columns of a Parquet list, in any case.
pub(super) const COLUMNS: [&str; 5] = ["url", "sha256", "md5", "hash", "image_hash"];

/// Longest line of a text list, in bytes.
const MAX_LINE_BYTES: u64 = 1 << 16;

const BLOCK_BYTES: usize = 1 << 20;

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

/// Adds the entries of a file.
pub(super) fn into(list: &mut List, path: &Path) -> Result<(), ListError> {
    let looked = look(path).map_err(|source| ListError::Read { path: path.to_owned(), source })?;
    list.files.push(looked.sha256);
    if looked.is_parquet {
        return read_table(list, path);
    }
    // most entries of a list are of one kind; room for all of them at once, instead of twice as much while it grows
    list.urls.reserve_exact(usize::try_from(looked.lines).unwrap_or_default());
    read_lines(list, path)
}

struct Looked {
    sha256: String,
    lines: u64,
    is_parquet: bool,
}

/// Reads the whole file once: its hash, its lines, what it is.
fn look(path: &Path) -> std::io::Result<Looked> {
    let mut file = File::open(path)?;
    let mut block = vec![0; BLOCK_BYTES];
    let (mut hasher, mut lines, mut is_parquet, mut is_first) = (Sha256::new(), 1, false, true);
    loop {
        let read = file.read(&mut block)?;
        if read == 0 {
            let sha256 = clipa_schemas::file::hex(&hasher.finalize());
            return Ok(Looked { sha256, lines, is_parquet });
        }
        let block = &block[..read];
        is_parquet |= is_first && block.starts_with(b"PAR1");
        is_first = false;
        lines += block.iter().filter(|&&byte| byte == b'\n').count() as u64;
        hasher.update(block);
    }
}

fn read_lines(list: &mut List, path: &Path) -> Result<(), ListError> {
    let failed = |source| ListError::Read { path: path.to_owned(), source };
    let mut file = BufReader::with_capacity(BLOCK_BYTES, File::open(path).map_err(failed)?);
    let mut bytes = Vec::new();
    for line in 1.. {
        bytes.clear();
        let read =
            file.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut bytes).map_err(failed)?;
        if read == 0 {
            return Ok(());
        }
        let is_cut = read as u64 == MAX_LINE_BYTES && !bytes.ends_with(b"\n");
        let text = std::str::from_utf8(&bytes).ok().filter(|_| !is_cut);
        let added =
            text.is_some_and(|text| add_line(list, text.trim_start_matches('\u{feff}').trim()));
        if !added {
            return Err(ListError::Line { path: path.to_owned(), line });
        }
    }
    Ok(())
}

/// Adds one line; false where it is no entry.
fn add_line(list: &mut List, line: &str) -> bool {
    if line.is_empty() || line.starts_with('#') {
        return true;
    }
    if let Some((kind, rest)) = line.split_once(':') {
        let rest = rest.trim();
        match kind.to_ascii_lowercase().as_str() {
            "url" if !rest.is_empty() => return add_url(list, rest),
            "sha256" => return rest.len() == 64 && add_hash(list, rest),
            "md5" => return rest.len() == 32 && add_hash(list, rest),
            "key" if !rest.is_empty() => {
                list.keys.push(of_text(rest));
                return true;
            }
            _ => {}
        }
    }
    if line.contains("://") { add_url(list, line) } else { add_hash(list, line) }
}

fn add_url(list: &mut List, url: &str) -> bool {
    list.urls.push(of_url(url));
    true
}

/// Adds a hash in hexadecimal; false where it is none.
fn add_hash(list: &mut List, text: &str) -> bool {
    if let Some(hash) = hash_from_hex::<32>(text) {
        list.sha256.push(first_half(&hash));
    } else if let Some(hash) = hash_from_hex::<16>(text) {
        list.md5.push(u128::from_be_bytes(hash));
    } else {
        return false;
    }
    true
}

fn read_table(list: &mut List, path: &Path) -> Result<(), ListError> {
    let table = ForeignTable::open(path)?;
    let is_wanted = |name: &str| COLUMNS.iter().any(|known| name.eq_ignore_ascii_case(known));
    if table.names().any(|name| name.eq_ignore_ascii_case("url")) {
        list.urls.reserve_exact(usize::try_from(table.rows()).unwrap_or_default());
    }
    let mut first_row = 0;
    let mut has_column = table.rows() == 0 && table.names().any(is_wanted);
    for batch in table.batches(is_wanted)? {
        let batch = batch?;
        for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
            let column = Column::of(array);
            // LAION's `hash` of URL and text is a number: no hash of an image
            if !matches!(column, Column::Text(_) | Column::Bytes(_) | Column::Fixed(_)) {
                continue;
            }
            has_column = true;
            for row in 0..batch.num_rows() {
                if !add_value(list, field.name(), &column, row) {
                    let (path, column) = (path.to_owned(), field.name().clone());
                    return Err(ListError::Hash { path, row: first_row + row as u64, column });
                }
            }
        }
        first_row += batch.num_rows() as u64;
    }
    if has_column { Ok(()) } else { Err(ListError::NoColumn { path: path.to_owned() }) }
}

/// Adds one value, where there is one; false where it should be a hash and is none.
fn add_value(list: &mut List, name: &str, column: &Column, row: usize) -> bool {
    let text = column.text(row).map(str::trim);
    if name.eq_ignore_ascii_case("url") {
        return text.is_none_or(|url| url.is_empty() || add_url(list, url));
    }
    if text.is_some_and(|text| text.is_empty() || add_hash(list, text)) {
        return true;
    }
    let Some(bytes) = column.bytes(row) else { return text.is_none() };
    if let Ok(hash) = <&[u8; 32]>::try_from(bytes) {
        list.sha256.push(first_half(hash));
    } else if let Ok(hash) = <[u8; 16]>::try_from(bytes) {
        list.md5.push(u128::from_be_bytes(hash));
    } else {
        return false;
    }
    true
}
