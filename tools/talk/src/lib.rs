//! How every program of the project talks: clipa-prep, clipa-inspect, clipa-train and xtask.
//!
//! stdout is data, stderr is talk, and one [`Printer`] owns both, so that the rules hold everywhere: control
//! characters never reach the terminal, a reader that goes away (`| head`) ends the output quietly, a progress
//! bar is drawn on a terminal only, and an error is one message, cause first, with a `hint:` where a remedy is known.
//!
//! | what | where |
//! |---|---|
//! | the two outputs | [`Printer`], [`printable`] |
//! | numbers with units, written one way | [`figures`] |
//! | errors with remedies | [`Failure`], [`WithHint`] |
//! | exit codes 0, 1, 2, 130 | [`Outcome`], [`Printer::exit`] |
//! | Ctrl-C | [`interrupt`] |
//! | commands that can be pasted into a shell | [`shell`] |
//!
//! ```
//! use clipa_talk::{Printer, WithHint};
//! let (printer, captured) = Printer::captured();
//! printer.data("rows\t3");
//! printer.say("reading 3 shards");
//! let failed = Err::<(), _>(std::io::Error::other("no such folder")).hint("give the folder of dataset.json");
//! printer.error(&failed.unwrap_err());
//! assert_eq!(captured.data(), "rows\t3\n");
//! assert_eq!(captured.talk(), "reading 3 shards\nerror: no such folder\nhint: give the folder of dataset.json\n");
//! ```

mod captured;
mod failure;
pub mod figures;
pub mod interrupt;
mod outcome;
mod printable;
mod printer;
mod progress;
pub mod shell;
pub mod threads;

pub use captured::Captured;
pub use failure::{Failure, WithHint};
pub use outcome::{EXIT_INTERRUPTED, EXIT_PROBLEM, EXIT_USAGE, Interrupted, Outcome};
pub use printable::printable;
pub use printer::Printer;
pub use progress::{Counted, Progress};
