//! One writer of a folder at a time, where the file system knows locks.

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
        Err(TryLockError::Error(error)) if is_without_locks(&error) => {
            Ok(Locked::Unsupported(error))
        }
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Does an error of [`File::try_lock`] say that the file system knows no locks, or that its lock service cannot be
/// reached?
///
/// So it is on Lustre mounted without `flock` (`ENOSYS`), on some FUSE and network file systems (`EOPNOTSUPP`), and on
/// NFS without a lock daemon (`ENOLCK`). Who writes the same bytes as any other run may go on there with a warning.
fn is_without_locks(error: &io::Error) -> bool {
    let codes = [libc::ENOSYS, libc::ENOTSUP, libc::EOPNOTSUPP, libc::ENOLCK];
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
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
    fn a_missing_lock_is_told_from_one_that_is_refused() {
        let refused = |code| outcome(Err(TryLockError::Error(io::Error::from_raw_os_error(code))));
        for code in [libc::ENOSYS, libc::EOPNOTSUPP, libc::ENOLCK] {
            assert!(is_without_locks(&io::Error::from_raw_os_error(code)), "{code}");
            assert!(matches!(refused(code).unwrap(), Locked::Unsupported(_)), "{code}");
        }
        for code in [libc::EACCES, libc::EIO] {
            assert!(!is_without_locks(&io::Error::from_raw_os_error(code)), "{code}");
            assert!(refused(code).is_err(), "{code}");
        }
        assert!(!is_without_locks(&io::Error::other("no code")));
    }
}
