//! A cache of the ids of words: captions repeat their words.

use rustc_hash::FxHashMap;

/// Most words in a cache; a full one is emptied.
const WORDS_MAX: usize = 1 << 16;
/// Longest word in a cache, in bytes.
const WORD_BYTES_MAX: usize = 32;

/// Words and their ids.
#[derive(Default)]
pub(super) struct WordCache {
    /// A range of `ids`.
    places: FxHashMap<Box<str>, (u32, u32)>,
    ids: Vec<u16>,
}

impl WordCache {
    /// Appends the word's ids to `ids`; calls `encode` for them only where the cache does not have the word.
    pub(super) fn encode(
        &mut self,
        word: &str,
        ids: &mut Vec<u16>,
        encode: impl FnOnce(&str, &mut Vec<u16>),
    ) {
        if let Some(&(start, end)) = self.places.get(word) {
            ids.extend_from_slice(&self.ids[start as usize..end as usize]);
            return;
        }
        let first = ids.len();
        encode(word, ids);
        if word.len() > WORD_BYTES_MAX {
            return;
        }
        if self.places.len() == WORDS_MAX {
            self.places.clear();
            self.ids.clear();
        }
        let start = self.ids.len();
        self.ids.extend_from_slice(&ids[first..]);
        self.places.insert(word.into(), (start as u32, self.ids.len() as u32));
    }
}
