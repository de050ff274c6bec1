//! The command lines: flags become checked configuration once, and the parts of the library are called.

pub mod classes;
pub mod laion;
pub mod synth;
pub mod tagger;
pub mod takedown;
