//! The mapping of a finished shard.
#![allow(unsafe_code)] // see `Mapping::open`

use std::{fs::File, io, ops::Range, path::Path, sync::Arc};

use bytes::Bytes;
use memmap2::{Advice, Mmap};

use crate::error::{Error, Result};

/// A mapped file. Clones share the mapping.
#[derive(Clone, Debug)]
pub(super) struct Mapping(Arc<Mmap>);

impl AsRef<[u8]> for Mapping {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Mapping {
    /// Maps a file that does not change any more.
    pub(super) fn open(path: &Path) -> Result<Mapping> {
        let file = File::open(path).map_err(Error::io(path))?;
        // SAFETY: Benefit: a sample's bytes are borrowed from the page cache, 9 instead of 2-5 GB/s (docs:
        // performance).
        // Soundness: a shard is immutable from the moment it has its name (it is written under another one and
        // renamed, and takedowns replace whole files), so the mapped bytes do not change. A user who truncates a
        // shard while a program reads it gets SIGBUS; the manifest's sizes are compared on opening to refuse what
        // was cut before.
        let mapping = unsafe { Mmap::map(&file) }.map_err(Error::io(path))?;
        #[cfg(unix)]
        let _ = mapping.advise(Advice::Random); // only a hint: no read-ahead into the next column
        Ok(Mapping(Arc::new(mapping)))
    }

    /// The whole file.
    pub(super) fn bytes(&self) -> Bytes {
        Bytes::from_owner(self.clone())
    }

    /// Reads a range into memory at the storage's speed. Where the system can't (before Linux 5.14), the pages are
    /// read when they are used.
    ///
    /// The range is sequential meanwhile: a fault in a random mapping reads a single page, and populating would be
    /// several hundred times slower than the disk (measured: 0.005 instead of 2-3 GB/s).
    #[cfg(target_os = "linux")]
    pub(super) fn populate(&self, range: Range<usize>) -> io::Result<()> {
        let advise = |advice| self.0.advise_range(advice, range.start, range.len());
        advise(Advice::Sequential)?;
        let populated = advise(Advice::PopulateRead);
        advise(Advice::Random)?;
        match populated {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            populated => populated,
        }
    }

    /// Elsewhere the pages are read when they are used.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn populate(&self, _range: Range<usize>) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_cut_while_it_is_mapped_is_an_error_and_no_signal() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), vec![7u8; 1 << 16]).unwrap();
        let mapping = Mapping::open(file.path()).unwrap();
        mapping.populate(100..1 << 16).unwrap();
        assert!(mapping.bytes().iter().all(|&byte| byte == 7));
        file.as_file().set_len(1 << 12).unwrap();
        mapping.populate(0..1 << 12).unwrap();
        match mapping.populate(1 << 15..1 << 16) {
            Err(error) => assert_eq!(error.kind(), io::Error::from_raw_os_error(14).kind()), // EFAULT
            Ok(()) => println!("skipped: this kernel can't populate (it is older than 5.14)"),
        }
    }
}
