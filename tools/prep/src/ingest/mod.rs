//! From dirty web tars to a data set in which nothing is lost and everything is counted.
//!
//! ```text
//! tar ─► samples by key ─► filter ─► clean, tokenize, tag ─► decode, repair ─► resize ─► shard + rejects + entry
//! [archive]                [sample]  [text]                  [image]                     [sink]
//! ```
//!
//! [`pipeline`] is the assembly line, [`output`] guards the folder, [`report`] tells what happened. Output bytes
//! are a function of input, options and program version: not of threads, timing, or where a run was killed.

pub mod dry_run;
pub mod expected;
mod in_work;
pub mod options;
pub mod output;
pub mod pipeline;
pub mod reconcile;

pub mod report;
pub mod sample;
mod sink;
pub mod source;
#[cfg(test)]
mod tests;
pub mod timing;

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use clipa_schemas::{ledger::Source, manifest::read_entries};

use self::{
    options::{Dedup, IngestOptions},
    output::Output,
    pipeline::{Input, PendingUnit},
    report::{Report, Run},
};
use crate::edit::duplicates::Duplicates;
use clipa_talk::Printer;

/// Ingests every input into `dataset`, continuing where an earlier run stopped. Unit n is input n.
///
/// # Errors
/// The output cannot be used or written. Inputs that cannot be read are no error here but in the report.
pub fn ingest(
    inputs: Vec<Input>,
    dataset: &Path,
    options: &IngestOptions,
    threads: usize,
    printer: &Printer,
    stop: &AtomicBool,
) -> anyhow::Result<Report> {
    let text = options.text.open()?;
    let mut output = Output::open(dataset, options.manifest(&text.identity()))?;
    output.keep_vocabulary(&text, threads)?;
    let (pending, units_skipped) = pending_units(inputs, &output)?;
    let started = Instant::now();
    let progress = printer.progress("ingesting", "samples", 0);
    let done = pipeline::run(pending, options, &text, &output, threads, &progress, stop)?;
    drop(progress);
    let seconds = started.elapsed().as_secs_f64();
    output.record(done.entries.iter().cloned());
    let all_done = !stop.load(Ordering::Relaxed) && done.failed.is_empty();
    // which one is the first is known when every unit is there
    let mut duplicates = None;
    if options.dedup == Dedup::Exact && all_done {
        let entries: Vec<_> = output.done().values().collect();
        let found = Duplicates::find(dataset, &entries, threads)?;
        let removed = found.remove(dataset, output.done(), threads, stop)?;
        output.record(removed);
        duplicates = Some(found);
    }
    let interrupted = stop.load(Ordering::Relaxed);
    let manifest = output.finish(all_done && !interrupted)?;
    if options.dedup == Dedup::Report && !interrupted && !done.entries.is_empty() {
        let entries = read_entries(dataset)?;
        let entries: Vec<_> = entries.iter().collect();
        duplicates = Some(Duplicates::find(dataset, &entries, threads)?);
    }
    let run = Run { units_skipped, seconds, threads, interrupted, duplicates };
    Ok(Report::new(dataset, manifest, done, run))
}

/// The units that are not done yet, and the number of those that are.
fn pending_units(inputs: Vec<Input>, output: &Output) -> anyhow::Result<(Vec<PendingUnit>, usize)> {
    let mut pending = Vec::new();
    let mut skipped = 0;
    for (unit, input) in inputs.into_iter().enumerate() {
        let unit = u32::try_from(unit)?;
        let source = match &input {
            Input::Open(source) => source.source(),
            Input::Tar(path) => Source {
                path: path.display().to_string(),
                bytes: std::fs::metadata(path).map_or(0, |metadata| metadata.len()),
            },
        };
        if output.is_done(unit, &source)? {
            skipped += 1;
        } else {
            pending.push(PendingUnit { unit, input, bytes: source.bytes });
        }
    }
    Ok((pending, skipped))
}
