//! CUDA by `dlopen`: one binary for machines with and without a GPU; and how full a GPU's memory is.
#![allow(unsafe_code, reason = "loads a shared library, asks libtorch's allocator")]

use std::ffi::{CStr, c_char, c_int};

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

/// Longest name of a GPU, in bytes.
const MAX_NAME_BYTES: usize = 256;

/// The name of the GPU of this index, as its driver says it: `NVIDIA H100 80GB HBM3`.
///
/// # Errors
/// Where there is no such GPU.
pub fn gpu_name(index: usize) -> Result<String, Error> {
    let mut name = [0 as c_char; MAX_NAME_BYTES];
    let length = (MAX_NAME_BYTES - 1) as c_int;
    // SAFETY: the driver writes at most `length` bytes, one less than there are, so that a zero always ends them.
    ffi::check(unsafe { ffi::tx_gpu_name(index as c_int, name.as_mut_ptr(), length) })?;
    // SAFETY: the bytes end with a zero and live until they have been copied.
    Ok(unsafe { CStr::from_ptr(name.as_ptr()) }.to_string_lossy().into_owned())
}

/// A GPU's memory, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GpuMemory {
    /// Free on the device, as its driver says.
    pub free: u64,
    /// All of it.
    pub total: u64,
    /// Most that tensors of this process had at a time since [`release_gpu_memory`].
    pub peak: u64,
}

/// Asks how much memory the GPU of this index has.
///
/// # Errors
/// Where there is no such GPU.
pub fn gpu_memory(index: usize) -> Result<GpuMemory, Error> {
    let (mut free, mut total, mut peak) = (0, 0, 0);
    // SAFETY: the three out-pointers are valid for the call.
    ffi::check(unsafe { ffi::tx_gpu_memory(index as c_int, &mut free, &mut total, &mut peak) })?;
    let [free, total, peak] = [free, total, peak].map(i64::unsigned_abs);
    Ok(GpuMemory { free, total, peak })
}

/// Returns memory that no tensor uses to the GPU's driver, and begins to count the peak anew.
///
/// # Errors
/// Where there is no such GPU.
pub fn release_gpu_memory(index: usize) -> Result<(), Error> {
    // SAFETY: takes a number only; libtorch keeps what tensors use.
    ffi::check(unsafe { ffi::tx_gpu_release(index as c_int) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_there_is_no_gpu_that_is_an_error() {
        if tch::Cuda::is_available() {
            return;
        }
        assert!(gpu_memory(0).is_err());
        assert!(gpu_name(0).is_err());
        assert!(release_gpu_memory(0).is_err());
    }
}
