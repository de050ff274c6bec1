//! The subcommands of the binaries: their arguments, and what they print.

pub mod tagger;
