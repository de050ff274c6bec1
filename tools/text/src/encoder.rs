//! From a raw caption to its token columns.

use std::sync::Arc;

use clipa_schemas::penn::PennTag;
use clipa_schemas::text::TokenizedText;

use crate::clean::{CleanMode, clean_into};
use crate::clip_bpe::ClipBpe;
use crate::parts::TextParts;
use crate::tagger::{TagBuffers, Tagger};
use crate::word_cache::WordCache;
use crate::wordpiece::{WordPiece, WordPieceBuffers};
use crate::words::Words;

/// Most token ids that are stored for one word; the rest of a longer word is dropped (from its entry as a word only,
/// not from the caption's own ids). A word of ordinary letters reaches it beyond 65,535 letters.
pub const WORD_TOKENS_MAX: usize = u16::MAX as usize;

/// The token columns of one caption.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncodedCaption {
    /// CLIP's byte pairs, of the caption and word by word.
    pub clip_bpe: TokenizedText,
    /// BERT's pieces, the same way; `None` where [`crate::TextConfig::bert_vocab`] is.
    pub bert_wordpiece: Option<TokenizedText>,
    /// Penn tag of each word ([`PennTag::byte`]).
    pub pos: Vec<u8>,
    /// Number of words; 0 without a tagger.
    pub words: u32,
}

impl EncodedCaption {
    /// The token columns, in the order of [`crate::TextConfig::token_columns`].
    pub fn into_columns(self) -> Vec<TokenizedText> {
        std::iter::once(self.clip_bpe).chain(self.bert_wordpiece).collect()
    }
}

/// Turns captions into token columns; one for each worker.
///
/// The caption's own ids are those of the cleaned caption. The words are those of the raw caption, as the tagger's tokenizer
/// splits it, each cleaned and encoded alone: what the syntax mask of CLIPA joins and encodes. A word that is empty
/// after cleaning has no ids and keeps its place.
pub struct CaptionEncoder {
    tagger: Option<Arc<dyn Tagger>>,
    bpe: ClipBpe,
    bpe_words: WordCache,
    pieces: Option<Pieces>,
    buffers: TagBuffers,
    words: Words,
    tags: Vec<PennTag>,
    cleaned: String,
}

/// The second tokenizer.
struct Pieces {
    wordpiece: Arc<WordPiece>,
    buffers: WordPieceBuffers,
    words: WordCache,
}

impl TextParts {
    /// An encoder for one worker.
    pub fn encoder(&self) -> CaptionEncoder {
        CaptionEncoder::new(self)
    }
}

impl CaptionEncoder {
    fn new(parts: &TextParts) -> Self {
        CaptionEncoder {
            tagger: parts.tagger.clone(),
            bpe: ClipBpe::new(parts.merges.clone()),
            bpe_words: WordCache::default(),
            pieces: parts.wordpiece.clone().map(|wordpiece| Pieces {
                wordpiece,
                buffers: WordPieceBuffers::default(),
                words: WordCache::default(),
            }),
            buffers: TagBuffers::default(),
            words: Words::default(),
            tags: Vec::new(),
            cleaned: String::new(),
        }
    }

    /// Encodes a raw caption of any length; time grows linearly with it (`n log n` for a single word).
    pub fn encode(&mut self, caption: &str) -> EncodedCaption {
        let mut words = std::mem::take(&mut self.words);
        let encoded = self.encode_untagged(caption, &mut words);
        self.tags.clear();
        if let Some(tagger) = &self.tagger {
            tagger.tag(&words, &mut self.buffers, &mut self.tags);
        }
        self.words = words;
        EncodedCaption { pos: self.tags.iter().map(|tag| tag.byte()).collect(), ..encoded }
    }

    /// As [`CaptionEncoder::encode`], but without tags; overwrites `words`, which [`CaptionEncoder::tag_all`] tags later.
    pub fn encode_untagged(&mut self, caption: &str, words: &mut Words) -> EncodedCaption {
        words.clear();
        if let Some(tagger) = &self.tagger {
            tagger.words(caption, &mut self.buffers, words);
        }
        let CaptionEncoder { bpe, bpe_words, pieces, cleaned, .. } = self;
        let clip_bpe =
            tokenized(caption, words, CleanMode::Lower, bpe_words, cleaned, |text, ids| {
                bpe.encode(text, ids);
            });
        let bert_wordpiece = pieces.as_mut().map(|Pieces { wordpiece, buffers, words: cache }| {
            tokenized(caption, words, CleanMode::Whitespace, cache, cleaned, |text, ids| {
                wordpiece.encode(text, buffers, ids);
            })
        });
        EncodedCaption { clip_bpe, bert_wordpiece, pos: Vec::new(), words: words.len() as u32 }
    }

    /// The stored tags ([`PennTag::byte`]) of several captions' words.
    pub fn tag_all(&mut self, captions: &[Words]) -> Vec<Vec<u8>> {
        let Some(tagger) = &self.tagger else { return vec![Vec::new(); captions.len()] };
        let tags = tagger.tag_all(captions, &mut self.buffers);
        tags.into_iter().map(|tags| tags.iter().map(|tag| tag.byte()).collect()).collect()
    }
}

