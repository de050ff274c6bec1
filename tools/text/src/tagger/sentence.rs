//! A tagged sentence.

use clipa_schemas::penn::PennTag;

/// Words and their tags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sentence {
    /// The words.
    pub words: Vec<String>,
    /// One tag a word.
    pub tags: Vec<PennTag>,
}

impl Sentence {
    /// Words with their tags.
    pub fn iter(&self) -> impl Iterator<Item = (&str, PennTag)> {
        self.words.iter().map(String::as_str).zip(self.tags.iter().copied())
    }

    /// Adds a word at the end.
    pub fn push(&mut self, word: impl Into<String>, tag: PennTag) {
        self.words.push(word.into());
        self.tags.push(tag);
    }
}
