//! What a run tells at its end, for a person and as JSON.

use std::{collections::BTreeMap, path::Path, time::Duration};

use clipa_schemas::{
    manifest::Manifest,
    rejects,
    short_sides::{ShortSides, SideSummary},
};
use serde::Serialize;

use super::{
    idle::idle,
    options::Filter,
    pipeline::Done,
    timing::{Stage, StageTimes},
};
use clipa_talk::{Printer, figures, printable, shell};

/// Problems that are printed; the JSON has all of them.
const SHOWN_PROBLEMS: usize = 20;

/// Reasons of failed downloads that are printed; the JSON has all of them.
const SHOWN_REASONS: usize = 8;

/// The result of a run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The data set's folder.
    pub dataset: String,
    /// Units that this run did, and those that were done before.
    pub units_done: usize,
    /// Units that an earlier run had finished.
    pub units_skipped: usize,
    /// Samples found in all units.
    pub found: u64,
    /// Samples that are rows.
    pub accepted: u64,
    /// Samples that are not, by reason, with an example.
    pub rejected: BTreeMap<String, Rejected>,
    /// Repairs by kind.
    pub repaired: BTreeMap<String, u64>,
    /// Rows that a filter or list had no value to judge by, by its flag.
    pub unfiltered: BTreeMap<String, u64>,
    /// Lists and filters that did nothing, one sentence each.
    pub warnings: Vec<String>,
    /// Images that the inputs list and do not hold because they were never downloaded, by reason; not among those
    /// found.
    pub not_downloaded: BTreeMap<String, u64>,
    /// Does found equal accepted plus rejected?
    pub balanced: bool,
    /// Samples that went through this run.
    pub samples: u64,
    /// Wall time of this run's line, in seconds.
    pub seconds: f64,
    /// Threads.
    pub threads: usize,
    /// Share of the processor time of each stage.
    pub stage_percent: BTreeMap<&'static str, f64>,
    /// Images a second that each stage alone would do on these threads.
    pub stage_images_per_second: BTreeMap<&'static str, f64>,
    /// The stage that took most.
    pub bottleneck: &'static str,
    /// Bytes of all shards.
    pub shard_bytes: u64,
    /// How large the images of each column are.
    pub image_sizes: Vec<SideSummary>,
    /// Inputs that are damaged or contradict their statistics, and inputs that could not be read.
    pub problems: Vec<String>,
    /// Was the run stopped before its end?
    pub interrupted: bool,
    /// What to do next.
    pub next: String,
}

/// Of a run, what its line does not know.
pub(super) struct Run {
    pub(super) units_skipped: usize,
    /// How the user names the input of each unit.
    pub(super) shown: BTreeMap<u32, String>,
    pub(super) seconds: f64,
    pub(super) threads: usize,
    pub(super) interrupted: bool,
}

/// Samples rejected for one reason.
#[derive(Debug, Serialize)]
pub struct Rejected {
    /// How many.
    pub count: u64,
    /// Key of the first one.
    pub example_key: String,
    /// What was wrong with it.
    pub example_detail: String,
}

impl Report {
    pub(super) fn new(
        dataset: &Path,
        manifest: Manifest,
        done: Done,
        run: Run,
        filter: &Filter,
    ) -> Report {
        let Run { units_skipped, shown, seconds, threads, interrupted } = run;
        let totals = &manifest.totals;
        let mut problems: Vec<String> = Vec::new();
        let entries = clipa_schemas::manifest::read_entries(dataset).unwrap_or_default();
        for entry in &entries {
            let path = shown.get(&entry.unit).unwrap_or(&entry.source.path);
            problems.extend(entry.problems.iter().map(|problem| format!("{path}: {problem}")));
            if !entry.ledger.is_balanced() {
                problems.push(format!("{path}: found is not accepted + rejected"));
            }
        }
        problems.extend(done.failed.iter().map(|failed| {
            let error = failed.error.to_string();
            if error.contains(&failed.input) { error } else { format!("{}: {error}", failed.input) }
        }));
        let rejected = examples(dataset, &entries)
            .into_iter()
            .map(|(reason, example)| {
                let count = totals.rejected.get(&reason).copied().unwrap_or_default();
                (reason, Rejected { count, example_key: example.0, example_detail: example.1 })
            })
            .collect();
        let quoted = shell::quoted(dataset);
        let next = if interrupted {
            "finished inputs are kept; run the same command again to continue".to_owned()
        } else if problems.is_empty() {
            format!("look at it: clipa-inspect summary {quoted}")
        } else {
            format!(
                "inputs that failed are done by the same command once they are repaired; what was rejected: clipa-inspect \
                 rejects {quoted}"
            )
        };
        Report {
            dataset: dataset.display().to_string(),
            units_done: done.entries.len(),
            units_skipped,
            found: totals.found,
            accepted: totals.accepted,
            rejected,
            repaired: totals.repaired.clone(),
            unfiltered: totals.unfiltered.clone(),
            warnings: idle(filter, totals, units_skipped == 0),
            not_downloaded: totals.not_downloaded.clone(),
            balanced: totals.is_balanced(),
            samples: done.samples,
            seconds,
            threads,
            stage_percent: stage_percent(&done.times),
            stage_images_per_second: stage_rates(done.samples, threads, &done.times),
            bottleneck: done.times.bottleneck().name(),
            shard_bytes: manifest.shards().map(|shard| shard.file.bytes).sum(),
            image_sizes: image_sizes(dataset, &manifest),
            problems,
            interrupted,
            next,
        }
    }

