//! What can go wrong in the shim.

/// An error of the shim or of libtorch behind it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// libtorch refused; the message is its own, without the C++ backtrace.
    #[error("libtorch: {0}")]
    Torch(String),
    /// `libtorch_cuda.so` could not be loaded; the message is the loader's.
    #[error("CUDA is not available: {0}")]
    NoCuda(String),
    /// Autocast knows bf16 and f16 only.
    #[error("autocast to {0:?}: choose BFloat16 or Half")]
    AutocastKind(tch::Kind),
    /// Autocast knows CPU and CUDA only.
    #[error("autocast on {0:?}: choose the CPU or a CUDA device")]
    AutocastDevice(tch::Device),
    /// The values do not fill the shape.
    #[error("{values} values do not fill the shape {size:?}")]
    Shape {
        /// How many values there are.
        values: usize,
        /// The shape asked for.
        size: Vec<i64>,
    },
    /// Lists that go together have different lengths, or are empty.
    #[error("{what}: lists of {left} and {right} tensors do not go together")]
    Lists {
        /// The operation.
        what: &'static str,
        /// Length of the first list.
        left: usize,
        /// Length of the list that does not match.
        right: usize,
    },
}
