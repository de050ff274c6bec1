//! The command lines: flags become checked configuration once, and the parts of the library are called.

pub mod inspect;
pub mod synth;
