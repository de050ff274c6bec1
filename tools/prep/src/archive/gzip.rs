//! Tars that are compressed with gzip (`.tar.gz`, `.tgz`): unpacked once into a scratch file, because members are read by
//! offset and in any order.
//!
//! The scratch file stands in the system's folder for temporary files (`TMPDIR`), is as large as the tar, and has no name
//! from the moment it is made: it is gone with the process, however that ends. Memory is two buffers.

use std::{
    env,
    fs::{self, File, OpenOptions},
    io::{self, BufReader, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use flate2::read::MultiGzDecoder;

use super::error::ArchiveError;

/// Most bytes that one gzip tar is unpacked to.
pub const MAX_UNPACKED_BYTES: u64 = 64 << 30;

/// Most bytes that a byte of gzip is unpacked to, on average. Images do not shrink; what shrinks that far is no tar of them.
const MAX_RATIO: u64 = 100;

/// Bytes that the ratio is not asked of.
const FREE_BYTES: u64 = 64 << 20;

/// Bytes that are unpacked at a time.
const BUFFER_BYTES: usize = 128 * 1024;

/// The first bytes of gzip.
pub(super) const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// What was in a gzip tar.
#[derive(Debug)]
pub(super) struct Unpacked {
    /// The tar.
    pub(super) file: File,
    /// Its length in bytes.
    pub(super) length: u64,
    /// Where and why the unpacking ended early; what stands before that is whole.
    pub(super) problem: Option<String>,
}

/// Unpacks a gzip file of `packed_bytes`.
///
/// # Errors
/// It cannot be read, the scratch file cannot be written, or it unpacks to more than the limits allow.
pub(super) fn unpack(
    path: &Path,
    packed: &File,
    packed_bytes: u64,
) -> Result<Unpacked, ArchiveError> {
    let ratio_limit = packed_bytes.saturating_mul(MAX_RATIO).saturating_add(FREE_BYTES);
    let limit = ratio_limit.min(MAX_UNPACKED_BYTES);
    let folder = env::temp_dir();
    let scratch_error =
        |source| ArchiveError::Scratch { path: path.to_owned(), folder: folder.clone(), source };
    let mut file = scratch(&folder).map_err(scratch_error)?;
    let mut decoder = MultiGzDecoder::new(BufReader::with_capacity(BUFFER_BYTES, packed));
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut length = 0u64;
    let problem = loop {
        let read = match decoder.read(&mut buffer) {
            Ok(0) => break None,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if is_damage(&error) => {
                break Some(format!(
                    "the gzip is damaged or cut off behind {length} bytes: {error}"
                ));
            }
            Err(source) => {
                let (path, key) = (path.to_owned(), String::new());
                return Err(ArchiveError::Read { path, key, offset: length, source });
            }
        };
        length += read as u64;
        if length > limit {
            return Err(ArchiveError::UnpacksTooLarge { path: path.to_owned(), limit });
        }
        file.write_all(&buffer[..read]).map_err(scratch_error)?;
    };
    Ok(Unpacked { file, length, problem })
}

/// Is it the stream that is wrong, and not the disk?
fn is_damage(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof)
}

/// A file without a name.
fn scratch(folder: &Path) -> io::Result<File> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    loop {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path: PathBuf = folder.join(format!(".clipa-{}-{number}.tar", std::process::id()));
        let mut options = OpenOptions::new();
        match options.read(true).write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => return fs::remove_file(&path).map(|()| file),
            // left by a killed process of the same number
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}
