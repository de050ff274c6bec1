//! From dirty web tars to a data set in which nothing is lost and everything is counted.
//!
//! ```text
//! tar ─► samples by key ─► clean, tokenize, tag ─► decode, repair ─► resize ─► shard + rejects + entry
//! [archive]    └── judge ──── [text] ──── judge ──── [image] ── judge ──┘      [sink]
//! ```
//!
//! [`pipeline`] is the assembly line, [`sample`] what it does to a sample, `judge` which samples are rows, [`report`]
//! tells what happened; [`crate::dataset`] guards the folder. Output bytes are a function of input, options and
//! program version: not of threads, timing, or where a run was killed.

pub mod account;
mod asked;
mod captions;
mod content;
pub mod dry_run;
mod idle;
mod in_work;
mod judge;
mod known;
mod large_pictures;
pub mod options;
mod pending;
pub mod pipeline;
pub mod repairs;
pub mod report;
pub mod sample;
pub mod sample_total;
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

use self::{
    options::IngestOptions,
    pending::Units,
    pipeline::Input,
    report::{Report, Run},
};
use crate::dataset::Output;
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
    let mut output = Output::open(dataset, options.manifest(&text.identity()), printer)?;
    output.keep_vocabulary(&text, threads)?;
    let Units { pending, done: units_skipped, unreadable, shown } =
        pending::units(inputs, &mut output, threads, printer, stop)?;
    let started = Instant::now();
    let progress = printer.progress("ingesting", "samples", 0);
    let mut done = pipeline::run(pending, options, &text, &output, threads, &progress, stop)?;
    drop(progress);
    done.failed.extend(unreadable);
    let seconds = started.elapsed().as_secs_f64();
    output.record(done.entries.iter().cloned());
    let interrupted = stop.load(Ordering::Relaxed);
    let manifest = output.finish(!interrupted && done.failed.is_empty())?;
    let run = Run { units_skipped, shown, seconds, threads, interrupted };
    Ok(Report::new(dataset, manifest, done, run, &options.filter))
}
