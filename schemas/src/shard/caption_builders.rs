//! The columns of all captions of an image, where it has several: lists of what the first caption's columns hold.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, ListArray, ListBuilder, NullBufferBuilder, UInt8Builder},
    buffer::OffsetBuffer,
    datatypes::DataType,
};

use super::{
    layout::{item_field, list_of, token_struct},
    token_builders::{TokenBuilders, list_builder},
};
use crate::{
    sample::Sample,
    text::{EncodedText, MAX_CAPTIONS},
};

/// Lists of captions under construction; a row with one caption is null in all of them.
pub(super) struct CaptionBuilders {
    /// Captions of each row.
    lengths: Vec<usize>,
    several: NullBufferBuilder,
    tokens: Vec<TokenBuilders>,
    pos: ListBuilder<UInt8Builder>,
}

impl CaptionBuilders {
    pub(super) fn new(token_columns: usize) -> CaptionBuilders {
        CaptionBuilders {
            lengths: Vec::new(),
            several: NullBufferBuilder::new(0),
            tokens: (0..token_columns).map(|_| TokenBuilders::new()).collect(),
            pos: list_builder(UInt8Builder::new(), DataType::UInt8),
        }
    }

    /// What is wrong with the captions of a sample.
    pub(super) fn misfit(&self, sample: &Sample) -> Option<String> {
        let Some(captions) = &sample.captions else {
            let is_one = sample.captions_text.is_empty() && sample.caption_sources.is_none();
            return (!is_one).then(|| "tokens or sources of captions that it has not".to_owned());
        };
        let (texts, sources) = (sample.captions_text.len(), sample.caption_sources.as_ref());
        if !(2..=MAX_CAPTIONS).contains(&captions.len()) {
            return Some(format!("{} captions, not 2 to {MAX_CAPTIONS}", captions.len()));
        }
        if captions.first() != Some(&sample.caption) {
            return Some("its caption is not the first of its captions".to_owned());
        }
        if texts != captions.len() || sources.map(Vec::len) != Some(captions.len()) {
            return Some("as many captions as sources and encoded texts are needed".to_owned());
        }
        let columns = sample.captions_text.iter().map(|text| text.tokens.len());
        let wrong = columns.into_iter().find(|&columns| columns != self.tokens.len())?;
        Some(format!("{wrong} token columns of a caption"))
    }

    /// One row: its captions, none where there is one.
    pub(super) fn append(&mut self, captions: &[EncodedText]) {
        for caption in captions {
            for (builders, text) in self.tokens.iter_mut().zip(&caption.tokens) {
                builders.append(text);
            }
            self.pos.values().append_slice(&caption.pos);
            self.pos.append(true);
        }
        self.lengths.push(captions.len());
        self.several.append(!captions.is_empty());
    }

    /// The columns of the rows so far: one a token column, then the tags.
    pub(super) fn finish(&mut self) -> impl Iterator<Item = ListArray> {
        let offsets = OffsetBuffer::<i32>::from_lengths(self.lengths.drain(..));
        let nulls = self.several.finish();
        let list = |kind, values| {
            ListArray::new(Arc::new(item_field(kind)), offsets.clone(), values, nulls.clone())
        };
        let mut columns: Vec<ListArray> = self
            .tokens
            .iter_mut()
            .map(|builders| list(token_struct(), Arc::new(builders.finish()) as ArrayRef))
            .collect();
        columns.push(list(list_of(DataType::UInt8), Arc::new(self.pos.finish())));
        columns.into_iter()
    }
}
