//! Ending the process while other threads compute.
#![allow(unsafe_code, reason = "a function of the C library that Rust has no safe name for")]

use std::ffi::c_int;

unsafe extern "C" {
    fn _exit(status: c_int) -> !;
}

/// Ends the process at once, without what C++ has registered for its end.
///
/// Benefit: [`std::process::exit`] runs the destructors of libtorch's globals, and a thread that still computes with
/// them crashes. Soundness: the function takes any number, runs no code of this process and does not return.
pub fn exit_at_once(code: i32) -> ! {
    // SAFETY: see above; there is nothing that a caller could do wrong.
    unsafe { _exit(code) }
}

#[cfg(test)]
mod tests {
    use std::{env, process::Command};

    use super::*;

    const NAME: &str = "exit::tests::nothing_that_was_registered_runs";
    const IS_CHILD: &str = "TORCH_EXT_EXITING_CHILD";

    unsafe extern "C" {
        fn atexit(function: extern "C" fn()) -> c_int;
    }

    extern "C" fn registered() {
        std::process::abort();
    }

    #[test]
    fn nothing_that_was_registered_runs() {
        if env::var_os(IS_CHILD).is_some() {
            // SAFETY: registers a function that may be called at any time.
            assert_eq!(unsafe { atexit(registered) }, 0);
            exit_at_once(130);
        }
        let mut child = Command::new(env::current_exe().unwrap());
        let ended = child.args(["--exact", NAME]).env(IS_CHILD, "1").output().unwrap();
        assert_eq!(ended.status.code(), Some(130), "{ended:?}");
    }
}
