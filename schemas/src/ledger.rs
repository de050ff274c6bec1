//! What happened to every sample of an input: found = accepted + rejected, by reason.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{file::FileDigest, input_file::InputFile};

/// Counts of one unit, or the sum over units.
///
/// ```
/// use clipa_schemas::ledger::Ledger;
/// let mut ledger = Ledger::default();
/// ledger.accept(["orientation"]);
/// ledger.reject("truncated");
/// assert!(ledger.is_balanced());
/// assert_eq!((ledger.found, ledger.accepted, ledger.rejected_total()), (2, 1, 1));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    /// Samples that the input holds.
    pub found: u64,
    /// Samples that became rows.
    pub accepted: u64,
    /// Samples that did not, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Repairs made to accepted samples, by kind; one sample may count under several. A sample that a takedown or
    /// the removal of duplicates took away later is still counted here.
    pub repaired: BTreeMap<String, u64>,
    /// Accepted samples that a filter or list had no value to judge by, by its flag; one sample may count under several.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unfiltered: BTreeMap<String, u64>,
    /// Images that the input lists and does not hold, because its writer never got them, by reason. Not among
    /// those found.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub not_downloaded: BTreeMap<String, u64>,
}

/// Reasons of [`Ledger::not_downloaded`] that a sum keeps apart: they come from the web, and may all be different.
const MAX_DOWNLOAD_REASONS: usize = 100;

/// Under what rarer reasons of [`Ledger::not_downloaded`] are counted together.
pub const OTHER_REASONS: &str = "other reasons";

impl Ledger {
    /// Counts a sample that became a row, and what was repaired on the way.
    pub fn accept<'a>(&mut self, repairs: impl IntoIterator<Item = &'a str>) {
        self.found += 1;
        self.accepted += 1;
        for repair in repairs {
            *self.repaired.entry(repair.to_owned()).or_default() += 1;
        }
    }

    /// Notes of an accepted sample which filters and lists had no value to judge it by.
    pub fn pass_unfiltered<'a>(&mut self, flags: impl IntoIterator<Item = &'a str>) {
        for flag in flags {
            *self.unfiltered.entry(flag.to_owned()).or_default() += 1;
        }
    }

    /// Counts a sample that did not become a row.
    pub fn reject(&mut self, reason: &str) {
        self.found += 1;
        *self.rejected.entry(reason.to_owned()).or_default() += 1;
    }

    /// A row was removed after it had been accepted, for this reason.
    pub fn take_away(&mut self, reason: &str) {
        self.accepted = self.accepted.saturating_sub(1);
        *self.rejected.entry(reason.to_owned()).or_default() += 1;
    }

    /// Rejected samples, all reasons together.
    pub fn rejected_total(&self) -> u64 {
        self.rejected.values().sum()
    }

    /// Does found equal accepted plus rejected?
    pub fn is_balanced(&self) -> bool {
        self.found == self.accepted + self.rejected_total()
    }

    /// Adds another unit's counts.
    pub fn add(&mut self, other: &Ledger) {
        self.found += other.found;
        self.accepted += other.accepted;
        for (mine, theirs) in [
            (&mut self.rejected, &other.rejected),
            (&mut self.repaired, &other.repaired),
            (&mut self.unfiltered, &other.unfiltered),
        ] {
            for (name, count) in theirs {
                *mine.entry(name.clone()).or_default() += count;
            }
        }
        for (reason, count) in &other.not_downloaded {
            let is_full = self.not_downloaded.len() >= MAX_DOWNLOAD_REASONS
                && !self.not_downloaded.contains_key(reason);
            let name = if is_full { OTHER_REASONS } else { reason };
            *self.not_downloaded.entry(name.to_owned()).or_default() += count;
        }
    }
}

