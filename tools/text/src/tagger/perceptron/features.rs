//! What the perceptron looks at: about forty hashes a word.

use clipa_schemas::penn::PennTag;

use super::lexicon::{Lexicon, TagSet};
use crate::characters::{is_letter, is_number};
use crate::words::Words;

/// Features of one word in its context.
pub(super) const FEATURES: usize = 42;
/// The hashes of one word's features; equal features have equal hashes.
pub(super) type FeatureHashes = [u32; FEATURES];
/// Longest suffix in characters.
const SUFFIX_CHARS_MAX: usize = 4;
/// Longest prefix in characters.
const PREFIX_CHARS_MAX: usize = 3;

/// Everything about the words of a caption that does not depend on tags.
#[derive(Default)]
pub struct WordBuffers {
    words: Vec<WordView>,
    capitals: Capitals,
    folded: String,
    shape: String,
}

/// Hashes of one word's views.
#[derive(Clone, Copy, Default)]
pub(super) struct WordView {
    /// As written.
    exact: u64,
    /// In lower case, digits as 0, quotes straight.
    folded: u64,
    suffixes: [u64; SUFFIX_CHARS_MAX],
    prefixes: [u64; PREFIX_CHARS_MAX],
    /// Kinds of characters, runs shortened: `Xx`, `X`, `d.d`.
    shape: u64,
    /// Tags that the word had in training, most of the time.
    possible: TagSet,
    /// The tag of a word that has only one.
    certain: Option<PennTag>,
}

/// How a list of words uses capitals; a capital says little where all words have one.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Capitals {
    /// No word has one.
    Never,
    /// Words of both kinds.
    #[default]
    Sometimes,
    /// All words but short ones have one.
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

/// What stands before the first word and after the last.
const OUTSIDE: u64 = 0x5151_5151;

impl WordBuffers {
    /// Looks at all words.
    pub(super) fn view(&mut self, words: &Words, lexicon: &Lexicon) {
        self.words.clear();
        self.capitals = Capitals::of(words);
        for word in words.iter() {
            let view = self.view_word(word, lexicon);
            self.words.push(view);
        }
    }

    /// The tag of the word at `index` if there is nothing to decide.
    pub(super) fn certain(&self, index: usize) -> Option<PennTag> {
        self.words[index].certain
    }

    fn view_word(&mut self, word: &str, lexicon: &Lexicon) -> WordView {
        fold(word, &mut self.folded);
        shape(word, &mut self.shape);
        let (exact, folded) = (hash(word.as_bytes()), hash(self.folded.as_bytes()));
        let mut view = WordView {
            exact,
            folded,
            shape: hash(self.shape.as_bytes()),
            possible: lexicon.possible(folded),
            certain: lexicon.certain(exact),
            ..WordView::default()
        };
        let starts = self.folded.char_indices().rev().map(|(start, _)| start);
        for (suffix, start) in view.suffixes.iter_mut().zip(starts) {
            *suffix = hash(&self.folded.as_bytes()[start..]);
        }
        let ends = self.folded.char_indices().map(|(start, c)| start + c.len_utf8());
        for (prefix, end) in view.prefixes.iter_mut().zip(ends) {
            *prefix = hash(&self.folded.as_bytes()[..end]);
        }
        view
    }

