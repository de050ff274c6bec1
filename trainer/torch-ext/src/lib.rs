//! What tch 0.24 lacks, over the same libtorch and without a second one in the process.
//!
//! | want | tch 0.24 | here |
//! |---|---|---|
//! | bf16 autocast, on CPU and CUDA | sets no dtype, only CUDA | [`Autocast`], undone on drop also in a panic |
//! | AdamW over all parameters at once | one kernel a tensor and moment | [`fused_adamw`] |
//! | norms and clipping of all gradients | a loop with a sync a tensor | [`gradient_norms`], [`limit_gradients`] |
//! | a running average of all weights | one kernel a tensor | [`average`] |
//! | gradients' memory back before the next forward pass | zeroes them | [`clear_gradients`] |
//! | how full a GPU is, what it is called | no | [`gpu_memory`], [`release_gpu_memory`], [`gpu_name`] |
//! | a tensor over Rust's memory, without a copy | `unsafe`, nobody frees it | [`from_owned`], [`from_owner`] |
//! | the end of a process whose threads compute | runs the destructors of C++ | [`exit_at_once`] |
//! | one binary for machines with and without CUDA | links what it finds | [`load_cuda`] |
//!
//! The shim (`cpp/torch_ext.cpp`) is the only C++ of the project. It borrows tensors that come in, and hands over
//! ownership of those that go out; no exception crosses it.

mod adamw;
mod autocast;
mod cuda;
mod error;
mod exit;
mod ffi;
mod gradients;
mod owned;

pub use adamw::{AdamWStep, fused_adamw};
pub use autocast::Autocast;
pub use cuda::{GpuMemory, gpu_memory, gpu_name, load_cuda, release_gpu_memory};
pub use error::Error;
pub use exit::exit_at_once;
pub use gradients::{average, clear_gradients, gradient_norm, gradient_norms, limit_gradients};
pub use owned::{Element, from_owned, from_owner};
