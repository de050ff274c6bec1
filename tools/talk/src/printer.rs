//! The Printer owns stdout and stderr.

use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
    process::ExitCode,
    sync::{Arc, Mutex},
};

use clipa_pool::lock;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget};
use serde::Serialize;

use crate::{
    Captured, EXIT_USAGE, Outcome, failure,
    outcome::code_of,
    printable::{escape_json, strip},
};

/// The one voice of a program. Its clones write to the same two outputs.
#[derive(Clone)]
pub struct Printer {
    data: Arc<Mutex<Stream>>,
    talk: Arc<Mutex<Stream>>,
    bars: MultiProgress,
}

/// One of the two outputs, with what went wrong on it first.
struct Stream {
    sink: Box<dyn Write + Send>,
    is_terminal: bool,
    failure: Option<io::Error>,
}

impl Default for Printer {
    fn default() -> Self {
        Printer::new()
    }
}

impl Printer {
    /// A printer on the process's own stdout and stderr.
    pub fn new() -> Printer {
        let data = Stream::new(Box::new(io::stdout()), io::stdout().is_terminal());
        let talk = Stream::new(Box::new(io::stderr()), io::stderr().is_terminal());
        Printer { data, talk, bars: MultiProgress::with_draw_target(ProgressDrawTarget::stderr()) }
    }

    /// A printer into memory, and what reads it; no terminal on either side.
    pub fn captured() -> (Printer, Captured) {
        let captured = Captured::default();
        let [data, talk] = captured.sinks().map(|sink| Stream::new(sink, false));
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
        (Printer { data, talk, bars }, captured)
    }

    /// Writes one line (or several) of result to stdout.
    ///
    /// Control characters other than tab and newline are stripped. A failure to write is kept for
    /// [`Printer::exit`]; a reader that closed the pipe is none.
    pub fn data(&self, text: impl Display) {
        self.write(&self.data, &strip(&text.to_string(), &['\n', '\t']));
    }

    /// Writes a value to stdout as indented JSON.
    ///
    /// Nothing of it is lost: what a terminal must not see is written as `\\u` escapes.
    ///
    /// # Errors
    /// Where the value is no JSON, such as a map whose keys are no text.
    pub fn json(&self, value: &impl Serialize) -> serde_json::Result<()> {
        let text = serde_json::to_string_pretty(value)?;
        self.write(&self.data, &escape_json(&text));
        Ok(())
    }

    /// Writes a value to stdout as one line of JSON, otherwise as [`Printer::json`].
    ///
    /// # Errors
    /// As for [`Printer::json`].
    pub fn json_line(&self, value: &impl Serialize) -> serde_json::Result<()> {
        let text = serde_json::to_string(value)?;
        self.write(&self.data, &escape_json(&text));
        Ok(())
    }

    /// Writes a drawing made of the program's own escape sequences to stdout, unchanged.
    ///
    /// Nothing that came from data may be in it but numbers.
    pub fn drawing(&self, text: &str) {
        self.bars.suspend(|| lock(&self.data).write(text));
    }

    /// Says one line to the person, on stderr.
    pub fn say(&self, text: impl Display) {
        self.write(&self.talk, &strip(&text.to_string(), &['\n', '\t']));
    }

    /// Says something that the person should look at, though the run goes on.
    pub fn warn(&self, text: impl Display) {
        self.say(format_args!("warning: {text}"));
    }

    /// Says what to do next.
    pub fn hint(&self, text: impl Display) {
        self.say(format_args!("hint: {text}"));
    }

    /// Says why the run failed: the message with its causes on one line, then the hints that the
    /// error carries.
    pub fn error(&self, error: &anyhow::Error) {
        self.say(format_args!("error: {}", failure::message(error)));
        for hint in failure::hints(error) {
            self.hint(hint);
        }
    }

    /// Whether stdout is a terminal.
    pub fn data_is_terminal(&self) -> bool {
        lock(&self.data).is_terminal
    }

    /// Whether stderr is a terminal.
    pub fn talk_is_terminal(&self) -> bool {
        lock(&self.talk).is_terminal
    }

