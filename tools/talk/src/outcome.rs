//! How a program ends, as an exit code.
//!
//! | code | |
//! |---|---|
//! | 0 | the job is done and nothing is wrong |
//! | 1 | the job could not be done, or it found a problem |
//! | 2 | wrong usage |
//! | 130 | stopped by Ctrl-C, and can be continued |

use std::{error::Error, fmt, process::ExitCode};

/// Exit code of a run that could not do its job, or that found a problem.
pub const EXIT_PROBLEM: u8 = 1;
/// Exit code of a command line that cannot be understood.
pub const EXIT_USAGE: u8 = 2;
/// Exit code of a run that was interrupted and can be continued, as a shell reports Ctrl-C: 128 and SIGINT's number.
pub const EXIT_INTERRUPTED: u8 = 130;

/// How a command ended that was not kept from its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing is wrong.
    Fine,
    /// It has said what is wrong with the data.
    Problems,
    /// Ctrl-C stopped it; it has said where, and how to continue.
    Interrupted,
}

/// The error of a run that Ctrl-C stopped before there was anything to report; it can be continued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupted(
    /// What that means, for a person.
    pub &'static str,
);

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Interrupted {}

/// The exit code of an error: [`EXIT_INTERRUPTED`] for [`Interrupted`], also below others.
pub(super) fn code_of(error: &anyhow::Error) -> u8 {
    let is_interrupted = error.chain().any(|cause| cause.is::<Interrupted>());
    if is_interrupted { EXIT_INTERRUPTED } else { EXIT_PROBLEM }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> ExitCode {
        match outcome {
            Outcome::Fine => ExitCode::SUCCESS,
            Outcome::Problems => ExitCode::from(EXIT_PROBLEM),
            Outcome::Interrupted => ExitCode::from(EXIT_INTERRUPTED),
        }
    }
}
