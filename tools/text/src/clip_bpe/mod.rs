//! CLIP's byte pair encoding: ids identical to open_clip's `SimpleTokenizer.encode`, without special tokens.
//!
//! The merge table is read out of the crate `instant-clip-tokenizer` ([`Merges::of_clip`]), so no file is needed at run
//! time and this repository contains no vocabulary. The encoder itself is ours: that crate merges in quadratic time (a
//! caption of 60,000 letters takes seconds), and does not ignore the case of `ſ` as Python's regex does.

mod merge;
mod merges;
mod pairs;
mod split;
mod symbols;

use std::sync::Arc;

pub use merges::{Merges, VocabularyError};
pub use symbols::{END_OF_TEXT, START_OF_TEXT};

use merge::Merger;
use split::{Piece, Pieces};

use crate::word_cache::WordCache;

/// Encodes cleaned text for one worker: shares the merge table, owns a cache and buffers.
///
/// ```
/// use std::sync::Arc;
/// use clipa_text::clip_bpe::{ClipBpe, Merges};
/// let mut bpe = ClipBpe::new(Arc::new(Merges::of_clip().unwrap()));
/// let mut ids = Vec::new();
/// bpe.encode("a photo of a dog.", &mut ids);
/// assert_eq!(ids, [320, 1125, 539, 320, 1929, 269]);
/// ```
pub struct ClipBpe {
    merges: Arc<Merges>,
    merger: Merger,
    cache: WordCache,
}

impl ClipBpe {
    /// An encoder over this table, its cache empty.
    pub fn new(merges: Arc<Merges>) -> Self {
        ClipBpe { merges, merger: Merger::default(), cache: WordCache::default() }
    }

    /// Appends the ids of `text`, which is cleaned and in lower case already ([`crate::clean`]).
    /// Time grows with `n log n` of the longest piece and linearly with the number of pieces.
    pub fn encode(&mut self, text: &str, ids: &mut Vec<u16>) {
        for piece in Pieces::new(text) {
            match piece {
                Piece::StartOfText => ids.push(START_OF_TEXT),
                Piece::EndOfText => ids.push(END_OF_TEXT),
                Piece::Word(word) => self.cache.encode(word, ids, |word, ids| {
                    self.merger.merge(word, self.merges.pairs(), ids);
                }),
            }
        }
    }

    /// The text of these ids ([`Merges::decode`]).
    pub fn decode(&self, ids: &[u16]) -> String {
        self.merges.decode(ids)
    }

    /// The text of one id ([`Merges::piece`]).
    pub fn piece(&self, id: u16) -> String {
        self.merges.piece(id)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use instant_clip_tokenizer::Tokenizer;
    use proptest::prelude::*;

    use super::*;

    static MERGES: LazyLock<Arc<Merges>> = LazyLock::new(|| Arc::new(Merges::of_clip().unwrap()));

    fn encode(text: &str) -> Vec<u16> {
        let mut ids = Vec::new();
        ClipBpe::new(MERGES.clone()).encode(text, &mut ids);
        ids
    }

    fn encode_with_the_crate(tokenizer: &Tokenizer, text: &str) -> Vec<u16> {
        let mut tokens = Vec::new();
        tokenizer.encode(text, &mut tokens);
        tokens.into_iter().map(|token| token.to_u16()).collect()
    }

    /// Rows made with open_clip 3.3.0 (`cargo xtask peers model`), specials and padding left out.
    #[test]
    fn ids_are_those_of_open_clip() {
        assert_eq!(encode("a photo of a dog."), [320, 1125, 539, 320, 1929, 269]);
        assert_eq!(encode(""), [0u16; 0]);
        let logo = "café naïve, adidas! sneakers 2019 w/ logo_v2";
        let start = [15304, 1097, 35689, 563, 267, 9589, 256, 17397, 273, 271, 272, 280, 342, 270];
        assert_eq!(encode(logo)[..14], start);
        let quoted = [585, 568, 272, 271, 267, 271, 271, 271, 262, 27706, 262, 283, 321, 285];
        assert_eq!(encode("it's 10,000 'quoted' <b>"), quoted);
        let beijing = [161, 234, 245, 21078, 105, 42021, 480, 16327, 7334];
        assert_eq!(encode("北京市 emoji 😀"), beijing);
    }

    #[test]
    fn literal_special_tokens_have_their_ids_only_where_a_piece_starts() {
        assert_eq!(encode("<start_of_text> a <end_of_text>"), [START_OF_TEXT, 320, END_OF_TEXT]);
        assert!(!encode("!<end_of_text>").contains(&END_OF_TEXT));
        assert_eq!(encode("a<end_of_text>b")[1], END_OF_TEXT);
    }

    #[test]
    fn ids_decode_to_their_text() {
        let text = "北京市 emoji 😀 don 't naïve \u{fffd} 7 !?";
        let ids = encode(text);
        assert_eq!(MERGES.decode(&ids), text);
        assert_eq!(
            MERGES.decode(&[START_OF_TEXT, 320, END_OF_TEXT, u16::MAX]),
            "<start_of_text> a <end_of_text>"
        );
        assert_eq!(MERGES.piece(161), "\u{fffd}");
    }

    #[test]
    fn a_piece_longer_than_any_cache_entry_is_encoded_like_a_short_one() {
        let tokenizer = Tokenizer::new();
        for text in ["abcdefghij".repeat(30), "aa".repeat(99), "é".repeat(77), "!?".repeat(64)] {
            assert_eq!(encode(&text), encode_with_the_crate(&tokenizer, &text), "{text}");
        }
    }

    #[test]
    fn a_word_of_sixty_thousand_letters_is_encoded() {
        let letters: String =
            (0u32..60_000).map(|i| char::from(b'a' + (i * i % 26) as u8)).collect();
        let ids = encode(&letters);
        assert!(ids.len() > 10_000 && ids.len() < 60_000);
        // The pattern repeats every 26 letters, so its ids do too; compare with a short stretch.
        let period = encode(&letters[..26 * 40]);
        assert_eq!(ids[..period.len() - 30], period[..period.len() - 30]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn agrees_with_the_crate(text in r"([a-z']{0,12}|[0-9]{1,3}|\PC{0,6}|[ .,!?'&-]{1,4}){0,12}") {
            static TOKENIZER: LazyLock<Tokenizer> = LazyLock::new(Tokenizer::new);
            let text = text.to_lowercase();
            prop_assert_eq!(encode(&text), encode_with_the_crate(&TOKENIZER, &text));
        }
    }
}
