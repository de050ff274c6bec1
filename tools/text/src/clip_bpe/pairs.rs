//! Which pairs of symbols merge, and into what.

use rustc_hash::FxHashMap;

use super::symbols::byte_symbol;

/// The merge table. The smaller the result's id, the earlier the pair merges.
pub(super) struct Pairs {
    merged: FxHashMap<u32, u16>,
    symbol_of_byte: [u16; 256],
}

impl Pairs {
    /// A table without merges.
    pub(super) fn new() -> Pairs {
        Pairs {
            merged: FxHashMap::default(),
            symbol_of_byte: std::array::from_fn(|byte| byte_symbol(byte as u8)),
        }
    }

    /// Adds a merge; returns whether the pair is new.
    pub(super) fn insert(&mut self, left: u16, right: u16, id: u16) -> bool {
        self.merged.insert(pair_key(left, right), id).is_none()
    }

    /// What these two symbols merge into.
    #[inline]
    pub(super) fn merged(&self, left: u16, right: u16) -> Option<u16> {
        self.merged.get(&pair_key(left, right)).copied()
    }

    /// The symbol of one byte inside a piece.
    #[inline]
    pub(super) fn symbol(&self, byte: u8) -> u16 {
        self.symbol_of_byte[usize::from(byte)]
    }

    /// The byte of a symbol below [`super::symbols::WORD_FINAL`].
    pub(super) fn byte(&self, symbol: u16) -> u8 {
        self.symbol_of_byte.iter().position(|&known| known == symbol).unwrap_or_default() as u8
    }
}

fn pair_key(left: u16, right: u16) -> u32 {
    u32::from(left) << 16 | u32::from(right)
}
