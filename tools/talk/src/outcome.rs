//! How a program ends, as an exit code.
//!
//! | code | |
//! |---|---|
//! | 0 | the job is done and nothing is wrong |
//! | 1 | the job could not be done, or it found a problem |
//! | 2 | wrong usage (clap's own) |
//! | 130 | stopped by Ctrl-C, and can be continued |

use std::process::ExitCode;

/// Exit code of a run that could not do its job, or that found a problem.
pub const EXIT_PROBLEM: u8 = 1;
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

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> ExitCode {
        match outcome {
            Outcome::Fine => ExitCode::SUCCESS,
            Outcome::Problems => ExitCode::from(EXIT_PROBLEM),
            Outcome::Interrupted => ExitCode::from(EXIT_INTERRUPTED),
        }
    }
}