    /// The features of the word at `index` after words tagged `previous` and, before that, `second`.
    pub(super) fn features(&self, index: usize, previous: u8, second: u8) -> FeatureHashes {
        const NOBODY: WordView = WordView {
            exact: OUTSIDE,
            folded: OUTSIDE,
            suffixes: [OUTSIDE; SUFFIX_CHARS_MAX],
            prefixes: [OUTSIDE; PREFIX_CHARS_MAX],
            shape: OUTSIDE,
            possible: TagSet::OUTSIDE,
            certain: None,
        };
        let at = |index: Option<usize>| index.and_then(|i| self.words.get(i)).unwrap_or(&NOBODY);
        let word = &self.words[index];
        let (left, left2) = (at(index.checked_sub(1)), at(index.checked_sub(2)));
        let (right, right2) = (at(Some(index + 1)), at(Some(index + 2)));
        let (tag, tag2) = (u64::from(previous) + 1, u64::from(second) + 1);
        let tags = tag << 8 | tag2;
        let [suffix1, suffix2, suffix3, suffix4] = word.suffixes;
        let possible = |view: &WordView| view.possible.bits();
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

/// The word as most features see it.
pub(super) fn folded(word: &str) -> String {
    let mut out = String::new();
    fold(word, &mut out);
    out
}

/// Lower case, every digit 0, quotes straight.
fn fold(word: &str, out: &mut String) {
    out.clear();
    for c in word.chars() {
        match c {
            '’' | '‘' => out.push('\''),
            '“' | '”' => out.push('"'),
            '–' | '—' => out.push('-'),
            _ if c.is_ascii_digit() => out.push('0'),
            _ if c.is_ascii() => out.push(c.to_ascii_lowercase()),
            _ => out.extend(c.to_lowercase()),
        }
    }
}

/// `X` for capitals, `x` for other letters, `d` for numbers, other characters themselves; runs count once, but a lone
/// capital differs from several.
fn shape(word: &str, out: &mut String) {
    out.clear();
    let mut last = None;
    let mut run = 0;
    for c in word.chars() {
        let kind = match c {
            _ if c.is_uppercase() => 'X',
            _ if is_letter(c) => 'x',
            _ if is_number(c) => 'd',
            '’' | '‘' => '\'',
            '–' | '—' => '-',
            _ => c,
        };
        run = if last == Some(kind) { run + 1 } else { 0 };
        last = Some(kind);
        if run == 0 || (run == 1 && kind == 'X') {
            out.push(kind);
        }
    }
}

/// A hash of bytes that never changes: it is part of the weights' file format.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    let mut state = 0x9E37_79B9_7F4A_7C15u64 ^ bytes.len() as u64;
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        state = fold_multiply(
            state ^ u64::from_le_bytes(chunk.try_into().expect("8 bytes")),
            MULTIPLIER,
        );
    }
    let mut last = [0; 8];
    last[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
    fold_multiply(state ^ u64::from_le_bytes(last), MULTIPLIER)
}

const MULTIPLIER: u64 = 0xD6E8_FEB8_6659_FD93;

/// The two halves of the 128-bit product, folded together.
fn fold_multiply(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product >> 64) as u64 ^ product as u64
}

fn mix(kind: u64, a: u64, b: u64) -> u32 {
    let a = fold_multiply(a ^ (kind + 1).wrapping_mul(0xA076_1D64_78BD_642F), MULTIPLIER);
    let all = fold_multiply(a ^ b.wrapping_mul(0xE703_7ED1_A0B4_28DB) ^ kind, MULTIPLIER);
    (all >> 32) as u32 ^ all as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_folded_and_shaped() {
        let (mut folded, mut shaped) = (String::new(), String::new());
        for (word, expected_fold, expected_shape) in [
            ("McDonald’s", "mcdonald's", "XxXx'x"),
            ("USA", "usa", "XX"),
            ("10.5cm", "00.0cm", "d.dx"),
            ("ÉCOLE–x", "école-x", "XX-x"),
        ] {
            fold(word, &mut folded);
            shape(word, &mut shaped);
            assert_eq!((folded.as_str(), shaped.as_str()), (expected_fold, expected_shape));
        }
    }

    /// The hashes are on disk: if they change, the embedded weights have to be trained anew.
    #[test]
    fn the_hashes_are_those_that_the_weights_were_trained_with() {
        let all: Vec<u64> =
            ["", "a", "dog", "eight by", "eight bytes"].map(|word| hash(word.as_bytes())).into();
        assert_eq!(all, HASHES);
        assert_eq!([mix(1, 2, 3), mix(2, 1, 3), mix(0, 0, 0)], MIXED);
    }

    const HASHES: [u64; 5] = [
        14_544_503_408_999_129_173,
        6_970_428_254_152_358_277,
        8_107_365_512_619_091_307,
        2_682_848_406_687_474_933,
        5_529_194_192_707_268_972,
    ];
    const MIXED: [u32; 3] = [1_139_793_949, 507_934_407, 3_246_996_562];
}
