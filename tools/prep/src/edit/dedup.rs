//! Takes images that come again out of a data set that is there.
//!
//! Nothing notes that a removal is under way, because one that was interrupted is harmless: each unit is whole, with or
//! without its duplicates ([`super::removal`]), and what was taken out was never the first of its kind, so that the
//! next run finds the same firsts and takes out the rest. Only the order in which inputs are done must not count: as
//! long as one is missing, which might hold an earlier row, nothing is taken out.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use anyhow::{Context, Result, anyhow};
use clipa_schemas::{
    ledger::UnitEntry,
    manifest::{Manifest, read_entries},
};
use serde::Serialize;

use super::{
    duplicates::{Duplicate, Duplicates},
    removal::{Removal, remove_rows},
};
use crate::dataset::{Output, refuse_pending_takedown};
use clipa_pool::in_order;
use clipa_talk::{Failure, Printer, figures, printable};

/// Rows that a report names.
const EXAMPLES: usize = 5;

/// What was found, and what was done with it.
#[derive(Debug, Default, Serialize)]
pub struct Dedup {
    /// The data set's folder.
    pub dataset: String,
    /// Units looked through.
    pub units: usize,
    /// Of these, units that hold duplicates.
    pub units_with_duplicates: usize,
    /// Rows looked through.
    pub rows: u64,
    /// Of these, rows whose image an earlier row has.
    pub duplicates: u64,
    /// Keys of the first few, with what they are duplicates of.
    pub examples: Vec<String>,
    /// Rows taken out; 0 where only a report was asked for.
    pub removed: u64,
    /// Was the removal stopped before its end?
    pub interrupted: bool,
}

/// Finds rows whose image an earlier row has, byte for byte, and takes them out where `remove` says so; `threads`
/// units at once, until `stop` is set.
///
/// A removal that is killed or stopped leaves a data set whose files are whole; run it again and it ends.
///
/// # Errors
/// No data set, a file is damaged or cannot be written, or it was stopped while it looked. For a removal also: another
/// run is writing to the data set, a takedown in it has not ended, or not all of its inputs are done.
pub fn dedup(
    dataset: &Path,
    remove: bool,
    threads: usize,
    printer: &Printer,
    stop: &AtomicBool,
) -> Result<Dedup> {
    Manifest::read(dataset)?;
    let output = if remove { Some(open_complete(dataset, printer)?) } else { None };
    let entries = read_entries(dataset)?;
    let rows = entries.iter().filter_map(|entry| Some(entry.shard.as_ref()?.rows)).sum();
    let progress = printer.progress("looking for images that come again", "rows", rows);
    let found = Duplicates::find(dataset, &entries, threads, stop, |rows| progress.advance(rows))?;
    drop(progress);
    let mut report = Dedup {
        dataset: dataset.display().to_string(),
        units: entries.len(),
        units_with_duplicates: found.by_unit().count(),
        rows,
        duplicates: found.len(),
        examples: found.examples(dataset, &entries, EXAMPLES)?,
        ..Dedup::default()
    };
    if let Some(mut output) = output {
        let new = take_out(&found, &output, threads, printer, stop)?;
        let removed =
            |entry: &UnitEntry| output.done()[&entry.unit].ledger.accepted - entry.ledger.accepted;
        report.removed = new.iter().map(removed).sum();
        report.interrupted = report.removed < report.duplicates;
        output.record(new);
        output.finish(true)?;
    }
    Ok(report)
}

/// Opens a data set of which every input is done.
fn open_complete(dataset: &Path, printer: &Printer) -> Result<Output> {
    let output = Output::reopen(dataset, printer)?;
    refuse_pending_takedown(dataset)?;
    if output.is_complete() {
        return Ok(output);
    }
    let error = anyhow!(
        "not all inputs of {} are done: which duplicate is the first is not known yet",
        dataset.display()
    );
    Err(Failure::new(error, "run the command that made it again, until it ends without an error")
        .into())
}

/// Takes duplicates out of their units; returns the new entries of those that were done before `stop` was set.
fn take_out(
    found: &Duplicates,
    output: &Output,
    threads: usize,
    printer: &Printer,
    stop: &AtomicBool,
) -> Result<Vec<UnitEntry>> {
    let (dataset, entries) = (output.dataset(), output.done());
    let said = found.said_of_all(dataset, entries.values())?;
    let units: Vec<&[Duplicate]> = found.by_unit().collect();
    let progress = printer.progress("taking duplicates out", "rows", found.len());
    let new = in_order(&units, threads, |rows| -> Result<Option<UnitEntry>> {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let unit = rows[0].place.unit;
        let entry = entries.get(&unit).with_context(|| format!("no entry of unit {unit}"))?;
        let removed: BTreeMap<u64, String> =
            rows.iter().map(|row| (u64::from(row.place.row), said[&row.first].clone())).collect();
        let new = remove_rows(dataset, entry, &removed, Removal::Duplicate, |_| {})?;
        progress.advance(rows.len() as u64);
        Ok(Some(new))
    })?;
    Ok(new.into_iter().flatten().collect())
}

impl Dedup {
    /// Prints it for a person, on stderr.
    pub fn tell(&self, printer: &Printer) {
        printer.say(format!(
            "{} of {} rows have the image of an earlier row, in {} of {} units",
            figures::count(self.duplicates),
            figures::count(self.rows),
            figures::count(self.units_with_duplicates as u64),
            figures::count(self.units as u64),
        ));
        for example in &self.examples {
            printer.say(format!("  for example {}", printable(example)));
        }
        if self.removed > 0 {
            let removed = figures::count(self.removed);
            printer.say(format!("  taken out, and among the rejects now: {removed}"));
        }
        if self.interrupted {
            printer.say("interrupted; the data set is whole");
        }
    }
}
