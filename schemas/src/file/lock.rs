//! One writer of a folder at a time.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    path::Path,
};

use crate::error::{Error, Result};

/// Name of the file that is locked. It is empty and stays; the system drops the lock with the process, so that a crash
/// leaves none behind.
pub const LOCK: &str = ".lock";

/// What became of an attempt to lock a folder.
#[derive(Debug)]
pub enum Locked {
    /// Nobody else writes as long as this file is open.
    Taken(File),
    /// Another process has it.
    Elsewhere,
    /// The file system knows no locks, for this reason: nobody is kept out.
    Unsupported(io::Error),
}

/// Tries to lock a folder, without waiting.
///
/// # Errors
/// [`Error::Io`] where the file in it can't be made.
pub fn lock(folder: &Path) -> Result<Locked> {
    let path = folder.join(LOCK);
    // For reading, too: over NFS a lock becomes one of POSIX, which asks for both.
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
    let file = opened.map_err(Error::io(&path))?;
    outcome(file.try_lock().map(|()| file)).map_err(Error::io(&path))
}

fn outcome(locked: std::result::Result<File, TryLockError>) -> io::Result<Locked> {
    match locked {
        Ok(file) => Ok(Locked::Taken(file)),
        Err(TryLockError::WouldBlock) => Ok(Locked::Elsewhere),
        // Some Lustre mounts, FUSE file systems, and NFS without its lock daemon.
        Err(TryLockError::Error(error)) => match error.raw_os_error() {
            Some(libc::ENOSYS | libc::EOPNOTSUPP | libc::ENOLCK) => Ok(Locked::Unsupported(error)),
            _ => Err(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_one_is_told_and_the_third_follows_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let first = lock(folder.path()).unwrap();
        assert!(matches!(first, Locked::Taken(_)));
        assert!(matches!(lock(folder.path()).unwrap(), Locked::Elsewhere));
        drop(first);
        assert!(matches!(lock(folder.path()).unwrap(), Locked::Taken(_)));
        assert!(lock(&folder.path().join("nowhere")).is_err());
    }

    #[test]
    fn a_file_system_without_locks_is_no_error() {
        for code in [libc::ENOSYS, libc::ENOTSUP, libc::ENOLCK] {
            let error = TryLockError::Error(io::Error::from_raw_os_error(code));
            assert!(matches!(outcome(Err(error)).unwrap(), Locked::Unsupported(_)), "{code}");
        }
        let error = TryLockError::Error(io::Error::from_raw_os_error(libc::EIO));
        assert!(outcome(Err(error)).is_err());
    }
}
