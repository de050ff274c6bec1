//! The command lines, in three steps: [`flags`] (and each command's own) are what a person types, `options` checks
//! them once, and each command's `run` calls the parts of the library.

pub mod classes;
pub mod dedup;
pub mod flags;
mod ingest;
pub mod laion;
mod options;
pub mod synth;
pub mod tagger;
pub mod takedown;
