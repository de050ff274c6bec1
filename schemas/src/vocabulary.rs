//! `vocabulary.parquet`: what a tagger says of every entry of a tokenizer's vocabulary, out of any context.
//!
//! CLIPA's JAX dialect tags the vocabulary once instead of every caption; [`TextReduction::SyntaxVocab`] reads it.
//!
//! [`TextReduction::SyntaxVocab`]: crate::reduction::text::TextReduction::SyntaxVocab

use std::{path::Path, sync::Arc};

use arrow::{
    array::{ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray, UInt8Array, UInt16Array},
    datatypes::{DataType, Field, Schema, UInt8Type, UInt16Type},
};

use crate::{
    error::{Error, Result},
    file::FileDigest,
    penn::PennTag,
    table,
};

/// Name of the file in a data set's folder.
pub const VOCABULARY: &str = "vocabulary.parquet";

/// One entry of a vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Tag of its last word, standing alone; unknown where it has no word.
    pub tag: PennTag,
    /// Can it be the first piece of a word? Not with BERT's `##`.
    pub starts_word: bool,
    /// Can it be the last piece of a word? In CLIP's byte pairs only with `</w>`.
    pub ends_word: bool,
}

/// A token column's vocabulary, by id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vocabulary {
    /// Name of the token column.
    pub column: String,
    /// Its entries; the place is the id.
    pub pieces: Vec<Piece>,
}

impl Vocabulary {
    /// The entry of an id; one that is not in the table is a word of its own without a tag.
    pub fn piece(&self, id: u16) -> Piece {
        let unknown = Piece { tag: PennTag::UNKNOWN, starts_word: true, ends_word: true };
        self.pieces.get(usize::from(id)).copied().unwrap_or(unknown)
    }
}

/// Writes the vocabularies of a data set's token columns, whole or not at all.
///
/// # Errors
/// [`Error::Io`]; [`Error::Row`] where a vocabulary has more entries than ids have numbers.
pub fn write(dataset: &Path, vocabularies: &[Vocabulary]) -> Result<FileDigest> {
    let path = dataset.join(VOCABULARY);
    let mut ids = Vec::new();
    for Vocabulary { column, pieces } in vocabularies {
        for place in 0..pieces.len() {
            let too_many = |_| Error::Row { key: column.clone(), detail: format!("entry {place}") };
            ids.push(u16::try_from(place).map_err(too_many)?);
        }
    }
    let pieces = || vocabularies.iter().flat_map(|vocabulary| &vocabulary.pieces);
    let columns: StringArray = vocabularies
        .iter()
        .flat_map(|vocabulary| vocabulary.pieces.iter().map(|_| Some(vocabulary.column.as_str())))
        .collect();
    let starts: BooleanArray = pieces().map(|piece| Some(piece.starts_word)).collect();
    let ends: BooleanArray = pieces().map(|piece| Some(piece.ends_word)).collect();
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(columns),
        Arc::new(UInt16Array::from(ids)),
        Arc::new(UInt8Array::from_iter_values(pieces().map(|piece| piece.tag.byte()))),
        Arc::new(starts),
        Arc::new(ends),
    ];
    let fields = [
        ("tokens", DataType::Utf8),
        ("id", DataType::UInt16),
        ("pos", DataType::UInt8),
        ("starts_word", DataType::Boolean),
        ("ends_word", DataType::Boolean),
    ];
    let fields: Vec<Field> =
        fields.into_iter().map(|(name, kind)| Field::new(name, kind, false)).collect();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
        .map_err(|error| Error::corrupt(&path, error))?;
    table::write(&path, VOCABULARY, &batch)
}

/// Reads the vocabulary of one token column; `None` where the data set has none, because no tagger made it.
///
/// # Errors
/// [`Error::Io`], [`Error::Corrupt`].
pub fn read(dataset: &Path, column: &str) -> Result<Option<Vocabulary>> {
    let path = dataset.join(VOCABULARY);
    if !path.is_file() {
        return Ok(None);
    }
    let batch = table::read(&path)?;
    let wrong = |name: &str| Error::corrupt(&path, format!("column `{name}` has another type"));
    let named = |name: &str| batch.column_by_name(name).ok_or_else(|| wrong(name));
    let columns = named("tokens")?.as_string_opt::<i32>().ok_or_else(|| wrong("tokens"))?;
    let ids = named("id")?.as_primitive_opt::<UInt16Type>().ok_or_else(|| wrong("id"))?;
    let tags = named("pos")?.as_primitive_opt::<UInt8Type>().ok_or_else(|| wrong("pos"))?;
    let boolean = |name| named(name)?.as_boolean_opt().ok_or_else(|| wrong(name));
    let (starts, ends) = (boolean("starts_word")?, boolean("ends_word")?);
    let mut pieces = Vec::new();
    for row in (0..batch.num_rows()).filter(|&row| columns.value(row) == column) {
        if usize::from(ids.value(row)) != pieces.len() {
            let detail = format!("id {} in the place of {}", ids.value(row), pieces.len());
            return Err(Error::corrupt(&path, detail));
        }
        pieces.push(Piece {
            tag: PennTag::from_byte(tags.value(row)),
            starts_word: starts.value(row),
            ends_word: ends.value(row),
        });
    }
    let vocabulary = Vocabulary { column: column.to_owned(), pieces };
    Ok(Some(vocabulary).filter(|vocabulary| !vocabulary.pieces.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(tag: &str, starts_word: bool, ends_word: bool) -> Piece {
        let tag = PennTag::from_name(tag).unwrap_or(PennTag::UNKNOWN);
        Piece { tag, starts_word, ends_word }
    }

    #[test]
    fn vocabularies_survive_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path(), "clip_bpe").unwrap(), None);
        let clip = vec![piece("NN", true, false), piece("", true, true)];
        let bert = vec![piece("", true, true), piece("JJ", true, true), piece("VB", false, true)];
        let vocabularies = [("clip_bpe", clip), ("bert_wordpiece", bert)]
            .map(|(column, pieces)| Vocabulary { column: column.to_owned(), pieces });
        write(folder.path(), &vocabularies).unwrap();
        for vocabulary in &vocabularies {
            let read = read(folder.path(), &vocabulary.column).unwrap();
            assert_eq!(read.as_ref(), Some(vocabulary));
        }
        assert_eq!(read(folder.path(), "other").unwrap(), None);
        assert_eq!(vocabularies[0].piece(1), piece("", true, true));
        assert_eq!(vocabularies[0].piece(9), piece("", true, true));
    }

    #[test]
    fn a_damaged_file_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(VOCABULARY), b"PAR1 and no more").unwrap();
        assert!(matches!(read(folder.path(), "clip_bpe"), Err(Error::Corrupt { .. })));
    }
}
