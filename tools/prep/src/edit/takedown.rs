//! Takes what a list names out of a data set that is there.
//!
//! Only the shards concerned are written anew, see [`super::removal`]. Of what is taken out, unit, byte offset
//! and key stay, so that the ledger balances and the removal can be shown; caption, URL, hashes and pixels do not.
//! Rejects that the list names, by whatever it names rows by, lose caption, URL and hashes too.

use std::{collections::BTreeMap, path::Path, sync::Mutex};

use anyhow::{Context, Result, anyhow};
use arrow::array::{Array, AsArray, RecordBatch};
use clipa_schemas::{
    Error,
    file::write_json,
    ledger::UnitEntry,
    manifest::{self, Manifest, PendingTakedown, read_entries},
    rejects::{self, Reject},
    shard::ShardReader,
};
use serde::Serialize;

use crate::{
    dataset::Output,
    edit::removal::{Removal, remove_rows},
    lists::{Identity, List, Matched},
};
use clipa_pool::{in_order, lock};
use clipa_talk::{Failure, Printer, figures, printable};

/// Keys that a report names.
const EXAMPLES: usize = 5;

/// What a takedown did, or would do.
#[derive(Debug, Default, Serialize)]
pub struct Takedown {
    /// The data set's folder.
    pub dataset: String,
    /// Was nothing changed, because only a report was asked for?
    pub dry_run: bool,
    /// Entries of the list.
    pub listed: usize,
    /// Units looked through.
    pub units: usize,
    /// Of these, units that hold something listed.
    pub units_changed: usize,
    /// Rows before.
    pub rows_before: u64,
    /// Rows taken out.
    pub removed: u64,
    /// The same by what the list named them by: `url`, `sha256`, `image_hash`, `key`.
    pub removed_by: BTreeMap<&'static str, u64>,
    /// Rejects that lost caption, URL and hashes.
    pub rejects_cleared: u64,
    /// Keys of the first rows.
    pub examples: Vec<String>,
    /// Bytes of the shards that are written anew, before.
    pub bytes_rewritten: u64,
    /// For each list, how many of its entries name something here.
    pub lists: Vec<Matched>,
    /// Did it end one that was interrupted? What that took out is no longer there to be named.
    pub continued: bool,
    /// MD5 entries: a data set holds no MD5 of its images, so that they find nothing.
    pub md5_entries_unused: usize,
}

/// What became of one unit.
#[derive(Debug, Default)]
struct OfUnit {
    removed: u64,
    removed_by: BTreeMap<&'static str, u64>,
    examples: Vec<String>,
    rejects_cleared: u64,
    /// Its entry, where that was replaced.
    new: Option<UnitEntry>,
}

/// Takes out what `list` names, or only counts it; `threads` units at once.
///
/// A run that is killed leaves a data set whose files are whole; run it again and it ends.
///
/// # Errors
/// No data set, another run is writing to it, or a file is damaged or cannot be written.
pub fn takedown(
    dataset: &Path,
    list: &List,
    dry_run: bool,
    threads: usize,
    printer: &Printer,
) -> Result<Takedown> {
    Manifest::read(dataset)?;
    let output = if dry_run { None } else { Some(Output::reopen(dataset, printer)?) };
    let pending = PendingTakedown { lists_sha256: list.files_sha256().to_vec() };
    if output.is_some() {
        refuse_other_takedown(dataset, &pending)?;
    }
    let entries = read_entries(dataset)?;
    let mut report = Takedown {
        dataset: dataset.display().to_string(),
        dry_run,
        listed: list.len(),
        units: entries.len(),
        rows_before: entries.iter().map(|entry| entry.ledger.accepted).sum(),
        md5_entries_unused: list.md5_entries(),
        continued: PendingTakedown::of(dataset)?.is_some(),
        ..Takedown::default()
    };
    let progress = printer.progress("looking for what is listed", "rows", report.rows_before);
    let is_begun = Mutex::new(false);
    let units = in_order(&entries, threads, |entry| -> Result<OfUnit> {
        let (mut unit, rows) = listed_in(dataset, entry, list)?;
        if !dry_run && unit.is_changed() {
            begin(dataset, &pending, &is_begun)?;
            let clear = |reject: &mut Reject| {
                if is_listed(reject, list) {
                    reject.clear();
                }
            };
            let new = remove_rows(dataset, entry, &rows, Removal::Takedown, clear)?;
            unit.new = Some(new);
        }
        progress.advance(entry.ledger.accepted);
        Ok(unit)
    })?;
    drop(progress);
    for (entry, unit) in entries.iter().zip(&units) {
        report.add(entry, unit);
    }
    report.lists = list.matched();
    if let Some(mut output) = output {
        output.record(units.into_iter().filter_map(|unit| unit.new));
        let complete = output.is_complete();
        output.finish(complete)?;
        end(dataset)?;
    }
    Ok(report)
}

