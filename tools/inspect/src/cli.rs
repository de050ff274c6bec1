//! `clipa-inspect`: flags in, pages out. Each command has a file: its flags, what it does, its page.

mod grid;
mod open;
mod page;
mod rejects;
mod remedy;
mod sample;
mod summary;
#[cfg(test)]
mod tests;
mod verify;

use clap::{Parser, Subcommand};
use clipa_talk::{Outcome, Printer};

pub use self::{
    grid::GridArgs, rejects::RejectsArgs, sample::SampleArgs, summary::SummaryArgs,
    verify::VerifyArgs,
};

/// Look at a data set made by clipa-prep: what it holds, what a model sees, whether every byte is right.
///
/// Nothing is ever changed in a data set. Exit codes: 0 all is well, 1 a problem was found or the job
/// could not be done, 2 wrong usage.
#[derive(Debug, Parser)]
#[command(name = "clipa-inspect", version, verbatim_doc_comment)]
pub struct InspectCommand {
    /// What to look at.
    #[command(subcommand)]
    pub view: View,
}

/// The views.
#[derive(Debug, Subcommand)]
pub enum View {
    /// Totals, rejected samples by reason, columns with their sizes, configuration
    ///
    /// Reads the manifest and the footer of each shard.
    ///
    /// Examples:
    ///   clipa-inspect summary pairs
    ///   clipa-inspect summary pairs --json | jq .ledger.rejected
    #[command(verbatim_doc_comment)]
    Summary(SummaryArgs),
    /// One sample: caption, words with tags, what each text reduction leaves, the image
    ///
    /// On a terminal the image is drawn with half blocks.
    ///
    /// Examples:
    ///   clipa-inspect sample pairs 5 --context-length 8
    ///   clipa-inspect sample pairs --key 000000005 --png image.png
    #[command(verbatim_doc_comment)]
    Sample(SampleArgs),
    /// A contact sheet (PNG): each sample at every stored size, with its caption
    ///
    /// Examples:
    ///   clipa-inspect grid pairs --output sheet.png
    ///   clipa-inspect grid pairs --output sheet.png --rows 20 --seed 1
    #[command(verbatim_doc_comment)]
    Grid(GridArgs),
    /// Check every checksum, row and count; a single flipped bit is found
    ///
    /// Reads every byte of the shards, and decodes every row. Exit code 1 if anything is wrong.
    ///
    /// Examples:
    ///   clipa-inspect verify pairs
    ///   clipa-inspect verify pairs --json --threads 16
    #[command(verbatim_doc_comment)]
    Verify(VerifyArgs),
    /// Rejected samples: each reason with its count and examples
    ///
    /// Examples:
    ///   clipa-inspect rejects pairs
    ///   clipa-inspect rejects pairs --reason truncated --examples 100
    #[command(verbatim_doc_comment)]
    Rejects(RejectsArgs),
}

/// Shows what was asked for.
///
/// # Errors
/// Whatever keeps the job from being done; problems that `verify` finds are [`Outcome::Problems`].
pub fn run(command: &InspectCommand, printer: &Printer) -> anyhow::Result<Outcome> {
    match &command.view {
        View::Summary(args) => summary::run(args, printer),
        View::Sample(args) => sample::run(args, printer),
        View::Grid(args) => grid::run(args, printer),
        View::Verify(args) => verify::run(args, printer),
        View::Rejects(args) => rejects::run(args, printer),
    }
    .map_err(remedy::with_remedy)
}
