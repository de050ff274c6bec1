//! The tars and text files, each whole or absent.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use clipa_schemas::file::AtomicFile;
use webdataset::{TarWriter, shard::Compression};

use super::SynthError;

/// Time of every tar member, in seconds since 1970: any constant will do.
const MEMBER_TIME_S: u64 = 1_700_000_000;

/// Makes the folder and those above it.
pub(super) fn make_folder(path: &Path) -> Result<(), SynthError> {
    let failed = |source| SynthError::File { path: path.to_owned(), source };
    std::fs::create_dir_all(path).map_err(failed)
}

/// Writes a whole file under its final name, or nothing.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), SynthError> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(bytes).map_err(|source| SynthError::File { path: path.to_owned(), source })?;
    Ok(file.commit(String::new()).map(drop)?)
}

/// A tar that gets its name when it is complete.
pub(super) struct PendingTar {
    writer: TarWriter,
    file: SharedFile,
    path: PathBuf,
}

/// The tar writer owns its sink and drops it at the end; the file has to outlive that, to be committed.
#[derive(Clone)]
struct SharedFile(Arc<Mutex<Option<AtomicFile>>>);

impl PendingTar {
    /// Starts the tar; its bytes depend on the members alone.
    pub(super) fn create(path: &Path) -> Result<PendingTar, SynthError> {
        let file = SharedFile(Arc::new(Mutex::new(Some(AtomicFile::create(path)?))));
        let writer = TarWriter::new(Box::new(file.clone()), Compression::None)
            .map_err(|source| SynthError::Tar { path: path.to_owned(), source })?
            .with_mtime(Some(MEMBER_TIME_S));
        Ok(PendingTar { writer, file, path: path.to_owned() })
    }

    /// Appends a sample's members.
    pub(super) fn write(&mut self, sample: &webdataset::Sample) -> Result<(), SynthError> {
        let written = self.writer.write(sample);
        written.map(drop).map_err(|source| SynthError::Tar { path: self.path.clone(), source })
    }

    /// Ends the tar; it now exists under its own name.
    pub(super) fn commit(self) -> Result<(), SynthError> {
        let PendingTar { writer, file, path } = self;
        writer.close().map_err(|source| SynthError::Tar { path, source })?;
        let file = file.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        file.map_or(Ok(()), |file| Ok(file.commit(String::new()).map(drop)?))
    }
}

impl SharedFile {
    fn with(&self, act: impl FnOnce(&mut AtomicFile) -> io::Result<usize>) -> io::Result<usize> {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        act(file.as_mut().ok_or(io::ErrorKind::BrokenPipe)?)
    }
}

impl Write for SharedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.with(|file| file.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.with(|file| file.flush().map(|()| 0)).map(drop)
    }
}
