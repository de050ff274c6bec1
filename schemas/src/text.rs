//! A caption as it is stored: token ids of the whole, token ids word by word, a tag a word.

use crate::vocabulary::Vocabulary;

/// The token columns of one caption for one tokenizer (`clip_bpe`, `bert_wordpiece`), without special tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenizedText {
    /// Ids of the cleaned caption.
    pub tokens: Vec<u16>,
    /// Ids of each word as the tagger's tokenizer split the raw caption, one word after the other.
    pub word_tokens: Vec<u16>,
    /// How many of `word_tokens` each word owns; a word that cleans to nothing owns none.
    pub word_lengths: Vec<u16>,
}

/// Most captions of one image.
pub const MAX_CAPTIONS: usize = 64;

/// One of an image's captions, encoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncodedText {
    /// Token columns, in the writer's order of token columns.
    pub tokens: Vec<TokenizedText>,
    /// Penn tag of each word; empty without a tagger.
    pub pos: Vec<u8>,
}

/// A [`TokenizedText`], borrowed from a shard, with the tags that go with the words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoredText<'a> {
    /// Ids of the cleaned caption, without specials.
    pub tokens: &'a [u16],
    /// Ids of each word, one word after the other.
    pub word_tokens: &'a [u16],
    /// How many of `word_tokens` each word owns.
    pub word_lengths: &'a [u16],
    /// Penn tag of each word ([`crate::penn::PennTag::byte`]); as long as `word_lengths`, or empty where no tagger ran.
    pub pos: &'a [u8],
    /// The vocabulary that the ids belong to, where the data set has its tags and someone wants them.
    pub vocabulary: Option<&'a Vocabulary>,
}

impl TokenizedText {
    /// Borrows the columns together with the words' tags.
    pub fn stored<'a>(&'a self, pos: &'a [u8]) -> StoredText<'a> {
        StoredText {
            tokens: &self.tokens,
            word_tokens: &self.word_tokens,
            word_lengths: &self.word_lengths,
            pos,
            vocabulary: None,
        }
    }
}
