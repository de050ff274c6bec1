//! What the lines of a text list mean: one entry a line, or the columns of CSV and TSV.

use super::{
    entries::Entries,
    fields::split,
    identity::{first_half, of_text, of_url},
    url,
};
use crate::archive::sidecar::hash_from_hex;

/// Reads lines as the ones before them tell.
pub(super) struct TextList {
    /// `.csv` or `.tsv`, by the file's name.
    is_named_table: bool,
    form: Form,
}

enum Form {
    /// No entry was read yet.
    Unknown,
    /// One entry a line.
    Lines,
    /// Columns without names: what looks like an entry is one.
    Table { delimiter: char, fields: usize },
    /// Columns of which some are known by name.
    Named { delimiter: char, columns: Vec<Option<Column>> },
}

/// What a column holds, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Url,
    /// SHA-256.
    Sha256,
    Md5,
    /// Either of them; LAION's number of that name is passed over.
    Hash,
    Key,
}

type Added = Result<(), &'static str>;

const NO_ENTRY: &str = "neither a URL (with its http:// or https://) nor a SHA-256 nor an MD5 in hexadecimal; write `url:`, \
                        `sha256:`, `md5:` or `key:` before it to say what it is";
const REMARK: &str = "a URL, and more on its line that is neither URL nor hash: write one entry a line, ` # ` before a \
                      remark, and `url:` before a URL that holds spaces";
const COMMA: &str = "a URL with a comma or semicolon that may begin another column: write `url:` before it where it is part of the \
                     URL, or name the file .csv";
const FIELDS: &str = "its number of fields is not that of the lines before it: put a value that holds the delimiter in quotes";
const NO_HOST: &str = "no URL: it names no host";

/// Suffixes behind which a comma begins another column.
const IMAGE_SUFFIXES: [&str; 9] =
    [".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp", ".svg", ".tif", ".tiff"];

impl Column {
    /// The column of that name.
    pub(super) fn named(name: &str) -> Option<Column> {
        match name.trim().to_ascii_lowercase().as_str() {
            "url" => Some(Column::Url),
            "sha256" | "image_hash" => Some(Column::Sha256),
            "md5" => Some(Column::Md5),
            "hash" => Some(Column::Hash),
            "key" => Some(Column::Key),
            _ => None,
        }
    }
}

impl TextList {
    /// A list of which nothing was read; `extension` is that of its file.
    pub(super) fn new(extension: &str) -> TextList {
        let is_named_table =
            ["csv", "tsv", "tab"].contains(&extension.to_ascii_lowercase().as_str());
        TextList { is_named_table, form: Form::Unknown }
    }

    /// Adds what a line names.
    ///
    /// # Errors
    /// What is wrong with it. A line that is not understood may name what must not be used.
    pub(super) fn add(&mut self, entries: &mut Entries, line: &str) -> Added {
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        let is_first = matches!(self.form, Form::Unknown);
        if is_first {
            if let Some((delimiter, columns)) = header(line) {
                self.form = Form::Named { delimiter, columns };
                return Ok(());
            }
            self.form = match delimiter_of(line).filter(|_| self.is_named_table) {
                Some(delimiter) => Form::Table { delimiter, fields: split(line, delimiter)?.len() },
                None => Form::Lines,
            };
        }
        match &self.form {
            Form::Named { delimiter, columns } => add_named(entries, line, *delimiter, columns),
            Form::Table { delimiter, fields } => {
                add_fields(entries, line, *delimiter, Some(*fields))
            }
            Form::Unknown | Form::Lines => add_line(entries, line, is_first),
        }
    }
}

/// The columns of a first line that names some, and what stands between them.
fn header(line: &str) -> Option<(char, Vec<Option<Column>>)> {
    ['\t', ',', ';', '|'].into_iter().find_map(|delimiter| {
        let mut columns: Vec<Option<Column>> =
            split(line, delimiter).ok()?.iter().map(|name| Column::named(name)).collect();
        let identifies = |column: &Option<Column>| column.is_some_and(|kind| kind != Column::Key);
        if columns.iter().any(identifies) {
            // keys are only numbers, so beside what says more they name other samples too
            columns
                .iter_mut()
                .filter(|column| **column == Some(Column::Key))
                .for_each(|key| *key = None);
        }
        columns.iter().any(Option::is_some).then_some((delimiter, columns))
    })
}

fn delimiter_of(line: &str) -> Option<char> {
    ['\t', ',', ';', '|'].into_iter().find(|&delimiter| line.contains(delimiter))
}

fn add_named(
    entries: &mut Entries,
    line: &str,
    delimiter: char,
    columns: &[Option<Column>],
) -> Added {
    let fields = split(line, delimiter)?;
    if fields.len() != columns.len() {
        return Err(FIELDS);
    }
    fields.iter().zip(columns).try_for_each(|(field, column)| match column {
        Some(column) => add_value(entries, *column, field.trim()),
        None => Ok(()),
    })
}

/// Adds every field that looks like an entry, at least one.
fn add_fields(
    entries: &mut Entries,
    line: &str,
    delimiter: char,
    expected: Option<usize>,
) -> Added {
    let fields = split(line, delimiter)?;
    if expected.is_some_and(|expected| fields.len() != expected) {
        return Err(FIELDS);
    }
    let mut has_entry = false;
    for field in fields.iter().filter(|field| !field.is_empty()) {
        let field = field.trim();
        if is_entry(field) {
            add_entry(entries, field)?;
            has_entry = true;
        } else if has_entry && is_piece_of_url(field) {
            return Err(COMMA);
        }
    }
    if has_entry { Ok(()) } else { Err(NO_ENTRY) }
}

