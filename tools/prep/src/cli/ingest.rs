//! What `laion ingest` and `classes ingest` do with their options.

use std::path::Path;

use anyhow::Result;

use super::interrupt::on_ctrl_c;
use crate::ingest::{self, options::IngestOptions, pipeline::Input};
use clipa_talk::{Outcome, Printer};

/// Ingests and reports; Ctrl-C stops it in good order.
///
/// # Errors
/// The output cannot be used or written.
pub(super) fn ingest(
    inputs: Vec<Input>,
    output: &Path,
    options: &IngestOptions,
    threads: usize,
    json: bool,
    printer: &Printer,
) -> Result<Outcome> {
    let report = ingest::ingest(inputs, output, options, threads, printer, on_ctrl_c()?)?;
    report.tell(printer);
    if json {
        printer.json(&report)?;
    }
    printer.hint(&report.next);
    Ok(if report.is_fine() { Outcome::Fine } else { Outcome::Problems })
}