    /// Did the run do all of its job, and is nothing wrong with its input?
    pub fn is_fine(&self) -> bool {
        self.balanced && self.problems.is_empty() && !self.interrupted
    }

    /// Prints it for a person, on stderr.
    pub fn tell(&self, printer: &Printer) {
        let elapsed = Duration::from_secs_f64(self.seconds);
        if self.samples == 0 && self.units_skipped > 0 && self.units_done == 0 {
            printer.say(format!(
                "nothing to do: {} done already in {}",
                figures::counted(self.units_skipped as u64, "input"),
                self.dataset
            ));
        } else {
            printer.say(format!(
                "{}{} done{}: {} samples in {}, {} on {}",
                if self.interrupted { "interrupted, " } else { "" },
                figures::counted(self.units_done as u64, "input"),
                match self.units_skipped {
                    0 => String::new(),
                    skipped => format!(" ({skipped} were done before)"),
                },
                figures::count(self.samples),
                figures::time(elapsed),
                figures::rate(self.samples, "samples", elapsed),
                figures::counted(self.threads as u64, "thread"),
            ));
            let stages: Vec<String> = Stage::ALL
                .iter()
                .map(|stage| {
                    let name = stage.name();
                    let rate = figures::significant(self.stage_images_per_second[name]);
                    format!("{name} {:.0} % ({rate}/s)", self.stage_percent[name])
                })
                .collect();
            printer.say(format!("  time: {}", stages.join(", ")));
            printer.say(format!("  bottleneck: {}", self.bottleneck));
        }
        printer.say(format!(
            "  found {} = accepted {} + rejected {}; shards {}",
            figures::count(self.found),
            figures::count(self.accepted),
            figures::count(self.found - self.accepted),
            figures::bytes(self.shard_bytes),
        ));
        for sizes in self.image_sizes.iter().filter(|sizes| sizes.smaller > 0) {
            printer.say(format!(
                "  {}: {} of the images are smaller than {} px, half of all have at most {} px (short side)",
                sizes.column,
                figures::percent(sizes.smaller, sizes.rows_looked_at),
                sizes.side,
                sizes.median,
            ));
        }
        for (reason, rejected) in &self.rejected {
            printer.say(format!(
                "  rejected {reason}: {} (for example {}: {})",
                figures::count(rejected.count),
                printable(&rejected.example_key),
                printable(&rejected.example_detail),
            ));
        }
        for (repair, count) in &self.repaired {
            printer.say(format!("  repaired {repair}: {}", figures::count(*count)));
        }
        for (flag, count) in &self.unfiltered {
            printer.say(format!(
                "  {flag}: {} had no value for it and stay (--drop-missing leaves them out)",
                figures::counted(*count, "row")
            ));
        }
        for warning in &self.warnings {
            printer.warn(printable(warning));
        }
        let lost: u64 = self.not_downloaded.values().sum();
        if lost > 0 {
            printer
                .say(format!("  not downloaded, so not in the inputs: {}", figures::count(lost)));
        }
        let mut reasons: Vec<(&String, &u64)> = self.not_downloaded.iter().collect();
        reasons.sort_by(|one, other| other.1.cmp(one.1));
        for (reason, count) in reasons.into_iter().take(SHOWN_REASONS) {
            printer.say(format!("    {}: {}", printable(reason), figures::count(*count)));
        }
        for problem in self.problems.iter().take(SHOWN_PROBLEMS) {
            printer.warn(printable(problem));
        }
        if self.problems.len() > SHOWN_PROBLEMS {
            printer.warn(format!("... and {} more", self.problems.len() - SHOWN_PROBLEMS));
        }
    }
}

/// Sizes of each column's images. A report is not the place to fail over a shard: `clipa-inspect verify` names it.
fn image_sizes(dataset: &Path, manifest: &Manifest) -> Vec<SideSummary> {
    let columns = manifest.images.iter();
    let sides = columns.map(|&column| ShortSides::of(dataset, manifest.shards(), column));
    sides.flatten().map(|sides| sides.summary()).collect()
}

/// Images a second if the threads did nothing but one stage; 0 where it took no time.
fn stage_rates(samples: u64, threads: usize, times: &StageTimes) -> BTreeMap<&'static str, f64> {
    let rate = |stage| {
        let seconds = times.of(stage).as_secs_f64();
        if seconds > 0.0 { (samples as f64 * threads as f64 / seconds).round() } else { 0.0 }
    };
    Stage::ALL.into_iter().map(|stage| (stage.name(), rate(stage))).collect()
}

fn stage_percent(times: &StageTimes) -> BTreeMap<&'static str, f64> {
    let total: f64 = Stage::ALL.iter().map(|&stage| times.of(stage).as_secs_f64()).sum();
    Stage::ALL
        .into_iter()
        .map(|stage| {
            let share = times.of(stage).as_secs_f64() / total.max(f64::MIN_POSITIVE);
            (stage.name(), (share * 1000.0).round() / 10.0)
        })
        .collect()
}

/// Key and detail of the first reject of each reason.
fn examples(
    dataset: &Path,
    entries: &[clipa_schemas::ledger::UnitEntry],
) -> BTreeMap<String, (String, String)> {
    let mut examples = BTreeMap::new();
    for entry in entries {
        let is_new = entry.ledger.rejected.keys().any(|reason| !examples.contains_key(reason));
        let Some(file) = entry.rejects.as_ref().filter(|_| is_new) else { continue };
        // a report is not the place to fail over a rejects file that was deleted
        for reject in rejects::read(&dataset.join(&file.file)).unwrap_or_default() {
            examples.entry(reject.reason).or_insert((reject.key, reject.detail));
        }
    }
    examples
}
