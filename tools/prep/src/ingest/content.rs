//! What an input holds, as digests: what "done" compares.
//!
//! When a unit is made, its input and the files beside it are digested whole (BLAKE3; the pages are in memory then). When
//! a later run asks whether the unit is done, reading terabytes again to be told "nothing to do" is no choice. So a file
//! counts as what it was where
//!
//! 1. it has the same length, and
//! 2. the same bytes at [`SAMPLES`] places, and
//! 3. neither content nor name of it changed since the entry was written, by the file system's own times (`mtime`,
//!    and `ctime`, which copying tools do not set).
//!
//! Where only the third fails (another copy, a touched file) the whole is read and compared; so it is for files of at
//! most [`SMALL_BYTES`], and for units from which rows were taken out, whose entries are newer than what they were made
//! from. The times are only compared, never stored.

use std::{
    fs::{File, Metadata},
    io,
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use clipa_schemas::input_file::InputFile;

use crate::archive::ArchiveError;

/// Files of at most so many bytes are compared whole.
pub(super) const SMALL_BYTES: u64 = 4 << 20;

/// Places of a larger file that are always compared, the first and the last bytes among them.
pub(super) const SAMPLES: u64 = 16;

/// Bytes at each place.
const SAMPLE_BYTES: u64 = 16 << 10;

/// Bytes that are read at once.
const BLOCK_BYTES: usize = 1 << 20;

/// An input that is open, and what lies beside it.
#[derive(Debug)]
pub struct Content {
    path: PathBuf,
    file: File,
    /// As it was when it was opened.
    opened: Metadata,
    beside: Vec<InputFile>,
}

/// A folder of images, a class each.
#[derive(Clone, Copy)]
pub(super) struct Folder<'f> {
    pub(super) root: &'f Path,
    /// Its files with their classes, sorted.
    pub(super) files: &'f [(PathBuf, u32)],
}

impl Content {
    /// Opens an input, and digests the files beside it.
    ///
    /// # Errors
    /// One of them cannot be read.
    pub fn open(path: &Path, beside: &[PathBuf]) -> Result<Content, ArchiveError> {
        let (file, opened) = open(path)?;
        let beside = beside.iter().map(|path| {
            let (file, metadata) = open(path)?;
            digest(path, &file, metadata.len())
        });
        let beside = beside.collect::<Result<_, _>>()?;
        Ok(Content { path: path.to_owned(), file, opened, beside })
    }

    /// Reads and digests the whole.
    ///
    /// # Errors
    /// It cannot be read, or was changed since it was opened.
    pub(super) fn digest(&self) -> Result<Vec<InputFile>, ArchiveError> {
        let whole = digest(&self.path, &self.file, self.opened.len())?;
        let now = self.file.metadata().map_err(|source| open_error(&self.path, source))?;
        if now.len() != self.opened.len() || modified(&now) != modified(&self.opened) {
            let source = io::Error::other("it was changed while it was read; run again");
            return Err(open_error(&self.path, source));
        }
        Ok([vec![whole], self.beside.clone()].concat())
    }
}

