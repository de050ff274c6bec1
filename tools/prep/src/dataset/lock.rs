//! One writer at a time.

use std::{
    fs::{File, TryLockError},
    path::Path,
};

use anyhow::{Context, Result, anyhow};
use clipa_talk::Failure;

/// Held while a run writes to a folder; the system drops it with the process, so a crash leaves none behind.
pub(super) const LOCK: &str = ".lock";

/// Takes the lock of a folder, which is held as long as the file is open.
///
/// # Errors
/// Another run holds it, or the system refuses.
pub(super) fn lock(dataset: &Path) -> Result<File> {
    let path = dataset.join(LOCK);
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let error = anyhow!("another run is writing to {}", dataset.display());
            Err(Failure::new(error, "wait for it, or name another --output").into())
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}
