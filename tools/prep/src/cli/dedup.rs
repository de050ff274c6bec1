//! `clipa-prep dedup`.

use std::{num::NonZeroUsize, path::PathBuf};

use anyhow::Result;
use clap::Args;

use super::options::threads;
use crate::edit::dedup;
use clipa_talk::{Outcome, Printer, interrupt, shell, threads::thread_count};

const EXAMPLES: &str = "\
Examples:
  clipa-prep dedup pairs
  clipa-prep dedup pairs --remove --json";

/// Find images that come again, byte for byte, and take them out
///
/// Says how many rows have the image of an earlier row. With --remove these rows are taken out, shard by shard; of
/// each image the first in the order of the inputs stays, and the others are among the rejects, with the key of the
/// first. Needs every input to be done. Costs 24 bytes of memory and 32 bytes of reading for each row. Run it
/// again if it was interrupted, and after inputs were added.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DedupArgs {
    /// Folder of the data set, the one with dataset.json
    #[arg(value_name = "DATASET")]
    pub dataset: PathBuf,
    /// Take out all rows with the image of an earlier row; without it they are only counted
    #[arg(long)]
    pub remove: bool,
    /// Units that are worked on at once; the result does not depend on it [default: all cores]
    #[arg(long, value_parser = thread_count)]
    pub threads: Option<NonZeroUsize>,
    /// Print the report as JSON on stdout
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
///
/// # Errors
/// The data set cannot be read or written, or is not complete.
pub fn run(args: &DedupArgs, printer: &Printer) -> Result<Outcome> {
    let threads = threads(args.threads);
    let stop = interrupt::catch(printer, "stopping after the units in hand")?;
    let report = dedup::dedup(&args.dataset, args.remove, threads, printer, stop)?;
    report.tell(printer);
    if args.json {
        printer.json(&report)?;
    }
    let dataset = shell::quoted(&args.dataset);
    if report.interrupted {
        printer.hint("run the same command again to take out the rest");
        return Ok(Outcome::Interrupted);
    }
    if report.removed > 0 {
        printer.hint(format!("check it: clipa-inspect verify {dataset}"));
    } else if report.duplicates > 0 {
        printer.hint(format!("take them out: clipa-prep dedup {dataset} --remove"));
    }
    Ok(Outcome::Fine)
}
