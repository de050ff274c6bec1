//! What `laion ingest` and `classes ingest` do with their options.

use std::path::Path;

use anyhow::Result;

use crate::ingest::{self, options::IngestOptions, pipeline::Input};
use clipa_talk::{Outcome, Printer, interrupt};

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
    let stop = interrupt::catch(printer, "stopping after the samples in hand")?;
    let report = ingest::ingest(inputs, output, options, threads, printer, stop)?;
    report.tell(printer);
    if json {
        printer.json(&report)?;
    }
    printer.hint(&report.next);
    if report.interrupted {
        return Ok(Outcome::Interrupted);
    }
    Ok(if report.is_fine() { Outcome::Fine } else { Outcome::Problems })
}
