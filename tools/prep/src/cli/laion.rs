//! `clipa-prep laion ingest`.

use std::path::Path;

use anyhow::Result;
use clap::{Args, Subcommand};
use clipa_schemas::manifest::Kind;

use super::{
    flags::{FilterFlags, IngestFlags},
    ingest::ingest,
    options::threads,
};
use crate::{
    archive::{ArchiveError, inputs, passed_over::passed_over},
    ingest::{dry_run, options::IngestOptions, pipeline::Input},
};
use clipa_talk::{Outcome, Printer, printable};

/// `clipa-prep laion`: what reads LAION's and img2dataset's output.
#[derive(Debug, Subcommand)]
pub enum LaionCommand {
    /// Turn WebDataset tars into Parquet shards
    ///
    /// Reads tars as img2dataset writes them (KEY.jpg, KEY.txt, KEY.json) and writes DIR/dataset.json, DIR/shards and
    /// DIR/rejects. Run it again to continue after an interruption: finished tars are skipped, and the result is
    /// byte for byte that of an undisturbed run.
    #[command(after_help = INGEST_EXAMPLES)]
    Ingest(IngestArgs),
}

const INGEST_EXAMPLES: &str = "\
Examples:
  clipa-prep laion ingest laion400m-data/*.tar --output laion-112 --image 112:rgb8-square
  clipa-prep laion ingest 'laion400m-data/{00000..00099}.tar' --output laion --for b16-i50-t16 --dry-run";

/// Options of `clipa-prep laion ingest`.
#[derive(Debug, Args)]
pub struct IngestArgs {
    /// Tars, folders of tars, globs, or brace lists such as 'data/{00000..00010}.tar'
    #[arg(required = true, value_name = "INPUT")]
    pub inputs: Vec<String>,
    /// Say what would be written, how large and how long, from a few samples of each tar; write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Flags that every ingest has
    #[command(flatten)]
    pub ingest: IngestFlags,
    /// Filters
    #[command(flatten)]
    pub filter: FilterFlags,
}

/// Runs a command.
///
/// # Errors
/// The run could not do its job.
pub fn run(command: LaionCommand, printer: &Printer) -> Result<Outcome> {
    let LaionCommand::Ingest(args) = command;
    let there = |input: &String| passed_over(Path::new(input));
    let tars = inputs::expand(&args.inputs).map_err(|error| match error {
        ArchiveError::NothingMatched { input, .. } => {
            let there = there(&input);
            ArchiveError::NothingMatched { input, there }
        }
        other => other,
    })?;
    for input in &args.inputs {
        if let Some(there) = there(input) {
            printer.say(printable(&format!("passed over in {input}: {there}")));
        }
    }
    let inputs = tars.into_iter().map(Input::Tar).collect();
    let mut options = args.ingest.options(Kind::Pairs)?;
    options.unpad = args.filter.unpad;
    options.filter = args.filter.filter()?;
    let IngestFlags { output, json, .. } = args.ingest;
    let threads = threads(args.ingest.threads);
    if args.dry_run {
        estimate(inputs, &options, threads, json, printer)
    } else {
        ingest(inputs, &output, &options, threads, json, printer)
    }
}

fn estimate(
    inputs: Vec<Input>,
    options: &IngestOptions,
    threads: usize,
    json: bool,
    printer: &Printer,
) -> Result<Outcome> {
    let estimate = dry_run::estimate(inputs, options, threads)?;
    estimate.tell(printer);
    if json {
        printer.json(&estimate)?;
    }
    let is_fine = estimate.unreadable.is_empty() && estimate.problems.is_empty();
    Ok(if is_fine { Outcome::Fine } else { Outcome::Problems })
}
