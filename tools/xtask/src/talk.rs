//! What xtask says beside what every program of the project does: a topic in front, the commands that it runs.

use clipa_talk::Printer;
use std::sync::LazyLock;

static PRINTER: LazyLock<Printer> = LazyLock::new(Printer::new);

/// The one printer of this process.
pub(crate) fn printer() -> &'static Printer {
    &PRINTER
}

/// One line of talk: what is being done, and to what.
pub(crate) fn note(topic: &str, message: &str) {
    PRINTER.say(format_args!("{topic}: {message}"));
}

/// A command about to run, as a user would type it.
pub(crate) fn command(line: &str) {
    PRINTER.say(format_args!("$ {line}"));
}
