//! The Printer owns stdout and stderr: stdout is data, stderr is talk.
//!
//! Both programs speak through one [`Printer`], so that the rules hold everywhere: control characters
//! never reach the terminal, a reader that goes away (`| head`) ends the output quietly, a progress bar
//! is drawn on a terminal only, and an error is one message, cause first, with a `hint:` where a remedy is known.
//!
//! ```
//! use clipa_talk::{Printer, WithHint};
//! let (printer, heard) = Printer::captured();
//! printer.data("rows\t3");
//! printer.say("reading 3 shards");
//! let failed = Err::<(), _>(std::io::Error::other("no such folder")).hint("give the folder of dataset.json");
//! printer.error(&failed.unwrap_err());
//! assert_eq!(heard.data(), "rows\t3\n");
//! assert_eq!(heard.talk(), "reading 3 shards\nerror: no such folder\nhint: give the folder of dataset.json\n");
//! ```

mod failure;
pub mod figures;
mod progress;

use std::{
    borrow::Cow,
    fmt::Display,
    io::{self, IsTerminal, Write},
    process::ExitCode,
    sync::{Arc, Mutex},
};

use indicatif::{MultiProgress, ProgressDrawTarget};
use serde::Serialize;

use clipa_pool::lock;

pub use failure::{Hinted, WithHint};
pub use progress::{Counted, Progress};

/// Exit code of a run that could not do its job, or that found a problem.
pub const EXIT_PROBLEM: u8 = 1;

/// How a command ended that could do its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing is wrong.
    Fine,
    /// It has said what is wrong with the data, and the exit code is 1.
    Problems,
}

/// The one voice of a program.
pub struct Printer {
    data: Mutex<Stream>,
    talk: Mutex<Stream>,
    bars: MultiProgress,
}

/// One of the two outputs, with what went wrong on it first.
struct Stream {
    sink: Box<dyn Write + Send>,
    is_terminal: bool,
    failure: Option<io::Error>,
}

/// What a [`Printer::captured`] printer was told, for tests.
#[derive(Clone, Default)]
pub struct Heard {
    data: Arc<Mutex<Vec<u8>>>,
    talk: Arc<Mutex<Vec<u8>>>,
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

    /// A printer into memory, and the ear that reads it; no terminal on either side.
    pub fn captured() -> (Printer, Heard) {
        let heard = Heard::default();
        let printer = Printer {
            data: Stream::new(Box::new(Ear(heard.data.clone())), false),
            talk: Stream::new(Box::new(Ear(heard.talk.clone())), false),
            bars: MultiProgress::with_draw_target(ProgressDrawTarget::hidden()),
        };
        (printer, heard)
    }

    /// Writes one line (or several) of result to stdout.
    ///
    /// Control characters other than tab and newline are stripped. A failure to write is kept for
    /// [`Printer::exit`]; a reader that closed the pipe is none.
    pub fn data(&self, text: impl Display) {
        let text = text.to_string();
        let mut line = strip(&text, &['\n', '\t']).into_owned();
        line.push('\n');
        self.bars.suspend(|| lock(&self.data).write(line.as_bytes()));
    }

    /// Writes a value to stdout as indented JSON.
    ///
    /// Nothing of it is lost: what a terminal must not see is written as `\\u` escapes.
    ///
    /// # Errors
    /// Where the value is no JSON, such as a map whose keys are no text.
    pub fn json(&self, value: &impl Serialize) -> serde_json::Result<()> {
        let text = serde_json::to_string_pretty(value)?;
        let mut line = String::with_capacity(text.len() + 1);
        for letter in text.chars() {
            // Outside of strings JSON has no such letters but ends of lines; all of them are below U+10000.
            if letter != '\n' && is_unwanted(letter) {
                line.push_str(&format!("\\u{:04x}", letter as u32));
            } else {
                line.push(letter);
            }
        }
        line.push('\n');
        self.bars.suspend(|| lock(&self.data).write(line.as_bytes()));
        Ok(())
    }

    /// Writes a drawing made of the program's own escape sequences to stdout, unchanged.
    ///
    /// Nothing that came from data may be in it but numbers.
    pub fn drawing(&self, text: &str) {
        self.bars.suspend(|| lock(&self.data).write(text.as_bytes()));
    }

    /// Says one line to the person, on stderr.
    pub fn say(&self, text: impl Display) {
        self.speak(&text.to_string());
    }

    /// Says something that the person should look at, though the run goes on.
    pub fn warn(&self, text: impl Display) {
        self.speak(&format!("warning: {text}"));
    }

    /// Says what to do next.
    pub fn hint(&self, text: impl Display) {
        self.speak(&format!("hint: {text}"));
    }

