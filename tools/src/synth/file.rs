//! Files that are either complete or not there: written beside, synced, renamed.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use webdataset::{TarWriter, shard::Compression};

use super::SynthError;

/// Time of every tar member, in seconds since 1970: any constant will do.
const MEMBER_TIME_S: u64 = 1_700_000_000;

/// Makes the folder and those above it.
pub(super) fn make_folder(path: &Path) -> Result<(), SynthError> {
    fs::create_dir_all(path).map_err(at(path))
}

/// Writes a whole file under its final name, or nothing.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), SynthError> {
    let partial = partial(path);
    let mut file = File::create(&partial).map_err(at(&partial))?;
    file.write_all(bytes).map_err(at(&partial))?;
    commit(&file, &partial, path)
}

/// A tar under a temporary name, which [`PendingTar::commit`] gives its own.
pub(super) struct PendingTar {
    writer: TarWriter,
    file: File,
    path: PathBuf,
    partial: PathBuf,
}

impl PendingTar {
    /// Starts the tar; its bytes depend on the members alone.
    pub(super) fn create(path: &Path) -> Result<PendingTar, SynthError> {
        let partial = partial(path);
        let file = File::create(&partial).map_err(at(&partial))?;
        let sink = BufWriter::new(file.try_clone().map_err(at(&partial))?);
        let writer = TarWriter::new(Box::new(sink), Compression::None)
            .map_err(|source| SynthError::Tar { path: partial.clone(), source })?
            .with_mtime(Some(MEMBER_TIME_S));
        Ok(PendingTar { writer, file, path: path.to_owned(), partial })
    }

    /// Appends a sample's members.
    pub(super) fn write(&mut self, sample: &webdataset::Sample) -> Result<(), SynthError> {
        let written = self.writer.write(sample);
        written.map(drop).map_err(|source| SynthError::Tar { path: self.partial.clone(), source })
    }

    /// Ends the tar; it now exists under its own name.
    pub(super) fn commit(self) -> Result<(), SynthError> {
        let PendingTar { writer, file, path, partial } = self;
        writer.close().map_err(|source| SynthError::Tar { path: partial.clone(), source })?;
        commit(&file, &partial, &path)
    }
}

fn commit(file: &File, partial: &Path, path: &Path) -> Result<(), SynthError> {
    file.sync_all().map_err(at(partial))?;
    fs::rename(partial, path).map_err(at(path))
}

/// `.NAME.partial` in the same folder: no reader's pattern such as `*.tar` finds it.
fn partial(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.partial"))
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> SynthError {
    let path = path.to_owned();
    move |source| SynthError::File { path, source }
}
