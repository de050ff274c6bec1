//! Files that are either whole or absent, and their checksums.

mod atomic;
mod block;
mod direct;
mod lock;

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use self::{
    atomic::AtomicFile,
    lock::{LOCK, Locked, lock},
};

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
    /// BLAKE3 in lower-case hexadecimal, as `b3sum` prints it: four times as fast as SHA-256, which would be the
    /// most expensive step of writing raw images.
    pub blake3: String,
}

impl FileDigest {
    /// Reads the whole file, whose name is its own.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn of(path: &Path) -> Result<FileDigest> {
        let (blake3, bytes) = blake3_of_file(path, &mut || true)?;
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(FileDigest { file, bytes, blake3 })
    }

    /// Is this the file's content?
    pub fn is_of(&self, content: &[u8]) -> bool {
        self.bytes == content.len() as u64 && self.blake3 == blake3::hash(content).to_hex().as_str()
    }

    /// Reads the whole file and says whether it still is what was written.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be read, [`Error::Corrupt`] where size or checksum differ.
    pub fn verify(&self, dataset: &Path) -> Result<()> {
        self.verify_while(dataset, &mut || true)
    }

    /// The same, given up as soon as `goes_on` no longer holds, which is asked for each megabyte.
    ///
    /// # Errors
    /// Those of [`FileDigest::verify`]; [`io::ErrorKind::Interrupted`] where it was given up.
    pub fn verify_while(&self, dataset: &Path, goes_on: &mut dyn FnMut() -> bool) -> Result<()> {
        let path = dataset.join(&self.file);
        let found = blake3_of_file(&path, goes_on)?;
        if found.1 != self.bytes {
            let detail = format!("{} bytes, its entry says {}", found.1, self.bytes);
            return Err(Error::corrupt(path, detail));
        }
        if found.0 != self.blake3 {
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

fn blake3_of_file(path: &Path, goes_on: &mut dyn FnMut() -> bool) -> Result<(String, u64)> {
    let mut file = File::open(path).map_err(Error::io(path))?;
    let mut block = vec![0u8; HASH_BLOCK_BYTES];
    let (mut hasher, mut length) = (blake3::Hasher::new(), 0u64);
    loop {
        if !goes_on() {
            let source = io::ErrorKind::Interrupted.into();
            return Err(Error::Io { path: path.into(), source });
        }
        match file.read(&mut block) {
            Ok(0) => return Ok((hasher.finalize().to_hex().to_string(), length)),
            Ok(read) => {
                hasher.update(&block[..read]);
                length += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(Error::Io { path: path.into(), source }),
        }
    }
}

/// Writes a value as indented JSON, whole or not at all.
///
/// # Errors
/// [`Error::Io`].
pub fn write_json(target: &Path, value: &impl Serialize) -> Result<FileDigest> {
    let text = json_text(value).map_err(Error::io(target))?;
    let mut file = AtomicFile::create(target)?;
    file.write_all(&text).map_err(Error::io(target))?;
    file.commit(target.file_name().unwrap_or_default().to_string_lossy())
}

/// What [`write_json`] writes.
///
/// # Errors
/// A value that JSON has no form for.
pub fn json_text(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(value)?;
    text.push(b'\n');
    Ok(text)
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
    fn digest_is_that_of_b3sum_and_finds_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a.txt");
        let mut file = AtomicFile::create(&target).unwrap();
        file.write_all(b"abc").unwrap();
        let digest = file.commit("a.txt").unwrap();
        assert_eq!(
            digest.blake3,
            "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"
        );
        digest.verify(folder.path()).unwrap();
        fs::write(&target, b"abd").unwrap();
        assert!(matches!(digest.verify(folder.path()), Err(Error::Corrupt { .. })));
        fs::write(&target, b"ab").unwrap();
        assert!(matches!(digest.verify(folder.path()), Err(Error::Corrupt { .. })));
    }
}
