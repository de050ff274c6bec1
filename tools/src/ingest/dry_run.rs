//! What an ingest would do, from a few samples of each tar: nothing is written.

use std::{collections::BTreeMap, time::Instant};

use serde::Serialize;

use super::{
    options::IngestOptions,
    pipeline::Input,
    sample::{Preparer, Verdict, reject},
    source::{RawSample, ReadFailure, UnitSource},
};
use crate::{
    archive::TarIndex,
    printer::{Printer, figures},
};

/// Samples tried in each input, evenly spread over it.
const TRIED_PER_INPUT: usize = 48;

/// Inputs tried at most, evenly spread over all.
const TRIED_INPUTS: usize = 64;

/// The estimate.
#[derive(Debug, Default, Serialize)]
pub struct Estimate {
    /// Inputs in all.
    pub inputs: usize,
    /// Inputs that cannot be read.
    pub unreadable: Vec<String>,
    /// Samples in all: exact where every input was looked into.
    pub samples: u64,
    /// Samples that were tried.
    pub tried: u64,
    /// Of these, rows.
    pub accepted: u64,
    /// Of these, rejects by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Of these, repairs by kind.
    pub repaired: BTreeMap<String, u64>,
    /// Bytes of a row in each image column, on average.
    pub bytes_per_row: BTreeMap<String, f64>,
    /// Bytes of all image columns of all rows.
    pub total_bytes: f64,
    /// Time on the threads that were asked for, in seconds.
    pub seconds: f64,
    /// Threads.
    pub threads: usize,
}

/// Tries some samples of each input.
///
/// # Errors
/// Tokenizer or tagger cannot be opened.
pub fn estimate(
    inputs: Vec<Input>,
    options: &IngestOptions,
    threads: usize,
) -> anyhow::Result<Estimate> {
    let text = options.text.open()?;
    let plan = options.render_plan()?;
    let mut preparer = Preparer::new(options, &plan, &text);
    let mut estimate = Estimate { inputs: inputs.len(), threads, ..Estimate::default() };
    let mut column_bytes = vec![0u64; options.images.len()];
    let stride = inputs.len().div_ceil(TRIED_INPUTS).max(1);
    let (mut looked_into, mut looked_samples) = (0u64, 0u64);
    let started = Instant::now();
    for input in inputs.into_iter().step_by(stride) {
        let source = match input {
            Input::Open(source) => source,
            Input::Tar(path) => match TarIndex::read(&path) {
                Ok(tar) => UnitSource::Tar(tar),
                Err(error) => {
                    estimate.unreadable.push(error.to_string());
                    continue;
                }
            },
        };
        looked_into += 1;
        looked_samples += source.samples() as u64;
        try_samples(&source, &mut preparer, &mut estimate, &mut column_bytes);
    }
    let per_sample = started.elapsed().as_secs_f64() / estimate.tried.max(1) as f64;
    let readable = (estimate.inputs - estimate.unreadable.len()) as u64;
    estimate.samples = (looked_samples * readable).checked_div(looked_into).unwrap_or(0);
    estimate.seconds = per_sample * estimate.samples as f64 / threads as f64;
    let rows = estimate.samples as f64 * estimate.accepted as f64 / estimate.tried.max(1) as f64;
    for (column, bytes) in options.images.iter().zip(column_bytes) {
        let mean = bytes as f64 / estimate.accepted.max(1) as f64;
        estimate.total_bytes += mean * rows;
        estimate.bytes_per_row.insert(column.to_string(), mean);
    }
    Ok(estimate)
}

fn try_samples(
    source: &UnitSource,
    preparer: &mut Preparer<'_>,
    estimate: &mut Estimate,
    column_bytes: &mut [u64],
) {
    let mut raw = RawSample::default();
    let name = source.source().path;
    let stride = source.samples().div_ceil(TRIED_PER_INPUT).max(1);
    for index in (0..source.samples()).step_by(stride) {
        let mut verdict = match source.read(index, &mut raw) {
            Ok(()) => preparer.prepare(&mut raw, &name),
            Err(ReadFailure::Sample(bad)) => {
                Verdict::Rejected(reject(&mut raw, &name, bad.reason, bad.detail))
            }
            Err(ReadFailure::Unit(error)) => {
                estimate.unreadable.push(error.to_string());
                return;
            }
        };
        preparer.tag_chunk(std::slice::from_mut(&mut verdict));
        estimate.tried += 1;
        match verdict {
            Verdict::Accepted(sample, repairs) => {
                estimate.accepted += 1;
                for repair in repairs {
                    *estimate.repaired.entry(repair.to_owned()).or_default() += 1;
                }
                for (bytes, image) in column_bytes.iter_mut().zip(&sample.images) {
                    *bytes += image.bytes.len() as u64;
                }
            }
            Verdict::Rejected(reject) => {
                *estimate.rejected.entry(reject.reason).or_default() += 1;
            }
        }
    }
}

impl Estimate {
    /// Prints it for a person, on stderr.
    pub fn tell(&self, printer: &Printer) {
        printer.say(format!(
            "dry run: {} inputs, about {} samples; {} were tried, nothing is written",
            figures::count(self.inputs as u64),
            figures::count(self.samples),
            figures::count(self.tried),
        ));
        for (column, bytes) in &self.bytes_per_row {
            printer.say(format!("  {column}: {} a row", figures::bytes(*bytes as u64)));
        }
        printer.say(format!(
            "  about {} on disk, about {} on {} threads",
            figures::bytes(self.total_bytes as u64),
            figures::time(std::time::Duration::from_secs_f64(self.seconds)),
            self.threads,
        ));
        let share = |count: u64| figures::percent(count, self.tried);
        for (reason, &count) in &self.rejected {
            printer.say(format!("  would reject {reason}: {}", share(count)));
        }
        for (repair, &count) in &self.repaired {
            printer.say(format!("  would repair {repair}: {}", share(count)));
        }
        for unreadable in &self.unreadable {
            printer.warn(unreadable);
        }
    }
}
