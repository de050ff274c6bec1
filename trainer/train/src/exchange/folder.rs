//! An output folder that is whole or not there.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use clipa_schemas::file::AtomicFile;

use super::error::ExchangeError;

/// A folder under a temporary name, beside the one that it will be.
#[derive(Debug)]
pub(super) struct NewFolder {
    temporary: PathBuf,
    target: PathBuf,
}

impl NewFolder {
    /// Begins a folder; what an interrupted predecessor left is removed.
    ///
    /// # Errors
    /// [`ExchangeError::Exists`] where something is there.
    pub(super) fn begin(target: &Path) -> Result<NewFolder, ExchangeError> {
        check_free(target)?;
        let name = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let temporary = target.with_file_name(format!(".{name}.tmp"));
        if temporary.exists() {
            fs::remove_dir_all(&temporary).map_err(ExchangeError::io(&temporary))?;
        }
        fs::create_dir_all(&temporary).map_err(ExchangeError::io(&temporary))?;
        Ok(NewFolder { temporary, target: target.into() })
    }

    /// Where files are written.
    pub(super) fn path(&self) -> &Path {
        &self.temporary
    }

    /// Makes the folder durable under its name.
    ///
    /// # Errors
    /// The disk; something came there meanwhile.
    pub(super) fn commit(mut self) -> Result<(), ExchangeError> {
        sync(&self.temporary)?;
        // An empty folder of this name is replaced.
        fs::rename(&self.temporary, &self.target).map_err(ExchangeError::io(&self.target))?;
        self.temporary.clear();
        let parent = match self.target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        sync(parent)
    }
}

impl Drop for NewFolder {
    fn drop(&mut self) {
        if !self.temporary.as_os_str().is_empty() {
            // best effort: the next attempt removes what is left
            let _ = fs::remove_dir_all(&self.temporary);
        }
    }
}

/// Refuses a folder that holds something, and a file.
///
/// # Errors
/// [`ExchangeError::Exists`].
pub(super) fn check_free(target: &Path) -> Result<(), ExchangeError> {
    let is_empty = match fs::read_dir(target) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(_) => false,
    };
    if is_empty { Ok(()) } else { Err(ExchangeError::Exists { path: target.into() }) }
}

/// Writes a text, whole or not at all.
///
/// # Errors
/// The disk.
pub(super) fn write_text(path: &Path, text: &str) -> Result<(), ExchangeError> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(text.as_bytes()).map_err(ExchangeError::io(path))?;
    file.commit(path.file_name().unwrap_or_default().to_string_lossy())?;
    Ok(())
}

fn sync(folder: &Path) -> Result<(), ExchangeError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(ExchangeError::io(folder))
}