    /// Ends a program: reports the error if there is one, also that of stdout, and returns the exit code
    /// (that of the [`Outcome`]; for an error [`EXIT_PROBLEM`](crate::EXIT_PROBLEM), or
    /// [`EXIT_INTERRUPTED`](crate::EXIT_INTERRUPTED) where it is [`Interrupted`](crate::Interrupted)).
    pub fn exit(&self, outcome: anyhow::Result<Outcome>) -> ExitCode {
        let flushed = lock(&self.data).finish();
        let outcome = outcome.and_then(|outcome| match flushed {
            Ok(()) => Ok(outcome),
            Err(error) => Err(anyhow::Error::new(error).context("stdout cannot be written")),
        });
        outcome.map(ExitCode::from).unwrap_or_else(|error| {
            self.error(&error);
            ExitCode::from(code_of(&error))
        })
    }

    /// Says what is wrong with a command line, and returns the exit code of wrong usage. The message repeats what was
    /// typed, which may have come from data.
    pub fn usage(&self, message: impl Display) -> ExitCode {
        self.say(message.to_string().trim_end());
        ExitCode::from(EXIT_USAGE)
    }

    /// A new bar at the bottom of the terminal.
    pub(crate) fn add_bar(&self, bar: ProgressBar) -> ProgressBar {
        self.bars.add(bar)
    }

    /// Takes a bar away.
    pub(crate) fn remove_bar(&self, bar: &ProgressBar) {
        self.bars.remove(bar);
    }

    fn write(&self, stream: &Mutex<Stream>, text: &str) {
        self.bars.suspend(|| lock(stream).write(&[text, "\n"].concat()));
    }
}

impl Stream {
    fn new(sink: Box<dyn Write + Send>, is_terminal: bool) -> Arc<Mutex<Stream>> {
        Arc::new(Mutex::new(Stream { sink, is_terminal, failure: None }))
    }

    fn write(&mut self, text: &str) {
        if self.failure.is_none() {
            self.failure = self.sink.write_all(text.as_bytes()).err();
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        if self.failure.is_none() {
            self.failure = self.sink.flush().err();
        }
        match self.failure.take() {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::printable::{is_unwanted, printable};

    #[test]
    fn escape_sequences_from_data_never_arrive() {
        let (printer, captured) = Printer::captured();
        let evil = "a\u{1b}[31mred\u{7}\r\n\u{202E}b\u{9b}2J";
        printer.data(printable(evil));
        printer.say(evil);
        assert_eq!(captured.data(), "a[31mred  b2J\n");
        assert_eq!(captured.talk(), "a[31mred\nb2J\n");
    }

    #[test]
    fn json_keeps_everything_and_shows_nothing_dangerous() {
        let (printer, captured) = Printer::captured();
        let evil = "a\u{1b}[31m\n\u{202E}b\u{9b}2J\u{200D}";
        printer.json(&[evil]).unwrap();
        printer.json_line(&[evil]).unwrap();
        let data = captured.data();
        assert!(!data.contains(|c| c != '\n' && is_unwanted(c)), "{data:?}");
        let read_back = serde_json::Deserializer::from_str(&data).into_iter::<[String; 1]>();
        assert!(read_back.map(Result::unwrap).eq([[evil], [evil]].map(|[e]| [e.to_owned()])));
        assert_eq!(data.lines().last().map(|line| line.starts_with("[\"a")), Some(true));
    }

    struct Full(io::ErrorKind);

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_is_an_error_and_a_closed_pipe_is_not() {
        for (kind, message) in [
            (io::ErrorKind::StorageFull, "error: stdout cannot be written: no storage space\n"),
            (io::ErrorKind::BrokenPipe, ""),
        ] {
            let (mut printer, captured) = Printer::captured();
            printer.data = Stream::new(Box::new(Full(kind)), false);
            printer.data("x");
            let _ = printer.exit(Ok(Outcome::Fine));
            assert_eq!(captured.talk(), message);
        }
    }
}
