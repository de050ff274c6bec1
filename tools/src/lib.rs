//! clipa-prep and clipa-inspect: image-text data prepared once, offline, and looked at.

pub mod archive;
pub mod cli;
pub mod image;
pub mod synth;
pub mod text;
