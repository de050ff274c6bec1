//! Feature extraction: 42 hashes a word.

use clipa_schemas::penn::PennTag;

use super::hash::{hash, mix};
use super::lexicon::{Lexicon, TagSet};
use super::word_form::{fold, shape};
use crate::words::Words;

/// Features of one word in its context.
pub(super) const FEATURES: usize = 42;
/// The hashes of one word's features; equal features have equal hashes.
pub(super) type FeatureHashes = [u32; FEATURES];
/// Longest suffix in characters.
const SUFFIX_CHARS_MAX: usize = 4;
/// Longest prefix in characters.
const PREFIX_CHARS_MAX: usize = 3;

/// What the features of a caption's words are made of, as far as it does not depend on tags.
#[derive(Default)]
pub(super) struct CaptionFeatures {
    words: Vec<WordFeatures>,
    capitals: Capitals,
    folded: String,
    shape: String,
}

/// Hashes of one word's forms and affixes, and its tags in training.
#[derive(Clone, Copy, Default)]
struct WordFeatures {
    /// As written.
    exact: u64,
    /// In lower case, digits as 0, quotes straight.
    folded: u64,
    suffixes: [u64; SUFFIX_CHARS_MAX],
    prefixes: [u64; PREFIX_CHARS_MAX],
    /// Kinds of characters, runs shortened: `Xx`, `X`, `d.d`.
    shape: u64,
    /// Tags that the word had in training, rare ones left out.
    possible: TagSet,
    /// The tag of a word that has only one.
    certain: Option<PennTag>,
}

/// Which words of a caption start with a capital. Where all do, a capital is no sign of a name.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Capitals {
    /// None.
    Never,
    /// Some.
    #[default]
    Sometimes,
    /// All but short ones.
    Always,
}

/// Words of fewer letters are in lower case in titles, too.
const TITLE_LETTERS_MIN: usize = 4;

impl Capitals {
    fn of(words: &Words) -> Capitals {
        let (mut upper, mut lower) = (false, false);
        for word in words.iter() {
            match word.chars().next() {
                Some(first) if first.is_uppercase() => upper = true,
                Some(first) if first.is_lowercase() && word.len() >= TITLE_LETTERS_MIN => {
                    lower = true
                }
                _ => {}
            }
        }
        match (upper, lower) {
            (false, _) => Capitals::Never,
            (true, true) => Capitals::Sometimes,
            (true, false) => Capitals::Always,
        }
    }
}

/// The hash of what is before the first word and after the last.
const OUTSIDE: u64 = 0x5151_5151;

impl CaptionFeatures {
    /// Extracts what depends on no tag from the words of one caption.
    pub(super) fn extract(&mut self, words: &Words, lexicon: &Lexicon) {
        self.words.clear();
        self.capitals = Capitals::of(words);
        for word in words.iter() {
            let features = self.extract_word(word, lexicon);
            self.words.push(features);
        }
    }

    /// The tag of the word at `index`, if it had only one in training.
    pub(super) fn certain(&self, index: usize) -> Option<PennTag> {
        self.words[index].certain
    }

    fn extract_word(&mut self, word: &str, lexicon: &Lexicon) -> WordFeatures {
        fold(word, &mut self.folded);
        shape(word, &mut self.shape);
        let (exact, folded) = (hash(word.as_bytes()), hash(self.folded.as_bytes()));
        let mut features = WordFeatures {
            exact,
            folded,
            shape: hash(self.shape.as_bytes()),
            possible: lexicon.possible(folded),
            certain: lexicon.certain(exact),
            ..WordFeatures::default()
        };
        let starts = self.folded.char_indices().rev().map(|(start, _)| start);
        for (suffix, start) in features.suffixes.iter_mut().zip(starts) {
            *suffix = hash(&self.folded.as_bytes()[start..]);
        }
        let ends = self.folded.char_indices().map(|(start, c)| start + c.len_utf8());
        for (prefix, end) in features.prefixes.iter_mut().zip(ends) {
            *prefix = hash(&self.folded.as_bytes()[..end]);
        }
        features
    }

    /// The features of the word at `index` after a word tagged `previous` and, before that, one tagged `previous2`.
    pub(super) fn features(&self, index: usize, previous: u8, previous2: u8) -> FeatureHashes {
        const OUTSIDE_WORD: WordFeatures = WordFeatures {
            exact: OUTSIDE,
            folded: OUTSIDE,
            suffixes: [OUTSIDE; SUFFIX_CHARS_MAX],
            prefixes: [OUTSIDE; PREFIX_CHARS_MAX],
            shape: OUTSIDE,
            possible: TagSet::OUTSIDE,
            certain: None,
        };
        let at =
            |index: Option<usize>| index.and_then(|i| self.words.get(i)).unwrap_or(&OUTSIDE_WORD);
        let word = &self.words[index];
        let (left, left2) = (at(index.checked_sub(1)), at(index.checked_sub(2)));
        let (right, right2) = (at(Some(index + 1)), at(Some(index + 2)));
        let (tag, tag2) = (u64::from(previous) + 1, u64::from(previous2) + 1);
        let tags = tag << 8 | tag2;
        let [suffix1, suffix2, suffix3, suffix4] = word.suffixes;
        let possible = |word: &WordFeatures| word.possible.bits();
        let one = |kind: u64, a: u64| mix(kind, a, 0);
        [
            one(0, 0),
            one(1, word.exact),
            one(2, word.folded),
            one(3, suffix1),
            one(4, suffix2),
            one(5, suffix3),
            one(6, suffix4),
            one(7, word.prefixes[0]),
            one(8, word.prefixes[1]),
            one(9, word.prefixes[2]),
            one(10, word.shape),
            mix(11, word.shape, u64::from(index == 0)),
            one(12, tag),
            one(13, tags),
            mix(14, tag, word.folded),
            mix(15, tags, word.folded),
            mix(16, tag, suffix3),
            mix(17, tag, suffix2),
            mix(18, tag, word.shape),
            one(19, left.folded),
            one(20, left2.folded),
            one(21, right.folded),
            one(22, right2.folded),
            one(23, left.suffixes[2]),
            one(24, right.suffixes[2]),
            mix(25, left.folded, word.folded),
            mix(26, word.folded, right.folded),
            mix(27, left.folded, right.folded),
            mix(28, left.shape, word.shape),
            mix(29, word.shape, right.shape),
            mix(30, tag, possible(right)),
            mix(31, possible(word), possible(right)),
            mix(32, tag, possible(word) ^ possible(right).rotate_left(17)),
            mix(33, possible(right), possible(right2)),
            mix(34, tags, possible(word)),
            mix(35, suffix3, right.suffixes[1]),
            mix(36, tags, right.folded),
            mix(37, left2.folded, left.folded),
            mix(38, word.shape, self.capitals as u64),
            mix(39, suffix3, word.shape),
            mix(40, possible(word) ^ self.capitals as u64, word.shape),
            mix(41, word.folded, possible(right)),
        ]
    }
}
