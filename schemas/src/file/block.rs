//! Blocks of memory that a disk can take without the page cache between.

use std::sync::{Mutex, PoisonError};

/// Length of a block. At 1 MiB the disk of the benchmark machine takes 3.5 GB/s, at 256 KiB half of it, and the
/// block is still in the core's own cache when it is hashed.
pub(super) const BLOCK_BYTES: usize = 1 << 20;

/// Address and length of what is written past the page cache are multiples of this: the largest sector in use.
pub(super) const ALIGNMENT: usize = 4096;

/// Blocks of finished files that are kept for the next ones: fresh memory costs more to touch than to fill.
const SPARE_BLOCKS: usize = 64;

static SPARE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// A block with an aligned address.
#[derive(Debug)]
pub(super) struct Block {
    memory: Vec<u8>,
    start: usize,
    filled: usize,
}

impl Block {
    pub(super) fn new() -> Block {
        let spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let memory = spare.unwrap_or_else(|| vec![0; BLOCK_BYTES + ALIGNMENT]);
        let start = memory.as_ptr().align_offset(ALIGNMENT);
        Block { memory, start, filled: 0 }
    }

    /// Takes what fits; gives how much that was.
    pub(super) fn fill(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(BLOCK_BYTES - self.filled);
        let at = self.start + self.filled;
        self.memory[at..at + taken].copy_from_slice(&bytes[..taken]);
        self.filled += taken;
        taken
    }

    pub(super) fn is_full(&self) -> bool {
        self.filled == BLOCK_BYTES
    }

    pub(super) fn clear(&mut self) {
        self.filled = 0;
    }

    /// What was filled in.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.filled]
    }

    /// The same, with zeros behind it up to a multiple of [`ALIGNMENT`].
    pub(super) fn padded(&mut self) -> &[u8] {
        let end = self.start + self.filled;
        let padded = self.start + self.filled.next_multiple_of(ALIGNMENT);
        self.memory[end..padded].fill(0);
        &self.memory[self.start..padded]
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < SPARE_BLOCKS {
            spare.push(std::mem::take(&mut self.memory));
        }
    }
}
