//! The entries of one `--allow` or `--deny`, and which of them named something.

use std::sync::atomic::{AtomicU64, Ordering};

use super::identity::{Identity, first_half, of_text, of_url};

/// Entries by kind. Each kind is sorted and has no entry twice once the list is [sealed](Entries::seal).
#[derive(Debug, Default)]
pub(super) struct Entries {
    /// As the list was named.
    pub(super) name: String,
    pub(super) urls: Vec<u128>,
    pub(super) sha256: Vec<u128>,
    pub(super) md5: Vec<u128>,
    pub(super) keys: Vec<u128>,
    /// A bit for each entry, in the order of the kinds: did it name a sample?
    found: Box<[AtomicU64]>,
}

impl Entries {
    /// No entries yet.
    pub(super) fn named(name: String) -> Entries {
        Entries { name, ..Entries::default() }
    }

    /// Makes it ready to be asked.
    pub(super) fn seal(&mut self) {
        for entries in [&mut self.urls, &mut self.sha256, &mut self.md5, &mut self.keys] {
            entries.sort_unstable();
            entries.dedup();
            entries.shrink_to_fit();
        }
        self.found = (0..self.len().div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
    }

    pub(super) fn len(&self) -> usize {
        self.urls.len() + self.sha256.len() + self.md5.len() + self.keys.len()
    }

    /// Entries that named a sample since the list was read.
    pub(super) fn found(&self) -> usize {
        self.found.iter().map(|bits| bits.load(Ordering::Relaxed).count_ones() as usize).sum()
    }

    /// By what the sample is listed, in the order in which reports name it; notes every entry that names it.
    pub(super) fn finds(&self, sample: &Identity<'_>) -> Option<&'static str> {
        // what is not on the list at all need not be hashed
        let url = sample.url.filter(|_| !self.urls.is_empty()).map(of_url);
        let key = sample.key.filter(|_| !self.keys.is_empty()).map(of_text);
        let (urls, sha256, md5) = (self.urls.len(), self.sha256.len(), self.md5.len());
        // name, entries, how many entries of other kinds stand before them, the sample's own
        let questions = [
            ("url", &self.urls, 0, url),
            ("sha256", &self.sha256, urls, sample.sha256.map(first_half)),
            ("image_hash", &self.sha256, urls, sample.image_hash.map(first_half)),
            ("md5", &self.md5, urls + sha256, sample.md5.map(|hash| u128::from_be_bytes(*hash))),
            ("key", &self.keys, urls + sha256 + md5, key),
        ];
        let mut by = None;
        for (name, entries, before, hash) in questions {
            if let Some(place) = hash.and_then(|hash| entries.binary_search(&hash).ok()) {
                self.note(before + place);
                by = by.or(Some(name));
            }
        }
        by
    }

    fn note(&self, entry: usize) {
        let (bits, bit) = (&self.found[entry / 64], 1 << (entry % 64));
        if bits.load(Ordering::Relaxed) & bit == 0 {
            bits.fetch_or(bit, Ordering::Relaxed);
        }
    }
}
