//! A library for `LD_PRELOAD` that lets the machine fail at a chosen moment, so that a test needs no luck.
//!
//! | variable | effect |
//! |---|---|
//! | `CLIPA_KILL_AT_RENAME=N:before` or `N:after` | SIGKILL at the Nth rename, counted from 1 |
//! | `CLIPA_KILL_AT_SYNC=N:before` or `N:after` | SIGKILL at the Nth fsync or fdatasync, counted from 1 |
//! | `CLIPA_FAIL_SYNC=PATH` | fsync and fdatasync of what has a path that ends in PATH fail with EIO |
//! | `CLIPA_SLOW_SYNC=MS` | every fsync and fdatasync takes so many milliseconds more |
//! | `CLIPA_FAIL_FLOCK=ERRNO` | flock fails with that error number |
//! | `CLIPA_MAX_THREADS=N` | no thread is started after the Nth, as where a limit is reached (EAGAIN) |
//! | `CLIPA_FAIL_READ=NAME:OFFSET` | reads of the file NAME that touch byte OFFSET fail with EIO |

#![allow(unsafe_code, reason = "it takes the place of functions of the C library")]

use std::{
    ffi::{c_char, c_int, c_void},
    os::fd::RawFd,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
};

static RENAMES: AtomicUsize = AtomicUsize::new(0);
static SYNCS: AtomicUsize = AtomicUsize::new(0);
static THREADS: AtomicUsize = AtomicUsize::new(0);

/// `rename(2)`.
///
/// # Safety
/// As in C: both are paths that end with a zero byte.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rename(from: *const c_char, to: *const c_char) -> c_int {
    around(&RENAMES, "CLIPA_KILL_AT_RENAME", || {
        // SAFETY: the arguments are passed on as they came, and the system call is the one that C's `rename` makes.
        unsafe {
            libc::syscall(libc::SYS_renameat2, libc::AT_FDCWD, from, libc::AT_FDCWD, to, 0) as c_int
        }
    })
}

/// `fsync(2)`.
#[unsafe(no_mangle)]
pub extern "C" fn fsync(file: RawFd) -> c_int {
    sync(file, libc::SYS_fsync)
}

/// `fdatasync(2)`.
#[unsafe(no_mangle)]
pub extern "C" fn fdatasync(file: RawFd) -> c_int {
    sync(file, libc::SYS_fdatasync)
}

fn sync(file: RawFd, call: libc::c_long) -> c_int {
    if let Some(milliseconds) = number("CLIPA_SLOW_SYNC") {
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
    }
    around(&SYNCS, "CLIPA_KILL_AT_SYNC", || {
        if sync_fails(file).unwrap_or(false) {
            return failed_with(libc::EIO) as c_int;
        }
        // SAFETY: the only argument is a number, passed on as it came.
        unsafe { libc::syscall(call, file) as c_int }
    })
}

fn number<N: std::str::FromStr>(variable: &str) -> Option<N> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Counts a call, makes it, and dies before or after it where the variable says so.
fn around(calls: &AtomicUsize, variable: &str, call: impl FnOnce() -> c_int) -> c_int {
    let number = calls.fetch_add(1, Ordering::SeqCst) + 1;
    let fatal = std::env::var(variable).ok();
    let dies = |when: &str| fatal.as_deref() == Some(format!("{number}:{when}").as_str());
    if dies("before") {
        die();
    }
    let result = call();
    if dies("after") {
        die();
    }
    result
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
    if read_fails(file, offset, count).unwrap_or(false) {
        return failed_with(libc::EIO);
    }
    // SAFETY: the arguments are passed on as they came, and the system call is the one that C's `pread` makes.
    unsafe { libc::syscall(libc::SYS_pread64, file, buffer, count, offset) as isize }
}

/// `flock(2)`.
#[unsafe(no_mangle)]
pub extern "C" fn flock(file: RawFd, operation: c_int) -> c_int {
    if let Some(code) = number("CLIPA_FAIL_FLOCK") {
        return failed_with(code) as c_int;
    }
    // SAFETY: the arguments are numbers, passed on as they came.
    unsafe { libc::syscall(libc::SYS_flock, file, operation) as c_int }
}

type ThreadStart = extern "C" fn(*mut c_void) -> *mut c_void;
type CreateThread = unsafe extern "C" fn(
    *mut libc::pthread_t,
    *const libc::pthread_attr_t,
    ThreadStart,
    *mut c_void,
) -> c_int;

/// `pthread_create(3)`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pthread_create(
    thread: *mut libc::pthread_t,
    attributes: *const libc::pthread_attr_t,
    start: ThreadStart,
    argument: *mut c_void,
) -> c_int {
    let started = THREADS.fetch_add(1, Ordering::SeqCst);
    if number("CLIPA_MAX_THREADS").is_some_and(|most: usize| started >= most) {
        return libc::EAGAIN;
    }
    // SAFETY: the name ends with a zero byte; the function that is found is C's own of this name, with this signature.
    let create = unsafe {
        let found = libc::dlsym(libc::RTLD_NEXT, c"pthread_create".as_ptr());
        std::mem::transmute::<*mut c_void, Option<CreateThread>>(found)
    };
    let Some(create) = create else { return libc::ENOSYS };
    // SAFETY: the arguments are passed on as they came.
    unsafe { create(thread, attributes, start, argument) }
}

/// What a call returns that failed with this error number.
fn failed_with(code: c_int) -> isize {
    // SAFETY: the C library gives each thread its own place for the error number.
    unsafe { *libc::__errno_location() = code };
    -1
}

/// Shall this sync fail?
fn sync_fails(file: RawFd) -> Option<bool> {
    let end = std::env::var_os("CLIPA_FAIL_SYNC")?;
    Some(path_of(file)?.ends_with(end))
}

/// Shall this read fail?
fn read_fails(file: RawFd, offset: i64, count: usize) -> Option<bool> {
    let fault = std::env::var("CLIPA_FAIL_READ").ok()?;
    let (name, bad) = fault.rsplit_once(':')?;
    let bad: i64 = bad.parse().ok()?;
    let touched = offset <= bad && bad < offset.saturating_add(count as i64);
    Some(touched && path_of(file)?.file_name().is_some_and(|found| found == name))
}

fn path_of(file: RawFd) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/self/fd/{file}")).ok()
}
