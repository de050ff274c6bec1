//! What an ingest would do, from a few samples of each tar: nothing is written.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde::Serialize;

use super::{
    large_pictures::LargePictures,
    options::IngestOptions,
    pipeline::Input,
    sample::{Noted, Preparer, Verdict},
    source::UnitSource,
};
use clipa_talk::{Printer, figures, printable};

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
    /// What contradicts the tables and statistics beside the inputs that were looked into.
    pub problems: Vec<String>,
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
    let mut preparer = Preparer::new(options, &plan, &text, &LargePictures::new(1));
    let mut estimate = Estimate { inputs: inputs.len(), threads, ..Estimate::default() };
    let mut column_bytes = vec![0u64; options.images.len()];
    let stride = inputs.len().div_ceil(TRIED_INPUTS).max(1);
    let (mut looked_into, mut looked_samples) = (0u64, 0u64);
    let (mut opening, mut trying) = (Duration::ZERO, Duration::ZERO);
    for input in inputs.into_iter().step_by(stride) {
        let started = Instant::now();
        let source = match input.open(&options.filter) {
            Ok(source) => source,
            Err(error) => {
                estimate.unreadable.push(error.to_string());
                continue;
            }
        };
        looked_into += 1;
        let name = source.shown();
        let problems = source.account().problems;
        estimate.problems.extend(problems.iter().map(|problem| format!("{name}: {problem}")));
        looked_samples += source.samples() as u64;
        opening += started.elapsed();
        let started = Instant::now();
        try_samples(&source, &mut preparer, &mut estimate, &mut column_bytes);
        trying += started.elapsed();
    }
    let readable = (estimate.inputs - estimate.unreadable.len()) as u64;
    estimate.samples = (looked_samples * readable).checked_div(looked_into).unwrap_or(0);
    let per_input = opening.as_secs_f64() / looked_into.max(1) as f64;
    let per_sample = trying.as_secs_f64() / estimate.tried.max(1) as f64;
    let all = per_input * readable as f64 + per_sample * estimate.samples as f64;
    estimate.seconds = all / threads as f64;
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
    let stride = source.samples().div_ceil(TRIED_PER_INPUT).max(1);
    let tried = (0..source.samples()).step_by(stride);
    let verdicts = match preparer.chunk(source, tried, &source.shown()) {
        Ok(verdicts) => verdicts,
        Err(error) => return estimate.unreadable.push(error.to_string()),
    };
    for verdict in verdicts {
        estimate.tried += 1;
        match verdict {
            Verdict::Accepted(sample, Noted { repairs, .. }) => {
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
            "dry run: {}, about {} samples; {} were tried, nothing is written",
            figures::counted(self.inputs as u64, "input"),
            figures::count(self.samples),
            figures::count(self.tried),
        ));
        for (column, bytes) in &self.bytes_per_row {
            printer.say(format!("  {column}: {} a row", figures::bytes(*bytes as u64)));
        }
        printer.say(format!(
            "  about {} on disk, about {} on {}",
            figures::bytes(self.total_bytes as u64),
            figures::time(Duration::from_secs_f64(self.seconds)),
            figures::counted(self.threads as u64, "thread"),
        ));
        let share = |count: u64| figures::percent(count, self.tried);
        for (reason, &count) in &self.rejected {
            printer.say(format!("  would reject {reason}: {}", share(count)));
        }
        for (repair, &count) in &self.repaired {
            printer.say(format!("  would repair {repair}: {}", share(count)));
        }
        for problem in self.unreadable.iter().chain(&self.problems) {
            printer.warn(printable(problem));
        }
    }
}
