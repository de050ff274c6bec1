//! Files that are either whole or absent: temporary name, fsync, rename, fsync of the folder.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// Bytes read at once while a file is hashed.
const HASH_BLOCK_BYTES: usize = 1 << 20;

/// Size and checksum of a finished file, as its entry and the manifest hold them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileDigest {
    /// Path relative to the data set's folder, `/` between the parts.
    pub file: String,
    /// Length in bytes.
    pub bytes: u64,
    /// SHA-256 in lower-case hexadecimal, as `sha256sum` prints it.
    pub sha256: String,
}

impl FileDigest {
    /// Reads the whole file and says whether it still is what was written.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be read, [`Error::Corrupt`] where size or checksum differ.
    pub fn verify(&self, dataset: &Path) -> Result<()> {
        let path = dataset.join(&self.file);
        let found = sha256_of_file(&path)?;
        if found.1 != self.bytes {
            let detail = format!("{} bytes, its entry says {}", found.1, self.bytes);
            return Err(Error::corrupt(path, detail));
        }
        if found.0 != self.sha256 {
            let detail = "checksum differs from its entry's: the file was changed or damaged after it was \
                          written";
            return Err(Error::corrupt(path, detail));
        }
        Ok(())
    }
}

/// SHA-256 in lower-case hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sha256_of_file(path: &Path) -> Result<(String, u64)> {
    let mut file = File::open(path).map_err(Error::io(path))?;
    let mut block = vec![0u8; HASH_BLOCK_BYTES];
    let (mut hasher, mut length) = (Sha256::new(), 0u64);
    loop {
        match file.read(&mut block) {
            Ok(0) => return Ok((hex(&hasher.finalize()), length)),
            Ok(read) => {
                hasher.update(&block[..read]);
                length += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(Error::Io { path: path.into(), source }),
        }
    }
}

/// A file under a temporary name, hashed while it is written; dropped without [`AtomicFile::commit`] it vanishes.
#[derive(Debug)]
pub struct AtomicFile {
    file: Option<io::BufWriter<File>>,
    temporary: PathBuf,
    target: PathBuf,
    hasher: Sha256,
    length: u64,
}

/// Buffered so that small writes (page headers, footers) do not become system calls.
const WRITE_BUFFER_BYTES: usize = 1 << 18;

impl AtomicFile {
    /// Begins `target`; an interrupted predecessor's temporary file is overwritten.
    ///
    /// # Errors
    /// [`Error::Io`] where the folder cannot be written.
    pub fn create(target: impl Into<PathBuf>) -> Result<AtomicFile> {
        let target = target.into();
        let temporary = temporary_name(&target);
        let file = File::create(&temporary).map_err(Error::io(&temporary))?;
        Ok(AtomicFile {
            file: Some(io::BufWriter::with_capacity(WRITE_BUFFER_BYTES, file)),
            temporary,
            target,
            hasher: Sha256::new(),
            length: 0,
        })
    }

    /// Makes the bytes durable and gives them their final name, replacing what had it.
    ///
    /// `name` is how the file is called in a manifest.
    ///
    /// # Errors
    /// [`Error::Io`]; the target is then what it was before.
    pub fn commit(mut self, name: impl Into<String>) -> Result<FileDigest> {
        let file = self.file.take().expect("commit consumes the file, so it is still there");
        let temporary = self.temporary.clone();
        let file = file
            .into_inner()
            .map_err(|error| Error::Io { path: temporary.clone(), source: error.into_error() })?;
        file.sync_all().map_err(Error::io(&temporary))?;
        drop(file);
        fs::rename(&temporary, &self.target).map_err(Error::io(&self.target))?;
        sync_folder_of(&self.target)?;
        let sha256 = hex(&std::mem::take(&mut self.hasher).finalize());
        self.temporary.clear();
        Ok(FileDigest { file: name.into(), bytes: self.length, sha256 })
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let file = self.file.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        let written = file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.length += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if !self.temporary.as_os_str().is_empty() {
            drop(self.file.take());
            // best effort: a left-over temporary file is overwritten by the next run
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

/// Writes a value as indented JSON, whole or not at all.
///
/// # Errors
/// [`Error::Io`].
pub fn write_json(target: &Path, value: &impl Serialize) -> Result<FileDigest> {
    let mut text = serde_json::to_string_pretty(value)
        .map_err(|error| Error::Io { path: target.into(), source: error.into() })?;
    text.push('\n');
    let mut file = AtomicFile::create(target)?;
    file.write_all(text.as_bytes()).map_err(Error::io(target))?;
    file.commit(target.file_name().unwrap_or_default().to_string_lossy())
}

/// Reads JSON that this crate wrote.
///
/// # Errors
/// [`Error::Io`] where it cannot be read, [`Error::Corrupt`] where it is not the expected JSON.
pub fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T> {
    let text = fs::read(path).map_err(Error::io(path))?;
    serde_json::from_slice(&text).map_err(|error| Error::corrupt(path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_committed_leaves_nothing_and_the_old_one_alone() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a.bin");
        fs::write(&target, b"old").unwrap();
        let mut file = AtomicFile::create(&target).unwrap();
        file.write_all(b"half").unwrap();
        drop(file);
        assert_eq!(fs::read(&target).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn digest_is_that_of_sha256sum_and_finds_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a.txt");
        let mut file = AtomicFile::create(&target).unwrap();
        file.write_all(b"abc").unwrap();
        let digest = file.commit("a.txt").unwrap();
        assert_eq!(
            digest.sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        digest.verify(folder.path()).unwrap();
        fs::write(&target, b"abd").unwrap();
        assert!(matches!(digest.verify(folder.path()), Err(Error::Corrupt { .. })));
        fs::write(&target, b"ab").unwrap();
        assert!(matches!(digest.verify(folder.path()), Err(Error::Corrupt { .. })));
    }
}
