//! The C functions of `cpp/torch_ext.cpp`, and the three steps every call needs: pointers, result, message.
#![allow(unsafe_code, reason = "the border to C++; everything public above it is safe")]

use std::ffi::{CStr, c_char, c_int, c_void};

use tch::Tensor;
use torch_sys::C_tensor;

use crate::Error;

unsafe extern "C" {
    fn tx_last_error() -> *const c_char;
    pub(crate) fn tx_load_cuda() -> c_int;
    pub(crate) fn tx_autocast_get(device: c_int, enabled: *mut c_int, dtype: *mut c_int) -> c_int;
    pub(crate) fn tx_autocast_set(device: c_int, enabled: c_int, dtype: c_int) -> c_int;
    pub(crate) fn tx_autocast_enter() -> c_int;
    pub(crate) fn tx_autocast_leave() -> c_int;
    pub(crate) fn tx_fused_adamw(
        parameters: *const *mut C_tensor,
        gradients: *const *mut C_tensor,
        first_moments: *const *mut C_tensor,
        second_moments: *const *mut C_tensor,
        steps: *const *mut C_tensor,
        count: i64,
        lr: f64,
        beta1: f64,
        beta2: f64,
        weight_decay: f64,
        eps: f64,
    ) -> c_int;
    pub(crate) fn tx_gradient_norm(gradients: *const *mut C_tensor, count: i64) -> *mut C_tensor;
    pub(crate) fn tx_gradient_norms(
        gradients: *const *mut C_tensor,
        lengths: *const i64,
        parts: i64,
    ) -> *mut C_tensor;
    pub(crate) fn tx_limit_gradients(
        gradients: *const *mut C_tensor,
        count: i64,
        norm: *mut C_tensor,
        max_norm: f64,
    ) -> c_int;
    pub(crate) fn tx_average(
        averages: *const *mut C_tensor,
        values: *const *mut C_tensor,
        count: i64,
        weight: f64,
    ) -> c_int;
    pub(crate) fn tx_gpu_name(index: c_int, name: *mut c_char, length: c_int) -> c_int;
    pub(crate) fn tx_clear_gradients(parameters: *const *mut C_tensor, count: i64) -> c_int;
    pub(crate) fn tx_gpu_memory(
        index: c_int,
        free: *mut i64,
        total: *mut i64,
        peak: *mut i64,
    ) -> c_int;
    pub(crate) fn tx_gpu_release(index: c_int) -> c_int;
    pub(crate) fn tx_from_owned(
        data: *mut c_void,
        sizes: *const i64,
        dimensions: i64,
        dtype: c_int,
        drop: extern "C" fn(*mut c_void),
        owner: *mut c_void,
    ) -> *mut C_tensor;
}

/// The message of the last failure on this thread.
pub(crate) fn last_error() -> String {
    // SAFETY: the shim returns a NUL-terminated string that lives until the next failure on this thread,
    // and it is copied before anything else can run.
    unsafe { CStr::from_ptr(tx_last_error()) }.to_string_lossy().into_owned()
}

/// Turns a return code into a result.
pub(crate) fn check(code: c_int) -> Result<(), Error> {
    if code == 0 { Ok(()) } else { Err(Error::Torch(last_error())) }
}

/// Takes ownership of a tensor that the shim returned.
pub(crate) fn own(pointer: *mut C_tensor) -> Result<Tensor, Error> {
    if pointer.is_null() {
        return Err(Error::Torch(last_error()));
    }
    // SAFETY: the shim returns a new `at::Tensor` that nobody else deletes; tch deletes it on drop.
    Ok(unsafe { Tensor::from_ptr(pointer) })
}

/// Borrowed pointers to the tensors; valid as long as `tensors` is.
pub(crate) fn pointers(tensors: &[Tensor]) -> Vec<*mut C_tensor> {
    tensors.iter().map(|tensor| tensor.as_ptr().cast_mut()).collect()
}