impl Folder<'_> {
    /// Reads and digests the whole.
    pub(super) fn digest(self) -> Result<Vec<InputFile>, ArchiveError> {
        let mut contents = blake3::Hasher::new();
        let bytes = self.each(|path, file, length| {
            contents.update(digest(path, file, length)?.blake3.as_bytes());
            Ok(())
        })?;
        let listing = self.listing()?;
        contents.update(listing.as_bytes());
        Ok(vec![InputFile {
            file: recorded_name(self.root),
            bytes,
            blake3: contents.finalize().to_hex().to_string(),
            sampled_blake3: Some(listing),
        }])
    }

    /// Digest of names, classes and lengths.
    fn listing(self) -> Result<String, ArchiveError> {
        let mut listing = blake3::Hasher::new();
        for (path, class) in self.files {
            let name = path.strip_prefix(self.root).unwrap_or(path).as_os_str().as_encoded_bytes();
            let length = path.metadata().map_err(|source| open_error(path, source))?.len();
            for number in [name.len() as u64, u64::from(*class), length] {
                listing.update(&number.to_le_bytes());
            }
            listing.update(name);
        }
        Ok(listing.finalize().to_hex().to_string())
    }

    /// Visits every file; returns the bytes of all.
    fn each(
        self,
        mut visit: impl FnMut(&Path, &File, u64) -> Result<(), ArchiveError>,
    ) -> Result<u64, ArchiveError> {
        let mut bytes = 0;
        for (path, _) in self.files {
            let (file, metadata) = open(path)?;
            bytes += metadata.len();
            visit(path, &file, metadata.len())?;
        }
        Ok(bytes)
    }

    /// What differs from the recorded content, in words.
    pub(super) fn changes(
        self,
        recorded: &InputFile,
        entry_written: Option<SystemTime>,
    ) -> Result<Vec<String>, ArchiveError> {
        if Some(self.listing()?) != recorded.sampled_blake3 {
            return Ok(vec!["its files, their classes or lengths are others now".to_owned()]);
        }
        let mut newest = UNIX_EPOCH;
        let bytes = self.each(|path, file, _| {
            let metadata = file.metadata().map_err(|source| open_error(path, source))?;
            newest = newest.max(changed(&metadata));
            Ok(())
        })?;
        let is_older = entry_written.is_some_and(|written| newest < written);
        let is_same =
            is_older && bytes > SMALL_BYTES || self.digest()?[0].blake3 == recorded.blake3;
        let said = "an image has the same length and other bytes".to_owned();
        Ok(if is_same { Vec::new() } else { vec![said] })
    }
}

/// What differs from the recorded content of a file, in words with its name; `None` where nothing does. `entry_written` is the time
/// after which a change of the file counts, `None` where every byte is to be compared.
pub(super) fn change(
    path: &Path,
    recorded: &InputFile,
    entry_written: Option<SystemTime>,
) -> Result<Option<String>, ArchiveError> {
    let (file, metadata) = open(path)?;
    if metadata.len() != recorded.bytes {
        let (then, now) = (recorded.bytes, metadata.len());
        return Ok(Some(format!("{} has {now} bytes, {then} then", recorded.file)));
    }
    let other_bytes = || Some(format!("{} has the same length and other bytes", recorded.file));
    let is_sampled = metadata.len() > SMALL_BYTES;
    if is_sampled && Some(sampled(path, &file, metadata.len())?) != recorded.sampled_blake3 {
        return Ok(other_bytes());
    }
    if is_sampled && entry_written.is_some_and(|written| changed(&metadata) < written) {
        return Ok(None);
    }
    let is_same = digest(path, &file, metadata.len())?.blake3 == recorded.blake3;
    Ok(if is_same { None } else { other_bytes() })
}

/// The name of a file or folder without what is above it.
pub(super) fn recorded_name(path: &Path) -> String {
    let whole = || path.canonicalize().ok()?.file_name().map(ToOwned::to_owned);
    // `.` and `..` have none of their own
    let name = path.file_name().map(ToOwned::to_owned).or_else(whole);
    name.unwrap_or_default().to_string_lossy().into_owned()
}

fn open(path: &Path) -> Result<(File, Metadata), ArchiveError> {
    let file = File::open(path).map_err(|source| open_error(path, source))?;
    let metadata = file.metadata().map_err(|source| open_error(path, source))?;
    Ok((file, metadata))
}

fn open_error(path: &Path, source: io::Error) -> ArchiveError {
    ArchiveError::Open { path: path.to_owned(), source }
}

fn digest(path: &Path, file: &File, length: u64) -> Result<InputFile, ArchiveError> {
    let mut whole = blake3::Hasher::new();
    let mut block = vec![0; BLOCK_BYTES.min(length as usize)];
    let mut offset = 0;
    while offset < length {
        let wanted = (length - offset).min(BLOCK_BYTES as u64) as usize;
        read(path, file, &mut block[..wanted], offset)?;
        whole.update(&block[..wanted]);
        offset += wanted as u64;
    }
    let sampled_blake3 =
        if length > SMALL_BYTES { Some(sampled(path, file, length)?) } else { None };
    Ok(InputFile {
        file: recorded_name(path),
        bytes: length,
        blake3: whole.finalize().to_hex().to_string(),
        sampled_blake3,
    })
}

