//! All captions of the images of one row group, decoded once and then borrowed caption by caption.

use std::{ops::Range, sync::Arc};

use arrow::{
    array::{AsArray, ListArray, RecordBatch, StringArray},
    buffer::OffsetBuffer,
};

use super::{ShardReader, TextBlock, layout::several_name};
use crate::{
    error::{Error, Result},
    text::StoredText,
    vocabulary::Vocabulary,
};

/// The column that says where captions come from.
const SOURCES: &str = "caption_sources";

/// Every caption of every image of a row group.
#[derive(Clone, Debug)]
pub struct CaptionBlock {
    /// The first caption of each row.
    first: TextBlock,
    /// The captions of rows that have several, one row's after the other's.
    all: TextBlock,
    /// Which of `all` belong to a row; none where it has one caption.
    places: OffsetBuffer<i32>,
    sources: StringArray,
}

/// The captions of one image, borrowed.
#[derive(Clone, Debug)]
pub struct Captions<'a> {
    block: &'a CaptionBlock,
    row: usize,
    /// Places among all captions; empty where there is one.
    places: Range<usize>,
}

impl ShardReader {
    /// Token and tag columns of all captions of one row group, decoded.
    ///
    /// # Errors
    /// [`Error::MissingColumn`], [`Error::Corrupt`].
    pub fn captions_of(&self, row_group: usize, tokens: &str) -> Result<CaptionBlock> {
        let names = CaptionBlock::columns(tokens);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let batch = self.columns(row_group, &names)?;
        CaptionBlock::from_batch(&batch, tokens).ok_or_else(|| {
            let detail = format!("the columns of captions for `{tokens}` contradict each other");
            Error::corrupt(self.path(), detail)
        })
    }
}

impl CaptionBlock {
    /// The columns that it is made of, for the token column of that name.
    pub fn columns(tokens: &str) -> [String; 5] {
        [
            tokens.to_owned(),
            "pos".to_owned(),
            several_name(tokens),
            several_name("pos"),
            SOURCES.to_owned(),
        ]
    }

    fn from_batch(batch: &RecordBatch, column: &str) -> Option<CaptionBlock> {
        let list = |name: &str| batch.column_by_name(name)?.as_list_opt::<i32>();
        let (tokens, pos) = (list(&several_name(column))?, list(&several_name("pos"))?);
        let sources = list(SOURCES)?;
        let places = tokens.offsets();
        let is_same = |other: &ListArray| other.offsets() == places;
        if !is_same(pos) || !is_same(sources) {
            return None;
        }
        let all = TextBlock::of(tokens.values().as_struct_opt()?, pos.values().as_list_opt()?)?;
        Some(CaptionBlock {
            first: TextBlock::from_batch(batch, column)?,
            all,
            places: places.clone(),
            sources: sources.values().as_string_opt::<i32>()?.clone(),
        })
    }

    /// Does `list` hold one value for each of the captions?
    pub(super) fn is_beside(&self, list: &ListArray) -> bool {
        *list.offsets() == self.places
    }

    /// The same captions, which then know the vocabulary that their ids belong to.
    pub fn with_vocabulary(self, vocabulary: Option<Arc<Vocabulary>>) -> CaptionBlock {
        CaptionBlock {
            first: self.first.with_vocabulary(vocabulary.clone()),
            all: self.all.with_vocabulary(vocabulary),
            ..self
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.first.rows()
    }

    /// The first caption of every row.
    pub fn first(&self) -> &TextBlock {
        &self.first
    }

    /// The captions of one row, at least one.
    ///
    /// # Panics
    /// Where `row` is not below [`CaptionBlock::rows`].
    pub fn captions(&self, row: usize) -> Captions<'_> {
        let places = self.places[row] as usize..self.places[row + 1] as usize;
        Captions { block: self, row, places }
    }
}

impl<'a> Captions<'a> {
    /// How many there are, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "there is always one")]
    pub fn len(&self) -> usize {
        self.places.len().max(1)
    }

    /// One caption.
    ///
    /// # Panics
    /// Where `caption` is not below [`Captions::len`].
    pub fn get(&self, caption: usize) -> StoredText<'a> {
        assert!(caption < self.len(), "caption {caption} of {}", self.len());
        match self.places.is_empty() {
            true => self.block.first.get(self.row),
            false => self.block.all.get(self.places.start + caption),
        }
    }

    /// Where a caption comes from (`txt`, `json:caption`); `None` where that is not known, as of a row's only caption.
    pub fn source(&self, caption: usize) -> Option<&'a str> {
        let place = self.places.clone().nth(caption)?;
        Some(self.block.sources.value(place)).filter(|source| !source.is_empty())
    }

    /// All of them, the first one first.
    pub fn iter(&self) -> impl Iterator<Item = StoredText<'a>> {
        (0..self.len()).map(|caption| self.get(caption))
    }
}
