//! The trained tagger: weights in flat arrays, one probe a feature.

use clipa_schemas::penn::PennTag;

use super::super::{TagBuffers, Tagger};
use super::features::{FEATURES, FeatureHashes};
use super::file::{self, WeightsError};
use super::lexicon::{Lexicon, TAGS};
use crate::words::{Words, sentences_by_rule};

/// Weights of the features, from their hash to one number a tag.
///
/// Most features of a word were never seen in training, so a small set of bits, which stays in the cache, answers first.
pub(super) struct Weights {
    /// Whether a feature may be there, by the upper bits of its hash.
    seen: Box<[u64; SEEN_BITS / 64]>,
    /// Open addressing: the feature's hash, and where its entries lie (start above, count in the low byte; 0 = free).
    slots: Vec<(u32, u32)>,
    entries: Vec<Weight>,
}

/// Bits that tell whether a feature may be there: about 8 for each feature.
const SEEN_BITS: usize = 1 << 21;

/// The word and the bit of a hash in [`Weights::seen`].
fn seen_bit(hash: u32) -> (usize, u64) {
    let bit = (hash >> 11) as usize;
    (bit / 64, 1 << (bit % 64))
}

/// What one feature says about one tag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Weight {
    pub(super) tag: u8,
    pub(super) value: i8,
}

/// A feature's hash and its weights, by tag.
pub(super) type FeatureWeights = (u32, Vec<Weight>);

/// Most entries over all features, so that a start fits beside the count.
pub(super) const WEIGHTS_MAX: usize = 1 << 24;

impl Weights {
    /// An empty table with room for so many features.
    pub(super) fn with_room_for(features: usize) -> Weights {
        Weights {
            seen: Box::new([0; SEEN_BITS / 64]),
            slots: vec![(0, 0); (features * 2).next_power_of_two()],
            entries: Vec::new(),
        }
    }

    /// Puts a feature in, of a hash that is not there yet, with between 1 and [`TAGS`] entries; over all features
    /// there are less than [`WEIGHTS_MAX`].
    pub(super) fn insert(&mut self, hash: u32, entries: impl Iterator<Item = Weight>) {
        let (word, bit) = seen_bit(hash);
        self.seen[word] |= bit;
        let mut at = self.home(hash);
        while self.slots[at].1 != 0 {
            at = (at + 1) & (self.slots.len() - 1);
        }
        let start = self.entries.len();
        self.entries.extend(entries);
        self.slots[at] = (hash, (start as u32) << 8 | (self.entries.len() - start) as u32);
    }

    /// The entries of a feature; none where it is not there.
    #[cfg(test)]
    pub(super) fn of(&self, hash: u32) -> &[Weight] {
        let place = self.place(hash);
        let start = (place >> 8) as usize;
        &self.entries[start..start + (place & 0xFF) as usize]
    }

    fn home(&self, hash: u32) -> usize {
        hash as usize & (self.slots.len() - 1)
    }

    /// Where the entries of a feature lie; 0 where it has none.
    fn place(&self, hash: u32) -> u32 {
        let mut at = self.home(hash);
        loop {
            let (key, place) = self.slots[at];
            if place == 0 || key == hash {
                return place;
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }

    /// The tag with the highest sum; of equals the one with the lowest number.
    pub(super) fn best(&self, features: &FeatureHashes) -> u8 {
        // Pass by pass, so that the memory that a pass asks for arrives while it goes on.
        let (mut known, mut count) = ([0u32; FEATURES], 0);
        for &hash in features {
            let (word, bit) = seen_bit(hash);
            known[count] = hash;
            count += usize::from(self.seen[word] & bit != 0);
        }
        let places = &mut known[..count];
        places.iter_mut().for_each(|known| *known = self.place(*known));
        let mut firsts = [Weight::default(); FEATURES];
        for (first, &place) in firsts.iter_mut().zip(&*places) {
            *first = self.entries.get((place >> 8) as usize).copied().unwrap_or_default();
        }
        let mut scores = [0i32; TAGS];
        for (first, &place) in firsts.iter().zip(&*places).filter(|(_, place)| **place != 0) {
            scores[usize::from(first.tag)] += i32::from(first.value);
            let start = (place >> 8) as usize;
            for weight in &self.entries[start + 1..start + (place & 0xFF) as usize] {
                scores[usize::from(weight.tag)] += i32::from(weight.value);
            }
        }
        best(&scores)
    }
}

/// The best tag that is not the unknown one.
pub(super) fn best(scores: &[i32; TAGS]) -> u8 {
    let mut best = 1;
    for tag in 2..TAGS {
        if scores[tag] > scores[best] {
            best = tag;
        }
    }
    best as u8
}

/// Our tagger. Words by [`sentences_by_rule`] and the Treebank's rules, tags by an averaged perceptron.
///
/// ```
/// use clipa_text::tagger::{TagBuffers, Tagger, perceptron::PerceptronTagger};
/// use clipa_text::words::Words;
/// let tagger = PerceptronTagger::embedded().unwrap();
/// let (mut buffers, mut words, mut tags) = (TagBuffers::default(), Words::default(), Vec::new());
/// tagger.words("A dog sleeps in the old park.", &mut buffers, &mut words);
/// tagger.tag(&words, &mut buffers, &mut tags);
/// let tags: Vec<_> = tags.iter().map(|tag| tag.name()).collect();
/// assert_eq!(tags, ["DT", "NN", "VBZ", "IN", "DT", "JJ", "NN", "."]);
/// ```
pub struct PerceptronTagger {
    lexicon: Lexicon,
    weights: Weights,
    hash: String,
}

/// What `clipa-prep tagger train` wrote; its making and licence stand in the README beside it.
static EMBEDDED: &[u8] = include_bytes!("weights.bin");

impl PerceptronTagger {
    /// The tagger that is part of the binary.
    pub fn embedded() -> Result<PerceptronTagger, WeightsError> {
        PerceptronTagger::from_bytes(EMBEDDED)
    }

    /// The tagger in the bytes of a weights file.
    pub fn from_bytes(bytes: &[u8]) -> Result<PerceptronTagger, WeightsError> {
        let (lexicon, weights) = file::read(bytes)?;
        Ok(PerceptronTagger { lexicon, weights, hash: file::hash(bytes) })
    }
}

impl Tagger for PerceptronTagger {
    fn identity(&self) -> String {
        format!("perceptron sha256:{}", self.hash)
    }

    fn words(&self, caption: &str, buffers: &mut TagBuffers, words: &mut Words) {
        sentences_by_rule(caption).for_each(|sentence| buffers.treebank.words(sentence, words));
    }

    fn tag(&self, words: &Words, buffers: &mut TagBuffers, tags: &mut Vec<PennTag>) {
        let views = &mut buffers.perceptron;
        views.view(words, &self.lexicon);
        let (mut previous, mut second) = (0, 0);
        for index in 0..words.len() {
            let tag = views.certain(index).unwrap_or_else(|| {
                PennTag::from_byte(self.weights.best(&views.features(index, previous, second)))
            });
            tags.push(tag);
            (second, previous) = (previous, tag.byte());
        }
    }
}