/// The columns of one tokenizer: `encode` appends the ids of a cleaned text.
fn tokenized(
    caption: &str,
    words: &Words,
    mode: CleanMode,
    cache: &mut WordCache,
    cleaned: &mut String,
    mut encode: impl FnMut(&str, &mut Vec<u16>),
) -> TokenizedText {
    let mut clean_and_encode = |text: &str, ids: &mut Vec<u16>| {
        cleaned.clear();
        clean_into(text, mode, cleaned);
        encode(cleaned, ids);
    };
    let mut text = TokenizedText::default();
    clean_and_encode(caption, &mut text.tokens);
    text.word_lengths.reserve_exact(words.len());
    for word in words.iter() {
        let start = text.word_tokens.len();
        cache.encode(word, &mut text.word_tokens, &mut clean_and_encode);
        text.word_tokens.truncate(start + WORD_TOKENS_MAX);
        text.word_lengths.push((text.word_tokens.len() - start) as u16);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;
    use crate::config::TextConfig;
    use crate::tagger::TaggerChoice;

    static PARTS: LazyLock<TextParts> = LazyLock::new(|| TextConfig::default().open().unwrap());

    fn encode(caption: &str) -> EncodedCaption {
        PARTS.encoder().encode(caption)
    }

    /// The ids of every word, apart.
    fn by_word(encoded: &EncodedCaption) -> Vec<&[u16]> {
        let mut rest = encoded.clip_bpe.word_tokens.as_slice();
        let lengths = encoded.clip_bpe.word_lengths.iter();
        lengths.map(|&length| rest.split_off(..usize::from(length)).unwrap()).collect()
    }

    #[test]
    fn words_are_cut_from_the_raw_caption() {
        let encoded = encode("A Dog &amp; Mr. Smith’s \u{feff}");
        // a dog & mr. smith's
        assert_eq!(encoded.clip_bpe.tokens, [320, 1929, 261, 1982, 269, 2915, 568]);
        let words = by_word(&encoded);
        // A|Dog|&|amp|;|Mr.|Smith|’|s|U+FEFF: the entity is cut before it can be read, and the last word cleans to nothing.
        let expected: [&[u16]; 10] =
            [&[320], &[1929], &[261], &[6259], &[282], &[1982, 269], &[2915], &[262], &[338], &[]];
        assert_eq!(words, expected);
        assert_eq!(encoded.words, 10);
        assert_eq!(encoded.pos.len(), 10);
    }

    #[test]
    fn without_a_tagger_there_are_no_words() {
        let parts =
            TextConfig { tagger: TaggerChoice::none(), ..TextConfig::default() }.open().unwrap();
        let encoded = parts.encoder().encode("A dog.");
        assert_eq!(encoded.clip_bpe.tokens, [320, 1929, 269]);
        let without = EncodedCaption { words: 0, pos: vec![], ..encoded.clone() };
        assert_eq!(encoded, without);
        assert!(
            encoded.clip_bpe.word_tokens.is_empty() && encoded.clip_bpe.word_lengths.is_empty()
        );
    }

    #[test]
    fn a_word_beyond_the_limit_is_cut_and_the_caption_is_not() {
        let word = "\u{4e00}".repeat(40_000);
        let encoded = encode(&format!("a {word} b"));
        assert!(encoded.clip_bpe.tokens.len() > WORD_TOKENS_MAX);
        assert_eq!(encoded.clip_bpe.word_lengths, [1, u16::MAX, 1]);
        assert_eq!(encoded.clip_bpe.word_tokens.len(), WORD_TOKENS_MAX + 2);
    }

    #[test]
    fn a_used_encoder_returns_what_a_new_one_returns() {
        let mut old = PARTS.encoder();
        let captions: Vec<String> =
            (0..3000).map(|i| format!("word{i} {} Nike {i}", i * 7)).collect();
        captions.iter().for_each(|caption| drop(old.encode(caption)));
        for caption in captions.iter().step_by(517) {
            assert_eq!(old.encode(caption), encode(caption));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn columns_of_any_caption_are_consistent(caption in r"(\PC|[ .,'\x22&;<>\n\t\x00]|&[a-z]{1,5};?|n't|\.\.){0,60}") {
            let encoded = encode(&caption);
            let total: usize = encoded.clip_bpe.word_lengths.iter().map(|&length| usize::from(length)).sum();
            prop_assert_eq!(total, encoded.clip_bpe.word_tokens.len());
            prop_assert_eq!(encoded.words as usize, encoded.clip_bpe.word_lengths.len());
            prop_assert_eq!(encoded.pos.len(), encoded.clip_bpe.word_lengths.len());
            prop_assert!(encoded.pos.iter().all(|&tag| PennTag::from_byte(tag) != PennTag::UNKNOWN));
        }
    }
}
