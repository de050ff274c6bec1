//! Bytes that can be read at an offset: a file, or memory in tests.

use std::{fs::File, io, os::unix::fs::FileExt};

/// Random access to the bytes of a tar.
pub(super) trait ByteSource {
    /// Fills `buffer` from `offset`; an error where fewer bytes are there.
    fn fill(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
}

impl ByteSource for File {
    fn fill(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_exact_at(buffer, offset)
    }
}

impl ByteSource for [u8] {
    fn fill(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let bytes = usize::try_from(offset)
            .ok()
            .and_then(|start| self.get(start..start.checked_add(buffer.len())?))
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }
}

/// Bytes read at a time while headers are walked. Larger than most members, so that the walk of an image tar
/// is one sequential read (which also warms the page cache), and a seek only over large members.
const WINDOW_BYTES: u64 = 256 * 1024;

/// Least bytes of a view for scanning; bounds how often the same bytes are read again.
const MIN_VIEW_BYTES: u64 = 4 * 1024;

/// A source seen through a window, so that neighbouring small reads cost one system call.
pub(super) struct Window<'a, S: ?Sized> {
    source: &'a S,
    length: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl<'a, S: ByteSource + ?Sized> Window<'a, S> {
    /// A window over the first `length` bytes of `source`.
    pub(super) fn new(source: &'a S, length: u64) -> Self {
        Window { source, length, start: 0, bytes: Vec::new() }
    }

    /// Length of the source in bytes.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Up to `wanted` bytes from `offset` (fewer at the end of the source); `wanted` is at most the window.
    pub(super) fn at(&mut self, offset: u64, wanted: usize) -> io::Result<&[u8]> {
        let available = self.length.saturating_sub(offset);
        let wanted = available.min(wanted as u64).min(WINDOW_BYTES);
        let inside =
            offset >= self.start && offset + wanted <= self.start + self.bytes.len() as u64;
        if !inside {
            self.bytes.clear();
            self.bytes.resize(available.min(WINDOW_BYTES) as usize, 0);
            self.start = offset;
            if let Err(error) = self.source.fill(&mut self.bytes, offset) {
                self.bytes.clear();
                return Err(error);
            }
        }
        let from = (offset - self.start) as usize;
        Ok(&self.bytes[from..from + wanted as usize])
    }

    /// A wide view from `offset`, for scanning: what the window holds already, if that is not too little. Shorter
    /// than [`MIN_VIEW_BYTES`] only at the end of the source.
    pub(super) fn wide(&mut self, offset: u64) -> io::Result<&[u8]> {
        let held_to = self.start + self.bytes.len() as u64;
        let held = if offset >= self.start { held_to.saturating_sub(offset) } else { 0 };
        let wanted = if held >= MIN_VIEW_BYTES { held } else { WINDOW_BYTES };
        self.at(offset, wanted as usize)
    }

    /// Copies `length` bytes from `offset`, however many they are; the caller limits them.
    pub(super) fn copy(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.source.fill(&mut bytes, offset)?;
        Ok(bytes)
    }
}
