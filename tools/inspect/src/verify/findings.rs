//! What is wrong, and how much was looked at.

use std::{collections::BTreeSet, path::Path};

use clipa_schemas::{
    ledger::unit_stem,
    manifest::{REJECTS, SHARDS, entry_path},
    temporary::is_temporary,
};
use serde::Serialize;

/// What `clipa-inspect verify` found.
#[derive(Debug, Default, Serialize)]
pub struct Findings {
    /// Units looked at.
    pub units: u64,
    /// Shards whose checksum was computed.
    pub shards: u64,
    /// Row groups read.
    pub row_groups: u64,
    /// Rows read and decoded.
    pub rows: u64,
    /// Rejected samples read.
    pub rejects: u64,
    /// Bytes read.
    pub bytes: u64,
    /// What is wrong, in the order of the units.
    pub problems: Vec<Problem>,
}

/// Something that is wrong.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct Problem {
    /// The file, relative to the data set's folder.
    pub file: String,
    /// What is wrong with it.
    pub what: String,
}

impl Findings {
    /// Names of the files to remove so that an ingest makes the damaged units anew, entries first; and of files that
    /// belong to no unit.
    pub fn to_be_removed(&self) -> Vec<String> {
        let mut files = BTreeSet::new();
        for Problem { file, .. } in &self.problems {
            let Some((part, name)) = file.split_once('/') else { continue };
            if ![SHARDS, REJECTS].contains(&part) || is_temporary(name) {
                continue;
            }
            match name.split_once('.') {
                Some((stem, _)) if is_unit(stem) => files.extend([
                    (stem.to_owned(), 0, format!("{SHARDS}/{stem}.json")),
                    (stem.to_owned(), 1, format!("{SHARDS}/{stem}.parquet")),
                    (stem.to_owned(), 2, format!("{REJECTS}/{stem}.parquet")),
                ]),
                _ => files.extend([(name.to_owned(), 0, file.clone())]),
            }
        }
        files.into_iter().map(|(_, _, file)| file).collect()
    }

    pub(super) fn problem(&mut self, file: impl Into<String>, what: impl Into<String>) {
        self.problems.push(Problem { file: file.into(), what: what.into() });
    }

    pub(super) fn add(&mut self, other: Findings) {
        self.units += other.units;
        self.shards += other.shards;
        self.row_groups += other.row_groups;
        self.rows += other.rows;
        self.rejects += other.rejects;
        self.bytes += other.bytes;
        self.problems.extend(other.problems);
    }
}

/// Is it the stem of a unit's files?
fn is_unit(stem: &str) -> bool {
    stem.parse().is_ok_and(|unit| unit_stem(unit) == stem)
}

/// Name of a unit's entry, relative to the data set's folder.
pub(super) fn entry_name(unit: u32) -> String {
    entry_path(Path::new(""), unit).to_string_lossy().into_owned()
}

/// The error's message without the path that the problem names already.
pub(super) fn without_path(error: &clipa_schemas::Error, path: &Path) -> String {
    let message = error.to_string();
    let prefix = format!("{}: ", path.display());
    message.strip_prefix(&prefix).unwrap_or(&message).to_owned()
}
