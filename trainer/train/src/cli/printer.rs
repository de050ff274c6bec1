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

    /// Why the run failed: the message with its causes on one line, without a cause that is in the message already.
    pub fn error(&self, error: &anyhow::Error) {
        let mut message = error.to_string();
        for cause in error.chain().skip(1).map(ToString::to_string) {
            if !message.ends_with(&cause) {
                message = format!("{message}: {cause}");
            }
        }
        self.talk(format!("error: {message}"));
    }
}
