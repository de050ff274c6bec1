//! One caption in, its token columns out.

use clipa_schemas::penn::PennTag;
use clipa_schemas::text::TokenizedText;
use rustc_hash::FxHashMap;

use super::clean::{CleanMode, clean_into};
use super::clip_bpe::ClipBpe;
use super::config::TextParts;
use super::tagger::TagBuffers;
use super::words::Words;

/// Most token ids that are stored for one word; the rest of a longer word is dropped (from its entry as a word only,
/// not from the caption's own ids). A word of ordinary letters reaches it beyond 65,535 letters.
pub const WORD_TOKENS_MAX: usize = u16::MAX as usize;

/// Words that a worker remembers at most; a full cache is emptied.
const CACHED_WORDS_MAX: usize = 1 << 16;
/// Longest word that is remembered, in bytes.
const CACHED_WORD_BYTES_MAX: usize = 32;

/// The token columns of one caption.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncodedCaption {
    /// CLIP's byte pairs, of the caption and word by word.
    pub clip_bpe: TokenizedText,
    /// Penn tag of each word ([`PennTag::byte`]).
    pub pos: Vec<u8>,
    /// Number of words; 0 without a tagger.
    pub words: u32,
}

impl EncodedCaption {
    /// The token columns, in the order of [`super::TextConfig::token_columns`].
    pub fn into_columns(self) -> Vec<TokenizedText> {
        vec![self.clip_bpe]
    }
}

/// Turns captions into token columns; one for each worker.
///
/// The caption's own ids are those of the cleaned caption. The words are those of the raw caption, as the tagger's tokenizer
/// cuts it, each cleaned and encoded for itself: what the syntax mask of CLIPA joins and encodes. A word of which
/// cleaning leaves nothing has no ids and keeps its place.
pub struct CaptionEncoder {
    parts: TextParts,
    bpe: ClipBpe,
    buffers: TagBuffers,
    words: Words,
    tags: Vec<PennTag>,
    cleaned: String,
    /// Raw word to its ids: a range of `cached_ids`.
    cache: FxHashMap<Box<str>, (u32, u32)>,
    cached_ids: Vec<u16>,
}

impl CaptionEncoder {
    pub(super) fn new(parts: &TextParts) -> Self {
        CaptionEncoder {
            parts: parts.clone(),
            bpe: ClipBpe::new(parts.merges.clone()),
            buffers: TagBuffers::default(),
            words: Words::default(),
            tags: Vec::new(),
            cleaned: String::new(),
            cache: FxHashMap::default(),
            cached_ids: Vec::new(),
        }
    }

    /// Encodes a raw caption of any length; time grows linearly with it (`n log n` for a single word).
    pub fn encode(&mut self, caption: &str) -> EncodedCaption {
        let mut encoded = EncodedCaption::default();
        self.cleaned.clear();
        clean_into(caption, CleanMode::Lower, &mut self.cleaned);
        self.bpe.encode(&self.cleaned, &mut encoded.clip_bpe.tokens);
        let Some(tagger) = self.parts.tagger.clone() else { return encoded };

        let mut words = std::mem::take(&mut self.words);
        words.clear();
        tagger.words(caption, &mut self.buffers, &mut words);
        self.tags.clear();
        tagger.tag(&words, &mut self.buffers, &mut self.tags);
        encoded.words = words.len() as u32;
        encoded.pos.extend(self.tags.iter().map(|tag| tag.byte()));
        encoded.clip_bpe.word_lengths.reserve(words.len());
        for word in words.iter() {
            let start = encoded.clip_bpe.word_tokens.len();
            self.encode_word(word, &mut encoded.clip_bpe.word_tokens);
            encoded.clip_bpe.word_tokens.truncate(start + WORD_TOKENS_MAX);
            let length = encoded.clip_bpe.word_tokens.len() - start;
            encoded.clip_bpe.word_lengths.push(length as u16);
        }
        self.words = words;
        encoded
    }

    fn encode_word(&mut self, word: &str, ids: &mut Vec<u16>) {
        if let Some(&(start, end)) = self.cache.get(word) {
            ids.extend_from_slice(&self.cached_ids[start as usize..end as usize]);
            return;
        }
        let start = ids.len();
        self.cleaned.clear();
        clean_into(word, CleanMode::Lower, &mut self.cleaned);
        self.bpe.encode(&self.cleaned, ids);
        if word.len() > CACHED_WORD_BYTES_MAX {
            return;
        }
        if self.cache.len() == CACHED_WORDS_MAX {
            self.cache.clear();
            self.cached_ids.clear();
        }
        let cached = self.cached_ids.len();
        self.cached_ids.extend_from_slice(&ids[start..]);
        self.cache.insert(word.into(), (cached as u32, self.cached_ids.len() as u32));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::super::config::{TaggerChoice, TextConfig};
    use super::*;

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
    fn words_are_those_of_the_raw_caption() {
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
        let parts = TextConfig { tagger: TaggerChoice::None }.open().unwrap();
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
    fn a_worker_that_has_seen_others_encodes_as_a_new_one() {
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
        fn any_caption_gives_consistent_columns(caption in r"(\PC|[ .,'\x22&;<>\n\t\x00]|&[a-z]{1,5};?|n't|\.\.){0,60}") {
            let encoded = encode(&caption);
            let total: usize = encoded.clip_bpe.word_lengths.iter().map(|&length| usize::from(length)).sum();
            prop_assert_eq!(total, encoded.clip_bpe.word_tokens.len());
            prop_assert_eq!(encoded.words as usize, encoded.clip_bpe.word_lengths.len());
            prop_assert_eq!(encoded.pos.len(), encoded.clip_bpe.word_lengths.len());
            prop_assert!(encoded.pos.iter().all(|&tag| PennTag::from_byte(tag) != PennTag::UNKNOWN));
        }
    }
}