/// May it be what stood behind a comma of an URL that is not in quotes?
fn is_piece_of_url(field: &str) -> bool {
    let has = |sign: char| field.contains(sign);
    let is_image = IMAGE_SUFFIXES.iter().any(|suffix| field.contains(suffix));
    !has(' ')
        && (has('/') && field.contains(|sign: char| sign.is_alphabetic()) || has('=') || is_image)
}

/// One entry, or several with white space between them.
fn add_line(entries: &mut Entries, line: &str, is_first: bool) -> Added {
    if line.starts_with('"') || line.contains('\t') {
        return add_fields(entries, line, if line.contains('\t') { '\t' } else { ',' }, None);
    }
    let line = without_remark(line);
    if prefixed(line).is_some() {
        return add_entry(entries, line);
    }
    if let Some(hash) = checksum(line) {
        return add_hash(entries, hash);
    }
    let mut words = line.split_whitespace().peekable();
    let is_first_entry = words.peek().is_some_and(|word| is_entry(word));
    words.try_for_each(|word| match is_entry(word) {
        true if has_column_behind(word, is_first) => Err(COMMA),
        true => add_entry(entries, word),
        false if is_first_entry => Err(REMARK),
        false => Err(NO_ENTRY),
    })
}

/// A remark stands behind white space and `#`; a fragment stands behind no white space.
fn without_remark(line: &str) -> &str {
    let is_remark = |&(at, _): &(usize, &str)| line[..at].ends_with(char::is_whitespace);
    line.match_indices('#').find(is_remark).map_or(line, |(at, _)| line[..at].trim_end())
}

/// The hash of a line of `sha256sum` or `md5sum`: `HASH  NAME`, `HASH *NAME`, or `SHA256 (NAME) = HASH`.
fn checksum(line: &str) -> Option<&str> {
    if let Some((name, hash)) = line.rsplit_once(") = ") {
        return (name.starts_with("SHA256 (") || name.starts_with("MD5 (")).then_some(hash);
    }
    let (hash, name) = line.split_once(' ')?;
    (is_hash(hash) && name.starts_with([' ', '*']) && !is_entry(name.trim())).then_some(hash)
}

/// Does a URL in a list of lines end in what looks like another column of CSV? A list that is CSV has it in its first
/// line; among later ones a URL with several commas is one (of 1,000 URLs of LAION-400M 36 hold commas).
fn has_column_behind(url: &str, is_first: bool) -> bool {
    let delimiters = [',', ';'];
    let Some(at) = url.find(delimiters) else { return false };
    let before = url[..at].to_ascii_lowercase();
    let last = url.rsplit(delimiters).next().unwrap_or_default();
    let is_word = last.chars().all(|sign| sign.is_alphabetic() || sign == '_' || sign == '-');
    let is_word = is_word && (is_first || url.matches(delimiters).count() == 1);
    let is_second = url.split(delimiters).skip(1).any(is_entry);
    is_word || is_second || IMAGE_SUFFIXES.iter().any(|suffix| before.ends_with(suffix))
}

/// What a line says that it is, and its value.
fn prefixed(text: &str) -> Option<(Column, &str)> {
    let (kind, rest) = text.split_once(':')?;
    let kind = match kind.to_ascii_lowercase().as_str() {
        "url" => Column::Url,
        "sha256" => Column::Sha256,
        "md5" => Column::Md5,
        "key" => Column::Key,
        _ => return None,
    };
    Some((kind, rest.trim()))
}

/// Is it a SHA-256 or an MD5 in hexadecimal?
pub(super) fn is_hash(text: &str) -> bool {
    hash_from_hex::<32>(text).is_some() || hash_from_hex::<16>(text).is_some()
}

fn is_entry(text: &str) -> bool {
    url::is_absolute(text) || is_hash(text) || prefixed(text).is_some()
}

fn add_entry(entries: &mut Entries, text: &str) -> Added {
    match prefixed(text) {
        Some((_, "")) => Err(NO_ENTRY),
        Some((kind, value)) => add_value(entries, kind, value),
        None if url::is_absolute(text) => add_value(entries, Column::Url, text),
        None => add_hash(entries, text),
    }
}

/// Adds what a column of that name holds, where it holds something.
pub(super) fn add_value(entries: &mut Entries, kind: Column, text: &str) -> Added {
    if text.is_empty() {
        return Ok(());
    }
    match kind {
        Column::Url if !url::has_host(text) => Err(NO_HOST),
        Column::Url
            if text.split_whitespace().filter(|word| url::is_absolute(word)).count() > 1 =>
        {
            Err("several URLs in one place: write one entry a line")
        }
        Column::Url => {
            entries.urls.push(of_url(text));
            Ok(())
        }
        Column::Key => {
            entries.keys.push(of_text(text));
            Ok(())
        }
        Column::Sha256 if text.len() != 64 => Err("no SHA-256: that has 64 hexadecimal digits"),
        Column::Md5 if text.len() != 32 => Err("no MD5: that has 32 hexadecimal digits"),
        Column::Hash if is_number(text) => Ok(()),
        Column::Sha256 | Column::Md5 | Column::Hash => add_hash(entries, text),
    }
}

/// LAION's `hash` of URL and text: a number, and no hash of an image.
fn is_number(text: &str) -> bool {
    text.len() < 32 && text.parse::<i128>().is_ok()
}

/// Adds a hash in hexadecimal.
pub(super) fn add_hash(entries: &mut Entries, text: &str) -> Added {
    if let Some(hash) = hash_from_hex::<32>(text) {
        entries.sha256.push(first_half(&hash));
    } else if let Some(hash) = hash_from_hex::<16>(text) {
        entries.md5.push(u128::from_be_bytes(hash));
    } else {
        return Err(NO_ENTRY);
    }
    Ok(())
}