/// Digest of some places of a file of more than [`SMALL_BYTES`].
fn sampled(path: &Path, file: &File, length: u64) -> Result<String, ArchiveError> {
    let mut hasher = blake3::Hasher::new();
    let mut place = [0; SAMPLE_BYTES as usize];
    let last = length - SAMPLE_BYTES;
    for number in 0..SAMPLES {
        // in 128 bits: a length times a number
        let offset = u128::from(last) * u128::from(number) / u128::from(SAMPLES - 1);
        read(path, file, &mut place, offset as u64)?;
        hasher.update(&place);
    }
    Ok(hasher.finalize().to_hex().to_string())
}

fn read(path: &Path, file: &File, bytes: &mut [u8], offset: u64) -> Result<(), ArchiveError> {
    file.read_exact_at(bytes, offset).map_err(|source| ArchiveError::Read {
        path: path.to_owned(),
        key: String::new(),
        offset,
        source,
    })
}

/// When content or name were changed last, by the system's own clock and by what programs say.
fn changed(metadata: &Metadata) -> SystemTime {
    let changed = time(metadata.ctime(), metadata.ctime_nsec());
    changed.max(metadata.modified().unwrap_or(changed))
}

fn modified(metadata: &Metadata) -> (i64, i64) {
    (metadata.mtime(), metadata.mtime_nsec())
}

fn time(seconds: i64, nanoseconds: i64) -> SystemTime {
    let seconds = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
    UNIX_EPOCH + seconds + Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file larger than what is always compared whole, and what is recorded of it.
    fn large(folder: &Path) -> (PathBuf, Vec<u8>, InputFile) {
        let path = folder.join("a.tar");
        let bytes: Vec<u8> = (0..SMALL_BYTES + 4096).map(|at| (at / 251) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        let recorded = Content::open(&path, &[]).unwrap().digest().unwrap().remove(0);
        (path, bytes, recorded)
    }

    fn later() -> Option<SystemTime> {
        Some(SystemTime::now() + Duration::from_secs(60))
    }

    #[test]
    fn the_digest_is_that_of_b3sum_and_says_nothing_of_the_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc.tar");
        std::fs::write(&path, "abc").unwrap();
        let recorded = Content::open(&path, &[]).unwrap().digest().unwrap();
        let blake3 = "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85".to_owned();
        let file = "abc.tar".to_owned();
        assert_eq!(recorded, [InputFile { file, bytes: 3, blake3, sampled_blake3: None }]);
    }

    #[test]
    fn a_file_that_is_older_than_the_entry_is_compared_by_samples_and_else_whole() {
        let folder = tempfile::tempdir().unwrap();
        let (path, bytes, recorded) = large(folder.path());
        let change = |written| change(&path, &recorded, written).unwrap();
        assert_eq!((change(later()), change(None)), (None, None));
        // between the samples
        let mut changed = bytes.clone();
        changed[SAMPLE_BYTES as usize + 1] ^= 1;
        std::fs::write(&path, &changed).unwrap();
        assert_eq!(change(later()), None, "what the documents say escapes");
        let said = Some("a.tar has the same length and other bytes".to_owned());
        assert_eq!((change(None), change(Some(UNIX_EPOCH))), (said.clone(), said.clone()));
        // within them: the first, the last, and one in the middle
        let middle = (bytes.len() as u64 - SAMPLE_BYTES) * 7 / (SAMPLES - 1) + 5;
        for place in [0, middle as usize, bytes.len() - 1] {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            std::fs::write(&path, &changed).unwrap();
            assert_eq!(change(later()), said, "{place}");
        }
        std::fs::write(&path, &bytes[1..]).unwrap();
        assert!(change(later()).is_some_and(|said| said.contains(" bytes, ")));
    }

    #[test]
    fn what_changes_while_it_is_read_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.tar");
        std::fs::write(&path, "abc").unwrap();
        let content = Content::open(&path, &[]).unwrap();
        let file = File::options().append(true).open(&path).unwrap();
        file.set_modified(UNIX_EPOCH).unwrap();
        let error = content.digest().unwrap_err().to_string();
        assert!(error.contains("changed while it was read"), "{error}");
        file.set_len(1).unwrap();
        assert!(content.digest().is_err());
    }
}
