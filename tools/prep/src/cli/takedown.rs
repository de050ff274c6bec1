//! `clipa-prep takedown`.

use std::{num::NonZeroUsize, path::PathBuf};

use anyhow::Result;
use clap::Args;

use super::options::threads;
use crate::{edit::takedown, lists::List};
use clipa_talk::{Outcome, Printer, shell, threads::thread_count};

const EXAMPLES: &str = "\
Examples:
  clipa-prep takedown pairs --deny removed-urls.txt --dry-run
  clipa-prep takedown pairs --deny removed-urls.txt --deny hashes.parquet --json";

/// Options of `clipa-prep takedown`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct TakedownArgs {
    /// Folder of the data set, the one with dataset.json
    #[arg(value_name = "DATASET")]
    pub dataset: PathBuf,
    /// What is taken out; may be given several times, or be a glob in quotes
    ///
    /// Text, one a line (# for comments): URL, SHA-256 in hexadecimal of the image, key:KEY; or CSV, TSV or Parquet with
    /// a column url, sha256, hash, image_hash or key. A list that names nothing in the data set ends with exit code 1. Costs 16 bytes of memory for each entry.
    #[arg(long, required = true, value_name = "FILE")]
    pub deny: Vec<PathBuf>,
    /// Say what would be taken out; change nothing
    #[arg(long)]
    pub dry_run: bool,
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
/// A list or the data set cannot be read, or the data set cannot be written.
pub fn run(args: &TakedownArgs, printer: &Printer) -> Result<Outcome> {
    let list = List::read(&args.deny)?;
    let threads = threads(args.threads);
    let report = takedown::takedown(&args.dataset, &list, args.dry_run, threads, printer)?;
    report.tell(printer);
    if args.json {
        printer.json(&report)?;
    }
    if !report.dry_run && report.units_changed > 0 {
        let dataset = shell::quoted(&args.dataset);
        printer.hint(format!("check it: clipa-inspect verify {dataset}"));
    }
    Ok(if report.is_fine() { Outcome::Fine } else { Outcome::Problems })
}
