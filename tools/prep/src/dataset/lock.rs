//! One writer at a time.

use std::{
    fs::{File, TryLockError},
    path::Path,
};

use anyhow::{Context, Result, anyhow};
use clipa_schemas::file::is_without_locks;
use clipa_talk::{Failure, Printer};

/// Held while a run writes to a folder; the system drops it with the process, so a crash leaves none behind.
pub(super) const LOCK: &str = ".lock";

/// Takes the lock of a folder, which is held as long as the file is open.
///
/// Some mounts of Lustre and NFS know no locks. A single run is right without one, and two that make the same data set
/// write the same bytes; so there it is a warning.
///
/// # Errors
/// Another run holds it, or the system refuses.
pub(super) fn lock(dataset: &Path, printer: &Printer) -> Result<File> {
    let path = dataset.join(LOCK);
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let error = anyhow!("another run is writing to {}", dataset.display());
            Err(Failure::new(error, "wait for it, or name another --output").into())
        }
        Err(TryLockError::Error(error)) if is_without_locks(&error) => {
            printer.warn(format!(
                "{} is on a file system without locks ({error}): see to it that no other run writes to it",
                dataset.display()
            ));
            Ok(file)
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}