impl OfUnit {
    fn is_changed(&self) -> bool {
        self.removed > 0 || self.rejects_cleared > 0
    }
}

/// Notes, before the first file is changed, that a takedown is under way.
fn begin(dataset: &Path, pending: &PendingTakedown, is_begun: &Mutex<bool>) -> Result<()> {
    let mut is_begun = lock(is_begun);
    if !*is_begun {
        write_json(&dataset.join(manifest::TAKEDOWN), pending)?;
        *is_begun = true;
    }
    Ok(())
}

/// An interrupted takedown is ended by its own lists, or by more.
fn refuse_other_takedown(dataset: &Path, now: &PendingTakedown) -> Result<()> {
    let Some(there) = PendingTakedown::of(dataset)? else { return Ok(()) };
    let missing: Vec<&str> = there
        .lists_sha256
        .iter()
        .filter(|list| !now.lists_sha256.contains(list))
        .map(String::as_str)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let error = anyhow!("another takedown in {} was interrupted", dataset.display());
    let hint = format!("name its list too, that of SHA-256 {}", missing.join(", "));
    Err(Failure::new(error, hint).into())
}

fn end(dataset: &Path) -> Result<()> {
    let path = dataset.join(manifest::TAKEDOWN);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Rows of a unit, by their numbers, and why they go.
type Rows = BTreeMap<u64, String>;

/// What the list names in a unit.
fn listed_in(dataset: &Path, entry: &UnitEntry, list: &List) -> Result<(OfUnit, Rows)> {
    let mut unit =
        OfUnit { rejects_cleared: listed_rejects(dataset, entry, list)?, ..OfUnit::default() };
    let mut rows = Rows::new();
    let Some(shard) = &entry.shard else { return Ok((unit, rows)) };
    let reader = ShardReader::open(&dataset.join(&shard.file.file))?;
    let mut number = 0;
    for row_group in 0..reader.row_groups() {
        let batch = reader.columns(row_group, &["key", "url", "sha256", "image_hash"])?;
        for row in 0..batch.num_rows() {
            let identity = identity(&batch, row).ok_or_else(|| Error::Corrupt {
                path: reader.path().to_owned(),
                detail: "a column of keys, URLs or hashes has another type".to_owned(),
            })?;
            if let Some(by) = list.finds(&identity) {
                rows.insert(number, format!("listed by its {by}"));
                unit.removed += 1;
                *unit.removed_by.entry(by).or_default() += 1;
                if unit.examples.len() < EXAMPLES {
                    unit.examples.extend(identity.key.map(str::to_owned));
                }
            }
            number += 1;
        }
    }
    Ok((unit, rows))
}

/// What a row can be listed by; `None` where the columns are not those of a shard.
fn identity(batch: &RecordBatch, row: usize) -> Option<Identity<'_>> {
    let text = |name: &str| {
        let column = batch.column_by_name(name)?.as_string_opt::<i32>()?;
        Some(column.is_valid(row).then(|| column.value(row)))
    };
    let hash = |name: &str| -> Option<Option<&[u8; 32]>> {
        let column = batch.column_by_name(name)?.as_fixed_size_binary_opt()?;
        Some(column.is_valid(row).then(|| column.value(row)).and_then(|hash| hash.try_into().ok()))
    };
    Some(Identity {
        url: text("url")?,
        sha256: hash("sha256")?,
        md5: None,
        image_hash: hash("image_hash")?,
        key: text("key")?,
    })
}

