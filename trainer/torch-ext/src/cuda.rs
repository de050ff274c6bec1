//! CUDA by `dlopen`: one binary for machines with and without a GPU.
#![allow(unsafe_code, reason = "loads a shared library")]

use crate::{Error, ffi};

/// Loads `libtorch_cuda.so`, which registers libtorch's CUDA kernels.
///
/// Call it first thing in `main`: a `tch::Cuda::is_available()` before it may remember "no" for ever.
/// The library is looked for along the binary's search path and `LD_LIBRARY_PATH`.
///
/// # Errors
/// [`Error::NoCuda`] where the library (or one that it needs) is missing: the normal case on a CPU machine.
pub fn load_cuda() -> Result<(), Error> {
    // SAFETY: takes no arguments; the initialisers that it runs are those of libtorch itself, which allow
    // loading at any time.
    match unsafe { ffi::tx_load_cuda() } {
        0 => Ok(()),
        _ => Err(Error::NoCuda(ffi::last_error())),
    }
}
