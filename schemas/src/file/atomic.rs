//! Files that are either whole or absent: temporary name, fsync, rename, fsync of the folder.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::{FileDigest, block::Block, direct::DiskLane};
use crate::error::{Error, Result};

/// A file under a temporary name, hashed while it is written; dropped without [`AtomicFile::commit`] it vanishes.
///
/// Up to 2 MiB are kept in memory until the commit; what is longer goes to the disk block by block, on a thread of
/// its own and past the page cache where the file system allows it.
#[derive(Debug)]
pub struct AtomicFile {
    /// The block under construction; absent after a failure.
    block: Option<Block>,
    lane: Option<DiskLane>,
    temporary: PathBuf,
    target: PathBuf,
    hasher: blake3::Hasher,
    length: u64,
}

impl AtomicFile {
    /// Begins `target`; an interrupted predecessor's temporary file is overwritten.
    ///
    /// # Errors
    /// [`Error::Io`] where the folder cannot be written.
    pub fn create(target: impl Into<PathBuf>) -> Result<AtomicFile> {
        let target = target.into();
        let temporary = temporary_name(&target);
        File::create(&temporary).map_err(Error::io(&temporary))?;
        Ok(AtomicFile {
            block: Some(Block::new().map_err(Error::io(&temporary))?),
            lane: None,
            temporary,
            target,
            hasher: blake3::Hasher::new(),
            length: 0,
        })
    }

    /// Makes the bytes durable under their final name, replacing what had it.
    ///
    /// `name` is how the file is called in a manifest.
    ///
    /// # Errors
    /// [`Error::Io`]; the target is then what it was before.
    pub fn commit(mut self, name: impl Into<String>) -> Result<FileDigest> {
        let temporary = self.temporary.clone();
        self.write_last_block().map_err(Error::io(&temporary))?;
        fs::rename(&temporary, &self.target).map_err(Error::io(&self.target))?;
        sync_folder_of(&self.target)?;
        self.temporary.clear();
        let blake3 = self.hasher.finalize().to_hex().to_string();
        Ok(FileDigest { file: name.into(), bytes: self.length, blake3 })
    }

    fn write_last_block(&mut self) -> io::Result<()> {
        let block = self.block.take().ok_or(io::ErrorKind::BrokenPipe)?;
        self.hasher.update(block.bytes());
        if let Some(lane) = self.lane.take() {
            return lane.finish(block);
        }
        let mut file = File::options().write(true).open(&self.temporary)?;
        file.write_all(block.bytes())?;
        file.sync_all()
    }

    /// Sends a full block to the disk; the first one opens the way.
    fn send(&mut self, block: Block) -> io::Result<Block> {
        self.hasher.update(block.bytes());
        if self.lane.is_none() {
            self.lane = Some(DiskLane::start(&self.temporary)?);
        }
        let Some(lane) = &mut self.lane else { return Err(io::ErrorKind::BrokenPipe.into()) };
        lane.exchange(block).map_err(|error| match self.lane.take().map(DiskLane::abandon) {
            Some(Err(cause)) => cause,
            _ => error,
        })
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut block = self.block.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let taken = block.fill(bytes);
        self.length += taken as u64;
        self.block = Some(if block.is_full() { self.send(block)? } else { block });
        Ok(taken)
    }

    /// Nothing to do: bytes are durable after [`AtomicFile::commit`], and not before.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if !self.temporary.as_os_str().is_empty() {
            // best effort: a left-over temporary file is overwritten by the next run
            let _ = self.lane.take().map(DiskLane::abandon);
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// `folder/name` → `folder/.name.tmp`.
fn temporary_name(target: &Path) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!(".{name}.tmp"))
}

fn sync_folder_of(target: &Path) -> Result<()> {
    let folder = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::io(folder))
}

#[cfg(test)]
mod tests {
    use super::{super::block::BLOCK_BYTES, *};

    /// Writes `length` bytes in odd pieces and reads them back.
    fn round_trip(folder: &Path, length: usize) {
        let target = folder.join("a.bin");
        let bytes: Vec<u8> = (0..length).map(|at| ((at * 31) >> 3) as u8).collect();
        let mut file = AtomicFile::create(&target).unwrap();
        for piece in bytes.chunks(77_777) {
            file.write_all(piece).unwrap();
        }
        let digest = file.commit("a.bin").unwrap();
        assert_eq!(fs::read(&target).unwrap(), bytes, "{length}");
        assert_eq!(digest.bytes, length as u64);
        assert_eq!(digest.blake3, blake3::hash(&bytes).to_hex().to_string());
        assert_eq!(fs::read_dir(folder).unwrap().count(), 1);
    }

    #[test]
    fn every_length_around_a_block_is_written_whole() {
        let on_disk = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let anywhere = tempfile::tempdir().unwrap();
        for length in [0, 1, 4096, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1] {
            round_trip(on_disk.path(), length);
            round_trip(anywhere.path(), 5 * BLOCK_BYTES + length);
            round_trip(on_disk.path(), 9 * BLOCK_BYTES + length);
        }
    }

    #[test]
    fn a_file_that_is_not_committed_leaves_nothing_and_the_old_one_alone() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a.bin");
        fs::write(&target, b"old").unwrap();
        for length in [4, 3 * BLOCK_BYTES] {
            let mut file = AtomicFile::create(&target).unwrap();
            file.write_all(&vec![7; length]).unwrap();
            drop(file);
            assert_eq!(fs::read(&target).unwrap(), b"old");
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn a_disk_that_is_full_is_an_error_and_not_the_end() {
        let Ok(full) = File::options().write(true).open("/dev/full") else {
            return eprintln!("skipped: there is no /dev/full here");
        };
        drop(full);
        let folder = tempfile::tempdir().unwrap();
        let mut file = AtomicFile::create(folder.path().join("a.bin")).unwrap();
        fs::remove_file(&file.temporary).unwrap();
        std::os::unix::fs::symlink("/dev/full", &file.temporary).unwrap();
        let written = (0..64).try_for_each(|_| file.write_all(&vec![1; BLOCK_BYTES]));
        let error = match written {
            Err(error) => error.to_string(),
            Ok(()) => file.commit("a.bin").unwrap_err().to_string(),
        };
        assert!(error.contains("No space left"), "{error}");
    }
}
