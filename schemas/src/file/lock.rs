//! Locks that a file system may not have.

use std::io;

/// Does an error of [`std::fs::File::try_lock`] say that the file system knows no locks, or that its lock service cannot
/// be reached?
///
/// So it is on Lustre mounted without `flock` (`ENOSYS`), on some FUSE and network file systems (`EOPNOTSUPP`), and on
/// NFS without a lock daemon (`ENOLCK`). Who writes the same bytes as any other run may go on there with a warning.
pub fn is_without_locks(error: &io::Error) -> bool {
    let codes = [libc::ENOSYS, libc::ENOTSUP, libc::EOPNOTSUPP, libc::ENOLCK];
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_lock_is_told_from_one_that_is_refused() {
        for code in [libc::ENOSYS, libc::EOPNOTSUPP, libc::ENOLCK] {
            assert!(is_without_locks(&io::Error::from_raw_os_error(code)), "{code}");
        }
        for code in [libc::EACCES, libc::EIO, libc::EWOULDBLOCK] {
            assert!(!is_without_locks(&io::Error::from_raw_os_error(code)), "{code}");
        }
        assert!(!is_without_locks(&io::Error::other("no code")));
    }
}