    /// Says why the run failed: the message with its causes on one line, then the hints that the
    /// error carries.
    pub fn error(&self, error: &anyhow::Error) {
        self.speak(&format!("error: {}", failure::message(error)));
        for hint in failure::hints(error) {
            self.hint(hint);
        }
    }

    /// Starts to show progress through `total` things of a kind (`"images"`), or bytes.
    pub fn progress(&self, doing: &str, unit: impl Into<Counted>, total: u64) -> Progress<'_> {
        Progress::start(self, doing, unit.into(), total)
    }

    /// Whether stdout is a terminal.
    pub fn data_is_terminal(&self) -> bool {
        lock(&self.data).is_terminal
    }

    /// Whether stderr is a terminal.
    pub fn talk_is_terminal(&self) -> bool {
        lock(&self.talk).is_terminal
    }

    /// Ends a program: reports the error if there is one, also that of stdout, and gives the exit code.
    ///
    /// Codes: 0 for [`Outcome::Fine`], 1 otherwise. (2, wrong usage, is clap's.)
    pub fn exit(&self, outcome: anyhow::Result<Outcome>) -> ExitCode {
        let flushed = lock(&self.data).finish();
        let outcome = outcome.and_then(|outcome| match flushed {
            Ok(()) => Ok(outcome),
            Err(error) => Err(anyhow::Error::new(error).context("stdout cannot be written")),
        });
        match outcome {
            Ok(Outcome::Fine) => ExitCode::SUCCESS,
            Ok(Outcome::Problems) => ExitCode::from(EXIT_PROBLEM),
            Err(error) => {
                self.error(&error);
                ExitCode::from(EXIT_PROBLEM)
            }
        }
    }

    fn speak(&self, text: &str) {
        let mut line = strip(text, &['\n', '\t']).into_owned();
        line.push('\n');
        self.bars.suspend(|| lock(&self.talk).write(line.as_bytes()));
    }
}

/// A piece of data made fit for one line of a terminal: control characters, also the invisible ones
/// that change the direction of text, are gone; tabs and line ends are spaces.
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_unwanted) {
        let spaced: String =
            text.chars().map(|c| if matches!(c, '\n' | '\r' | '\t') { ' ' } else { c }).collect();
        Cow::Owned(strip(&spaced, &[]).into_owned())
    } else {
        Cow::Borrowed(text)
    }
}

fn strip<'a>(text: &'a str, kept: &[char]) -> Cow<'a, str> {
    let unwanted = |c: char| is_unwanted(c) && !kept.contains(&c);
    if text.chars().any(unwanted) {
        Cow::Owned(text.chars().filter(|&c| !unwanted(c)).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// Control characters, and marks that reorder or hide the text around them.
fn is_unwanted(c: char) -> bool {
    let invisible = matches!(c,
        '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}');
    c.is_control() || invisible
}

impl Stream {
    fn new(sink: Box<dyn Write + Send>, is_terminal: bool) -> Mutex<Stream> {
        Mutex::new(Stream { sink, is_terminal, failure: None })
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.failure.is_none() {
            self.failure = self.sink.write_all(bytes).err();
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

impl Heard {
    /// All that went to stdout.
    pub fn data(&self) -> String {
        String::from_utf8_lossy(&lock(&self.data)).into_owned()
    }

    /// All that went to stderr.
    pub fn talk(&self) -> String {
        String::from_utf8_lossy(&lock(&self.talk)).into_owned()
    }
}

struct Ear(Arc<Mutex<Vec<u8>>>);

impl Write for Ear {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.0).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_from_data_never_arrive() {
        let (printer, heard) = Printer::captured();
        let evil = "a\u{1b}[31mred\u{7}\r\n\u{202E}b\u{9b}2J";
        printer.data(printable(evil));
        printer.say(evil);
        assert_eq!(heard.data(), "a[31mred  b2J\n");
        assert_eq!(heard.talk(), "a[31mred\nb2J\n");
    }

    #[test]
    fn json_keeps_everything_and_shows_nothing_dangerous() {
        let (printer, heard) = Printer::captured();
        let evil = "a\u{1b}[31m\n\u{202E}b\u{9b}2J\u{200D}";
        printer.json(&[evil]).unwrap();
        assert!(!heard.data().contains(|c| c != '\n' && is_unwanted(c)), "{:?}", heard.data());
        assert_eq!(serde_json::from_str::<[String; 1]>(&heard.data()).unwrap(), [evil]);
    }

    #[test]
    fn plain_text_is_not_copied() {
        assert!(matches!(printable("a naïve café 猫"), Cow::Borrowed(_)));
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
            let (mut printer, heard) = Printer::captured();
            printer.data = Stream::new(Box::new(Full(kind)), false);
            printer.data("x");
            let _ = printer.exit(Ok(Outcome::Fine));
            assert_eq!(heard.talk(), message);
        }
    }
}
