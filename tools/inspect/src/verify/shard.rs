//! One shard, row by row. Its checksum has been found right.

use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use clipa_schemas::{
    Result,
    image_column::ImageColumn,
    ledger::ShardDigest,
    manifest::Manifest,
    shard::{ImageBlock, ShardLayout, ShardReader},
    text::{MAX_CAPTIONS, StoredText},
};

use super::findings::{Findings, without_path};
use crate::pixels::PixelReader;

/// One past the greatest id of a vocabulary.
fn vocabulary(column: &str) -> u32 {
    match column {
        "clip_bpe" => 49_408,
        "bert_wordpiece" => 30_522,
        _ => u32::from(u16::MAX) + 1,
    }
}

/// Reads everything of the shard.
pub(super) fn check(
    folder: &Path,
    manifest: &Manifest,
    digest: &ShardDigest,
    found: &mut Findings,
) {
    let path = folder.join(&digest.file.file);
    let reader = match ShardReader::open(&path) {
        Ok(reader) => reader,
        Err(error) => return found.problem(&*digest.file.file, without_path(&error, &path)),
    };
    let file = &digest.file.file;
    for what in layout_problems(&reader, manifest, digest) {
        found.problem(&**file, what);
    }
    for row_group in 0..reader.row_groups() {
        match check_row_group(&reader, manifest, row_group) {
            Ok(None) => {
                found.row_groups += 1;
                found.rows += reader.row_group_rows(row_group) as u64;
            }
            Ok(Some(what)) => found.problem(&**file, format!("row group {row_group}, {what}")),
            Err(error) => found.problem(&**file, without_path(&error, &path)),
        }
    }
}

/// Columns, rows and row groups against manifest and entry.
fn layout_problems(reader: &ShardReader, manifest: &Manifest, digest: &ShardDigest) -> Vec<String> {
    let mut problems = Vec::new();
    if reader.rows() != digest.rows {
        problems.push(format!("{} rows, its entry says {}", reader.rows(), digest.rows));
    }
    let groups: Vec<u32> =
        (0..reader.row_groups()).map(|group| reader.row_group_rows(group) as u32).collect();
    if groups != digest.row_groups {
        problems.push("its row groups are not those of its entry".to_owned());
    }
    let layout = ShardLayout { images: manifest.images.clone(), tokens: manifest.tokens.clone() };
    let expected = layout.schema();
    let names = |schema: &arrow::datatypes::Schema| -> Vec<String> {
        schema.fields().iter().map(|field| field.name().clone()).collect()
    };
    if names(reader.schema()) != names(&expected) || reader.images() != manifest.images {
        problems.push("its columns are not those of the manifest".to_owned());
    }
    problems
}

/// Every column of a row group is decoded; the first contradiction, where there is one.
fn check_row_group(
    reader: &ShardReader,
    manifest: &Manifest,
    row_group: usize,
) -> Result<Option<String>> {
    let image_columns: Vec<String> = reader.images().iter().map(ImageColumn::name).collect();
    let others: Vec<&str> = reader
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .filter(|name| !image_columns.iter().any(|image| image == name))
        .collect();
    let batch = reader.columns(row_group, &others)?;
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        if !field.is_nullable() && column.null_count() > 0 {
            return Ok(Some(format!("column `{}` lacks values", field.name())));
        }
    }
    for tokens in &manifest.tokens {
        let captions = reader.captions_of(row_group, tokens)?;
        for row in 0..captions.rows() {
            let stored = captions.captions(row);
            let first = captions.first().get(row);
            let mut texts = std::iter::once(first).chain(stored.iter());
            if let Some(what) = texts.find_map(|text| text_problem(text, tokens, manifest.tagged)) {
                return Ok(Some(format!("row {row}, `{tokens}`: {what}")));
            }
            let what = captions_problem(&batch, row, stored.len(), stored.get(0) == first);
            if let Some(what) = what {
                return Ok(Some(format!("row {row}, `captions`: {what}")));
            }
        }
    }
    for &column in reader.images() {
        let block = reader.images_of(row_group, column)?;
        if let Some(what) = image_problem(&block, column) {
            return Ok(Some(what));
        }
    }
    Ok(None)
}

fn image_problem(block: &ImageBlock, column: ImageColumn) -> Option<String> {
    let mut reader = match PixelReader::new() {
        Ok(reader) => reader,
        Err(error) => return Some(error.to_string()),
    };
    let mut buffer = Vec::new();
    (0..block.rows()).find_map(|row| {
        let checked = reader.check(block.get(row), column.encoding, &mut buffer);
        checked.err().map(|error| format!("row {row}, `{}`: {error}", column.name()))
    })
}

/// What is wrong with a row's texts of several captions, of which `encoded` are encoded.
fn captions_problem(
    batch: &RecordBatch,
    row: usize,
    encoded: usize,
    is_first_the_same: bool,
) -> Option<String> {
    let Some(all) = batch.column_by_name("captions").and_then(|all| all.as_list_opt::<i32>())
    else {
        return Some("the column has another type".to_owned());
    };
    if all.is_null(row) {
        return (encoded != 1).then(|| format!("{encoded} captions are encoded and none is there"));
    }
    let texts = all.value(row);
    let count = texts.len();
    if !(2..=MAX_CAPTIONS).contains(&count) || count != encoded {
        return Some(format!("{count} captions, {encoded} of them encoded"));
    }
    let first = texts.as_string_opt::<i32>().map(|texts| texts.value(0));
    let caption = batch.column_by_name("caption").and_then(|column| column.as_string_opt::<i32>());
    if first != caption.map(|column| column.value(row)) || !is_first_the_same {
        return Some("the first one is not the row's caption".to_owned());
    }
    None
}

/// What is wrong with the stored words, tags and ids of a caption.
pub(super) fn text_problem(text: StoredText<'_>, tokens: &str, tagged: bool) -> Option<String> {
    let (words, tags) = (text.word_lengths.len(), text.pos.len());
    let pieces: usize = text.word_lengths.iter().map(|&length| usize::from(length)).sum();
    if pieces != text.word_tokens.len() {
        return Some(format!(
            "words of {pieces} tokens, but {} are stored",
            text.word_tokens.len()
        ));
    }
    if tags != if tagged { words } else { 0 } {
        return Some(format!("{tags} tags for {words} words"));
    }
    let limit = vocabulary(tokens);
    let mut ids = text.tokens.iter().chain(text.word_tokens);
    let outside = ids.find(|&&id| u32::from(id) >= limit)?;
    Some(format!("token {outside} is in no vocabulary of {limit}"))
}
