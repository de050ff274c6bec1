//! A library for `LD_PRELOAD` that lets the machine fail at a chosen moment, so that a test needs no luck.
//!
//! | variable | effect |
//! |---|---|
//! | `CLIPA_KILL_AT_RENAME=N:before` or `N:after` | SIGKILL at the Nth rename, counted from 1 |
//! | `CLIPA_FAIL_READ=NAME:OFFSET` | reads of the file NAME that touch byte OFFSET fail with EIO |

#![allow(unsafe_code, reason = "it takes the place of functions of the C library")]

use std::{
    ffi::{c_char, c_int, c_void},
    os::fd::RawFd,
    sync::atomic::{AtomicUsize, Ordering},
};

static RENAMES: AtomicUsize = AtomicUsize::new(0);

/// `rename(2)`.
///
/// # Safety
/// As in C: both are paths that end with a zero byte.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rename(from: *const c_char, to: *const c_char) -> c_int {
    let number = RENAMES.fetch_add(1, Ordering::SeqCst) + 1;
    let fatal = std::env::var("CLIPA_KILL_AT_RENAME").ok();
    let dies = |when: &str| fatal.as_deref() == Some(format!("{number}:{when}").as_str());
    if dies("before") {
        die();
    }
    // SAFETY: the arguments are passed on as they came, and the system call is the one that C's `rename` makes.
    let result =
        unsafe { libc::syscall(libc::SYS_renameat2, libc::AT_FDCWD, from, libc::AT_FDCWD, to, 0) };
    if dies("after") {
        die();
    }
    result as c_int
}

fn die() {
    // SAFETY: no memory is involved.
    unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
}

/// `pread(2)`.
///
/// # Safety
/// As in C: `buffer` has room for `count` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pread64(
    file: RawFd,
    buffer: *mut c_void,
    count: usize,
    offset: i64,
) -> isize {
    if fails(file, offset, count).unwrap_or(false) {
        // SAFETY: the C library gives each thread its own place for the error number.
        unsafe { *libc::__errno_location() = libc::EIO };
        return -1;
    }
    // SAFETY: the arguments are passed on as they came, and the system call is the one that C's `pread` makes.
    unsafe { libc::syscall(libc::SYS_pread64, file, buffer, count, offset) as isize }
}

/// Shall this read fail?
fn fails(file: RawFd, offset: i64, count: usize) -> Option<bool> {
    let fault = std::env::var("CLIPA_FAIL_READ").ok()?;
    let (name, bad) = fault.rsplit_once(':')?;
    let bad: i64 = bad.parse().ok()?;
    let path = std::fs::read_link(format!("/proc/self/fd/{file}")).ok()?;
    let touched = offset <= bad && bad < offset.saturating_add(count as i64);
    Some(touched && path.file_name().is_some_and(|found| found == name))
}
