//! Blocks of memory that a disk can take without the page cache between.

use std::{
    io,
    sync::{Mutex, PoisonError},
};

use memmap2::MmapMut;

/// Length of a block: one huge page, so that a block is one piece for the disk and not hundreds.
pub(super) const BLOCK_BYTES: usize = 2 << 20;

/// Length of what is written past the page cache is a multiple of this: the largest sector in use.
const ALIGNMENT: usize = 4096;

/// Blocks of finished files that are kept for the next ones: fresh memory costs more to touch than to fill.
const SPARE_BLOCKS: usize = 32;

static SPARE: Mutex<Vec<MmapMut>> = Mutex::new(Vec::new());

const UNTIL_DROPPED: &str = "a block has its memory until it is dropped";

/// A block; its address is that of a page, the alignment that disks ask for.
#[derive(Debug)]
pub(super) struct Block {
    /// There until the block is dropped, which hands it on.
    memory: Option<MmapMut>,
    filled: usize,
}

impl Block {
    /// An empty block.
    ///
    /// # Errors
    /// There is no memory.
    pub(super) fn new() -> io::Result<Block> {
        let spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let memory = match spare {
            Some(memory) => memory,
            None => {
                let memory = MmapMut::map_anon(BLOCK_BYTES)?;
                // best effort: small pages do as well, only slower
                #[cfg(target_os = "linux")]
                let _ = memory.advise(memmap2::Advice::HugePage);
                memory
            }
        };
        Ok(Block { memory: Some(memory), filled: 0 })
    }

    /// Takes what fits and returns how much that was.
    pub(super) fn fill(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(BLOCK_BYTES - self.filled);
        let at = self.filled;
        self.memory_mut()[at..at + taken].copy_from_slice(&bytes[..taken]);
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
        &self.memory.as_ref().expect(UNTIL_DROPPED)[..self.filled]
    }

    /// The same, with zeros behind it up to a multiple of the largest sector.
    pub(super) fn padded(&mut self) -> &[u8] {
        let (start, end) = (self.filled, self.filled.next_multiple_of(ALIGNMENT));
        let memory = self.memory_mut();
        memory[start..end].fill(0);
        &memory[..end]
    }

    fn memory_mut(&mut self) -> &mut MmapMut {
        self.memory.as_mut().expect(UNTIL_DROPPED)
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < SPARE_BLOCKS {
            spare.extend(self.memory.take());
        }
    }
}
