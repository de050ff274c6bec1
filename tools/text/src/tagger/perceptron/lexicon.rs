//! The lexicon of training: the tags that each word can have, and the words that have only one.

use std::collections::BTreeMap;

use clipa_schemas::penn::PennTag;
use rustc_hash::FxHashMap;

use super::hash::hash;
use super::word_form::folded;
use crate::tagger::sentence::Sentence;

/// Number of different tags, the unknown one included.
pub(super) const TAGS: usize = PennTag::NAMES.len();

/// A set of tags, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TagSet(u64);

impl TagSet {
    /// The set of what is before the first word and after the last: no tag, and a bit that no tag has.
    pub(super) const OUTSIDE: TagSet = TagSet(1 << 63);

    pub(super) fn from_bits(bits: u64) -> TagSet {
        TagSet(bits)
    }

    pub(super) fn bits(self) -> u64 {
        self.0
    }
}

/// Fewest occurrences of a word that counts as certain.
const CERTAIN_COUNT_MIN: u32 = 20;
/// Least share of a certain word's occurrences that its tag has, in thousandths.
const CERTAIN_PER_MILLE_MIN: u32 = 995;
/// Least share of a word's occurrences that a possible tag has, in thousandths.
const POSSIBLE_PER_MILLE_MIN: u32 = 50;
/// Fewest occurrences of a word whose possible tags are stored.
const POSSIBLE_COUNT_MIN: u32 = 3;

/// Tags by word. The key is the low half of the word's hash.
#[derive(Clone, Default)]
pub(super) struct Lexicon {
    /// By the hash of the folded word.
    pub(super) possible: FxHashMap<u32, TagSet>,
    /// By the hash of the word as written.
    pub(super) certain: FxHashMap<u32, PennTag>,
}

impl Lexicon {
    /// Tags that the word with this folded hash had in training; empty for an unknown word.
    pub(super) fn possible(&self, folded: u64) -> TagSet {
        self.possible.get(&(folded as u32)).copied().unwrap_or_default()
    }

    /// The tag of a word that always has the same, by the hash of the word as written.
    pub(super) fn certain(&self, exact: u64) -> Option<PennTag> {
        self.certain.get(&(exact as u32)).copied()
    }

    /// Counts the words of these sentences.
    pub(super) fn from_sentences(sentences: &[Sentence]) -> Lexicon {
        let mut by_exact: BTreeMap<&str, [u32; TAGS]> = BTreeMap::new();
        let mut by_folded: BTreeMap<String, [u32; TAGS]> = BTreeMap::new();
        for (word, tag) in sentences.iter().flat_map(Sentence::iter) {
            let tag = usize::from(tag.byte());
            by_exact.entry(word).or_insert([0; TAGS])[tag] += 1;
            by_folded.entry(folded(word)).or_insert([0; TAGS])[tag] += 1;
        }
        let mut lexicon = Lexicon::default();
        for (word, counts) in &by_exact {
            let total: u32 = counts.iter().sum();
            let (tag, &most) =
                counts.iter().enumerate().max_by_key(|&(_, count)| count).expect("tags");
            if total >= CERTAIN_COUNT_MIN && most * 1000 >= total * CERTAIN_PER_MILLE_MIN {
                lexicon.certain.insert(hash(word.as_bytes()) as u32, PennTag::from_byte(tag as u8));
            }
        }
        for (word, counts) in &by_folded {
            let total: u32 = counts.iter().sum();
            if total < POSSIBLE_COUNT_MIN {
                continue;
            }
            let possible = |&(_, &count): &(usize, &u32)| {
                count > 0 && count * 1000 >= total * POSSIBLE_PER_MILLE_MIN
            };
            let bits = counts
                .iter()
                .enumerate()
                .filter(possible)
                .fold(0, |bits, (tag, _)| bits | 1 << tag);
            lexicon.possible.insert(hash(word.as_bytes()) as u32, TagSet(bits));
        }
        lexicon
    }
}
