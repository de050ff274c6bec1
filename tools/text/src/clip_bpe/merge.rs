//! Merges the symbols of one piece: always the pair with the lowest rank, the leftmost first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::pairs::Pairs;
use super::symbols::WORD_FINAL;

/// Up to this many symbols each merge searches all pairs again (quadratic, but without a heap).
const SCAN_SYMBOLS_MAX: usize = 24;
/// No neighbour.
const NONE: u32 = u32::MAX;

/// Buffers for merging.
#[derive(Default)]
pub(super) struct Merger {
    symbols: Vec<u16>,
    /// Rank of the pair at each position; `u16::MAX` where there is none.
    ranks: Vec<u16>,
    next: Vec<u32>,
    previous: Vec<u32>,
    heap: BinaryHeap<Reverse<(u16, u32)>>,
}

impl Merger {
    /// Appends the ids of a whole piece.
    pub(super) fn merge(&mut self, piece: &str, pairs: &Pairs, ids: &mut Vec<u16>) {
        self.merge_bytes(piece.as_bytes(), true, pairs, ids);
    }

    /// Appends the ids of `bytes`, whose last symbol carries the end-of-piece mark if `word_final`.
    pub(super) fn merge_bytes(
        &mut self,
        bytes: &[u8],
        word_final: bool,
        pairs: &Pairs,
        ids: &mut Vec<u16>,
    ) {
        self.symbols.clear();
        self.symbols.extend(bytes.iter().map(|&byte| pairs.symbol(byte)));
        if let (true, Some(last)) = (word_final, self.symbols.last_mut()) {
            *last += WORD_FINAL;
        }
        if self.symbols.len() <= SCAN_SYMBOLS_MAX {
            self.merge_by_scan(pairs);
            ids.extend_from_slice(&self.symbols);
        } else {
            self.merge_by_heap(pairs);
            let mut at = 0;
            while at != NONE {
                ids.push(self.symbols[at as usize]);
                at = self.next[at as usize];
            }
        }
    }

    fn merge_by_scan(&mut self, pairs: &Pairs) {
        let symbols = &mut self.symbols;
        let rank = |pair: &[u16]| pairs.merged(pair[0], pair[1]).unwrap_or(u16::MAX);
        self.ranks.clear();
        self.ranks.extend(symbols.windows(2).map(rank));
        while let Some((at, &lowest)) = self.ranks.iter().enumerate().min_by_key(|&(_, rank)| rank)
        {
            if lowest == u16::MAX {
                break;
            }
            symbols[at] = lowest;
            symbols.remove(at + 1);
            self.ranks.remove(at);
            if at > 0 {
                self.ranks[at - 1] = rank(&symbols[at - 1..=at]);
            }
            if at < self.ranks.len() {
                self.ranks[at] = rank(&symbols[at..=at + 1]);
            }
        }
    }

    /// Symbols as a doubly linked list, pairs in a heap by rank and position; an entry whose pair has changed since is
    /// skipped. A result always ranks after the merge that made a part of it, so taking pairs one by one is the same as
    /// replacing all occurrences of the lowest pair at once, as the original does.
    fn merge_by_heap(&mut self, pairs: &Pairs) {
        let count = self.symbols.len() as u32;
        self.next.clear();
        self.next.extend((1..count).chain([NONE]));
        self.previous.clear();
        self.previous.extend([NONE].into_iter().chain(0..count - 1));
        self.heap.clear();
        for at in 0..count - 1 {
            self.push_pair(at, pairs);
        }
        while let Some(Reverse((rank, at))) = self.heap.pop() {
            let right = self.next[at as usize];
            // A merged-away symbol has no successor, a merged pair another rank.
            if right == NONE || self.pair_rank(at, right, pairs) != Some(rank) {
                continue;
            }
            self.symbols[at as usize] = rank;
            let after = self.next[right as usize];
            self.next[at as usize] = after;
            self.next[right as usize] = NONE;
            if after != NONE {
                self.previous[after as usize] = at;
                self.push_pair(at, pairs);
            }
            let before = self.previous[at as usize];
            if before != NONE {
                self.push_pair(before, pairs);
            }
        }
    }

    fn pair_rank(&self, left: u32, right: u32, pairs: &Pairs) -> Option<u16> {
        pairs.merged(self.symbols[left as usize], self.symbols[right as usize])
    }

    fn push_pair(&mut self, at: u32, pairs: &Pairs) {
        if let Some(rank) = self.pair_rank(at, self.next[at as usize], pairs) {
            self.heap.push(Reverse((rank, at)));
        }
    }
}