/// Rejects of a unit that the list names and that have something of their own to lose.
fn listed_rejects(dataset: &Path, entry: &UnitEntry, list: &List) -> Result<u64> {
    let Some(file) = &entry.rejects else { return Ok(0) };
    let rejects = rejects::read(&dataset.join(&file.file))?;
    Ok(rejects.iter().filter(|reject| is_listed(reject, list)).count() as u64)
}

/// Is it named, by anything that it could be named by if it were a row, and is there something to lose?
fn is_listed(reject: &Reject, list: &List) -> bool {
    let identity = Identity {
        url: reject.url.as_deref(),
        sha256: reject.sha256.as_ref(),
        md5: None,
        image_hash: reject.image_hash.as_ref(),
        key: Some(&reject.key),
    };
    list.finds(&identity).is_some() && !reject.is_clear()
}

impl Takedown {
    fn add(&mut self, entry: &UnitEntry, unit: &OfUnit) {
        self.rejects_cleared += unit.rejects_cleared;
        self.units_changed += usize::from(unit.is_changed());
        if unit.removed == 0 {
            return;
        }
        self.bytes_rewritten += entry.shard.as_ref().map_or(0, |shard| shard.file.bytes);
        self.removed += unit.removed;
        for (by, count) in &unit.removed_by {
            *self.removed_by.entry(by).or_default() += count;
        }
        let room = EXAMPLES - self.examples.len();
        self.examples.extend(unit.examples.iter().take(room).cloned());
    }

    /// Did every list name something?
    pub fn is_fine(&self) -> bool {
        self.continued || self.lists.iter().all(|list| list.matched > 0)
    }

    /// Prints it for a person, on stderr.
    pub fn tell(&self, printer: &Printer) {
        let (would, done) = if self.dry_run { ("would be ", "dry run: ") } else { ("", "") };
        printer.say(format!(
            "{done}{} of {} rows {would}taken out, of {} of {} units ({})",
            figures::count(self.removed),
            figures::count(self.rows_before),
            figures::count(self.units_changed as u64),
            figures::count(self.units as u64),
            figures::bytes(self.bytes_rewritten),
        ));
        for (by, count) in &self.removed_by {
            printer.say(format!("  listed by its {by}: {}", figures::count(*count)));
        }
        if !self.examples.is_empty() {
            let keys: Vec<_> = self.examples.iter().map(|key| printable(key)).collect();
            printer.say(format!("  for example {}", keys.join(", ")));
        }
        if self.rejects_cleared > 0 {
            let count = figures::count(self.rejects_cleared);
            printer.say(format!("  rejects that {would}lose caption, URL and hashes: {count}"));
        }
        for part in &self.lists {
            let (list, entries) = (printable(&part.list), part.size());
            match part.matched {
                0 if self.continued => {}
                0 => printer.warn(format!(
                    "{list}: nothing in this data set is named by it ({entries}); was it taken down before, or is it another data \
                     set's list?"
                )),
                matched => printer.say(format!(
                    "  {list}: {entries}, of which {} name something here",
                    figures::count(matched as u64)
                )),
            }
        }
        if self.md5_entries_unused > 0 {
            printer.warn(format!(
                "{} MD5 entries find nothing: a data set holds no MD5 of its images",
                figures::count(self.md5_entries_unused as u64)
            ));
        }
    }
}
