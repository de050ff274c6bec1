//! The rows of img2dataset's table against the samples of the tar.

use std::collections::{BTreeMap, HashSet};

use super::{Account, reasons::reason};
use crate::archive::{
    TarIndex,
    sidecar::{Fate, MetadataTable},
};

/// Rows of a table by what became of them.
#[derive(Default)]
pub(super) struct Rows {
    /// All of them.
    pub(super) all: u64,
    /// Those whose image the tar should hold.
    pub(super) in_tar: u64,
    /// The others, by img2dataset's word for what happened.
    pub(super) by_status: BTreeMap<String, u64>,
}

/// Compares keys with keys; what contradicts and what was never downloaded goes into `account`.
pub(super) fn compare_rows(
    table: &MetadataTable,
    path: &str,
    tar: &TarIndex,
    account: &mut Account,
) -> Rows {
    let mut rows = Rows { all: table.rows() as u64, ..Rows::default() };
    let mut failed = vec![false; table.rows()];
    for (row, failed) in failed.iter_mut().enumerate() {
        match table.fate(row) {
            Fate::InTar => rows.in_tar += 1,
            Fate::NotDownloaded { status, error } => {
                *failed = true;
                let reason = reason(&status, error.as_deref());
                *account.not_downloaded.entry(reason).or_default() += 1;
                *rows.by_status.entry(status).or_default() += 1;
            }
        }
    }
    if !table.has_keys {
        account.problems.push(format!("{path} has no column `key`: its metadata is not used"));
        return rows;
    }
    if table.keyless > 0 {
        let count = table.keyless;
        account.problems.push(format!("{path} has {count} rows without a key of their own"));
    }
    let mut seen = HashSet::with_capacity(tar.samples.len());
    let (mut unknown, mut contradicted) = (Named::default(), Named::default());
    for sample in &tar.samples {
        match table.row_of(&sample.key) {
            None => unknown.add(&sample.key),
            Some(row) => {
                seen.insert(row);
                if failed[row] && sample.ordinal == 0 {
                    contradicted.add(&sample.key);
                }
            }
        }
    }
    let mut missing: Vec<&str> = table
        .keys()
        .filter(|(_, row)| !failed[*row] && !seen.contains(row))
        .map(|(key, _)| key)
        .collect();
    missing.sort_unstable();
    let mut absent = Named::default();
    missing.into_iter().for_each(|key| absent.add(key));
    for (named, what) in [
        (absent, "says that they are in the tar, which does not hold them"),
        (unknown, "has no row for them, and the tar holds them"),
        (contradicted, "says that they failed, and the tar holds them"),
    ] {
        account.problems.extend(named.problem(path, what));
    }
    rows
}

/// A number of samples, the first one named.
#[derive(Default)]
struct Named {
    count: u64,
    first: String,
}

impl Named {
    fn add(&mut self, key: &str) {
        if self.count == 0 {
            self.first = key.to_owned();
        }
        self.count += 1;
    }

    fn problem(&self, path: &str, what: &str) -> Option<String> {
        let Named { count, first } = self;
        (*count > 0).then(|| format!("{count} samples (first {first}): {path} {what}"))
    }
}
