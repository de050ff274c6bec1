//! One writer of a data set at a time.

use std::{fs::File, path::Path};

use anyhow::{Context, Result, anyhow};
use clipa_schemas::file::{self, Locked};
use clipa_talk::{Failure, Printer};

pub(super) use clipa_schemas::file::LOCK;

/// Takes the lock of a folder, which is held as long as what is returned is.
///
/// Some mounts of Lustre and NFS know no locks. A single run is right without one, and two that make the same data set
/// write the same bytes; so there it is a warning, and nothing is held.
///
/// # Errors
/// Another run holds it, or the system refuses.
pub(super) fn lock(dataset: &Path, printer: &Printer) -> Result<Option<File>> {
    let locked = file::lock(dataset);
    match locked.with_context(|| format!("cannot lock {}", dataset.display()))? {
        Locked::Taken(file) => Ok(Some(file)),
        Locked::Elsewhere => {
            let error = anyhow!("another run is writing to {}", dataset.display());
            Err(Failure::new(error, "wait for it, or name another --output").into())
        }
        Locked::Unsupported(error) => {
            printer.warn(format!(
                "{} is on a file system without locks ({error}): see to it that no other run writes to it",
                dataset.display()
            ));
            Ok(None)
        }
    }
}
