//! The only place that writes to the terminal: stdout is data, stderr is talk.

use std::{
    fmt::Display,
    io::{self, Write},
};

/// Owner of both streams. A reader that has gone away is no error.
#[derive(Debug, Default)]
pub struct Printer;

impl Printer {
    /// Data, for the next program.
    pub fn data(&self, text: impl Display) {
        let _ = writeln!(io::stdout().lock(), "{text}");
    }

    /// Talk, for a person.
    pub fn talk(&self, text: impl Display) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }
}
