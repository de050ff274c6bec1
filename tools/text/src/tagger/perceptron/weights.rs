//! The trained weights in flat arrays, one probe a feature.

use super::features::{FEATURES, FeatureHashes};
use super::lexicon::TAGS;

/// Weights of the features, from their hash to one number a tag.
///
/// Most features of a word never occurred in training. A small set of bits, which stays in the cache, rules them out first.
pub(super) struct Weights {
    /// Whether a feature may be in the table, by the upper bits of its hash.
    seen: Box<[u64; SEEN_BITS / 64]>,
    /// Open addressing: the feature's hash, and the place of its entries (start above, count in the low byte; 0 = free).
    slots: Vec<(u32, u32)>,
    entries: Vec<Weight>,
}

/// Size of [`Weights::seen`] in bits: about 8 for each feature.
const SEEN_BITS: usize = 1 << 21;

/// The word and the bit of a hash in [`Weights::seen`].
fn seen_bit(hash: u32) -> (usize, u64) {
    let bit = (hash >> 11) as usize;
    (bit / 64, 1 << (bit % 64))
}

/// The weight of one feature for one tag.
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
    /// An empty table with room for this many features.
    pub(super) fn with_capacity(features: usize) -> Weights {
        Weights {
            seen: Box::new([0; SEEN_BITS / 64]),
            slots: vec![(0, 0); (features * 2).next_power_of_two()],
            entries: Vec::new(),
        }
    }

    /// Adds a feature with between 1 and [`TAGS`] entries. Its hash must be new, and the entries of all features fewer
    /// than [`WEIGHTS_MAX`].
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

    /// The entries of a feature; empty for an unknown one.
    #[cfg(test)]
    pub(super) fn of(&self, hash: u32) -> &[Weight] {
        let place = self.place(hash);
        let start = (place >> 8) as usize;
        &self.entries[start..start + (place & 0xFF) as usize]
    }

    fn home(&self, hash: u32) -> usize {
        hash as usize & (self.slots.len() - 1)
    }

    /// The place of a feature's entries (as in [`Weights::slots`]); 0 where it has none.
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
        // In passes, so that the loads of a pass overlap instead of waiting for one another.
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