/// One finished unit, `shards/00000.json`. Its presence is the commit mark of shard and rejects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnitEntry {
    /// Number of the unit, also in the file names.
    pub unit: u32,
    /// The input's name and its length in bytes.
    pub source: Source,
    /// The input and the files beside it, by content: a unit is done as long as they are what they were.
    pub made_from: Vec<InputFile>,
    /// Hash of the configuration that it was made with.
    pub configuration_sha256: String,
    /// The shard; absent where no sample was accepted.
    pub shard: Option<ShardDigest>,
    /// The rejected samples; absent where there was none.
    pub rejects: Option<FileDigest>,
    /// The counts.
    pub ledger: Ledger,
    /// What is wrong with the input or contradicts its own statistics, one sentence each; empty where all is well.
    pub problems: Vec<String>,
}

/// Where a unit's samples came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Name without the folder: entries are the same wherever the input lies, and however its path is spelled.
    pub path: String,
    /// Length in bytes.
    pub bytes: u64,
}

/// A finished shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardDigest {
    /// File, length and checksum.
    #[serde(flatten)]
    pub file: FileDigest,
    /// Rows in all.
    pub rows: u64,
    /// Rows of each row group, in order.
    pub row_groups: Vec<u32>,
}

impl UnitEntry {
    /// How often rows were taken out of the unit after it was made. Its files have names of their own each time, so
    /// that the entry is replaced in one step from the old files to the new ones.
    pub fn revision(&self) -> u32 {
        let files = [self.shard.as_ref().map(|shard| &shard.file), self.rejects.as_ref()];
        files.into_iter().flatten().map(|digest| file_revision(&digest.file)).max().unwrap_or(0)
    }
}

/// `00017.parquet` for unit 17 as it was made, `00017.2.parquet` after rows were taken out of it twice.
///
/// ```
/// use clipa_schemas::ledger::{file_revision, unit_file};
/// assert_eq!(unit_file(17, 0), "00017.parquet");
/// assert_eq!(file_revision(&format!("shards/{}", unit_file(17, 2))), 2);
/// ```
pub fn unit_file(unit: u32, revision: u32) -> String {
    let stem = unit_stem(unit);
    if revision == 0 { format!("{stem}.parquet") } else { format!("{stem}.{revision}.parquet") }
}

/// The revision in the name of a shard or a file of rejects.
pub fn file_revision(file: &str) -> u32 {
    let mut parts = file.rsplit('/').next().unwrap_or(file).split('.').skip(1);
    parts.next().and_then(|part| part.parse().ok()).unwrap_or(0)
}

/// `shards/00017.json` for 17; the same stem names shard and rejects.
pub fn unit_stem(unit: u32) -> String {
    format!("{unit:05}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_keep_a_bounded_number_of_download_reasons_and_lose_none() {
        let mut total = Ledger::default();
        for unit in 0..50 {
            let reasons = (0..10).map(|reason| (format!("{unit} {reason}"), 2));
            total.add(&Ledger { not_downloaded: reasons.collect(), ..Ledger::default() });
        }
        assert_eq!(total.not_downloaded.len(), MAX_DOWNLOAD_REASONS + 1);
        assert_eq!(total.not_downloaded.values().sum::<u64>(), 1000);
        assert!(total.is_balanced());
    }

    #[test]
    fn a_sum_has_every_count_of_its_parts() {
        let mut part = Ledger::default();
        part.accept(["grey", "orientation"]);
        part.accept(["grey"]);
        part.reject("truncated");
        part.pass_unfiltered(["--deny"]);
        part.not_downloaded.insert("failed_to_resize".to_owned(), 4);
        let mut total = Ledger::default();
        total.add(&part);
        assert_eq!(total, part);
        total.add(&part);
        assert!(total.is_balanced());
        assert_eq!((total.found, total.accepted, total.rejected["truncated"]), (6, 4, 2));
        assert_eq!(total.unfiltered["--deny"], 2);
        assert_eq!((total.repaired["grey"], total.repaired["orientation"]), (4, 2));
        assert_eq!(total.not_downloaded["failed_to_resize"], 8);
    }

    #[test]
    fn what_is_taken_away_is_rejected_and_the_sum_stays() {
        let mut ledger = Ledger::default();
        ledger.accept(["grey"]);
        ledger.accept([]);
        ledger.take_away("takedown");
        assert!(ledger.is_balanced());
        assert_eq!((ledger.found, ledger.accepted, ledger.rejected["takedown"]), (2, 1, 1));
    }
}
