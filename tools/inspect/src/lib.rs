//! Looks at a data set: what it holds, what a model sees of a sample, whether every byte is still right.
//!
//! Nothing here changes a data set. What is read from one is untrusted: a file whose length or checksum
//! is not that of its entry is reported, not decoded.

pub mod canvas;
pub mod cli;
pub mod dataset;
pub mod detokenizer;
mod error;
pub mod font;
pub mod grid;
pub mod pixels;
pub mod png;
pub mod rejects;
pub mod sample;
pub mod summary;
pub mod terminal;
#[cfg(test)]
pub(crate) mod test_set;
pub mod verify;

pub use error::InspectError;
