//! The text columns of one row group, decoded once and then borrowed row by row.

use std::sync::Arc;

use arrow::{
    array::{Array, AsArray, ListArray, RecordBatch, StructArray},
    datatypes::{UInt8Type, UInt16Type},
};

use crate::{text::StoredText, vocabulary::Vocabulary};

/// Token and tag columns of one row group; rows are slices of it.
#[derive(Clone, Debug)]
pub struct TextBlock {
    tokens: ListArray,
    word_tokens: ListArray,
    word_lengths: ListArray,
    pos: ListArray,
    vocabulary: Option<Arc<Vocabulary>>,
}

impl TextBlock {
    /// From a batch that has `column` and `pos`; `None` where their types are not those of the schema.
    pub(crate) fn from_batch(batch: &RecordBatch, column: &str) -> Option<TextBlock> {
        let tokens = batch.column_by_name(column)?.as_struct_opt()?;
        TextBlock::of(tokens, batch.column_by_name("pos")?.as_list_opt::<i32>()?)
    }

    /// From token columns and the tags that go with them; `None` where their types or lengths are not those of the schema.
    pub(super) fn of(tokens: &StructArray, pos: &ListArray) -> Option<TextBlock> {
        let list = |name: &str| {
            let list = tokens.column_by_name(name)?.as_list_opt::<i32>()?;
            list.values().as_primitive_opt::<UInt16Type>()?;
            Some(list.clone())
        };
        pos.values().as_primitive_opt::<UInt8Type>()?;
        (pos.len() == tokens.len()).then_some(())?;
        Some(TextBlock {
            tokens: list("tokens")?,
            word_tokens: list("word_tokens")?,
            word_lengths: list("word_lengths")?,
            pos: pos.clone(),
            vocabulary: None,
        })
    }

    /// The same rows, which then know the vocabulary that their ids belong to.
    pub fn with_vocabulary(self, vocabulary: Option<Arc<Vocabulary>>) -> TextBlock {
        TextBlock { vocabulary, ..self }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.pos.len()
    }

    /// The text of one row.
    ///
    /// # Panics
    /// Where `row` is not below [`TextBlock::rows`].
    pub fn get(&self, row: usize) -> StoredText<'_> {
        StoredText {
            tokens: slice_u16(&self.tokens, row),
            word_tokens: slice_u16(&self.word_tokens, row),
            word_lengths: slice_u16(&self.word_lengths, row),
            pos: &self.pos.values().as_primitive::<UInt8Type>().values()[range(&self.pos, row)],
            vocabulary: self.vocabulary.as_deref(),
        }
    }

    /// Bytes that the decoded columns hold in memory.
    pub fn memory_bytes(&self) -> usize {
        [&self.tokens, &self.word_tokens, &self.word_lengths, &self.pos]
            .iter()
            .map(|list| list.get_array_memory_size())
            .sum()
    }
}

fn slice_u16(list: &ListArray, row: usize) -> &[u16] {
    &list.values().as_primitive::<UInt16Type>().values()[range(list, row)]
}

fn range(list: &ListArray, row: usize) -> std::ops::Range<usize> {
    let offsets = list.value_offsets();
    offsets[row] as usize..offsets[row + 1] as usize
}
