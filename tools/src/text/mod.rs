//! From a raw caption to its stored token columns.

pub(crate) mod characters;
pub mod clip_bpe;
pub mod clean;
pub mod words;
