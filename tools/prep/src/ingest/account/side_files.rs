//! The files that img2dataset wrote beside a tar.

use std::path::{Path, PathBuf};

use super::{
    super::{asked::Asked, options::Filter},
    finding::Account,
    reasons::most_frequent,
    rows::compare_rows,
    statistics::{Statistics, name_of, read_statistics, statistics_path},
};
use crate::{
    archive::{ArchiveError, TarIndex, sidecar::MetadataTable},
    foreign_table::TableError,
};
use clipa_talk::printable;

/// The files that img2dataset wrote beside a tar: `00000.parquet` and `00000_stats.json` for `00000.tar`.
#[derive(Debug, Default)]
pub struct SideFiles {
    /// The metadata of its samples.
    pub table: Option<MetadataTable>,
    /// Why the table's rows cannot be joined with the samples.
    pub unusable: Option<String>,
    statistics: Option<Result<Statistics, String>>,
}

impl SideFiles {
    /// Those of a tar that are there.
    pub fn of(tar: &Path) -> Vec<PathBuf> {
        let named = [table_path(tar), statistics_path(tar)];
        named.into_iter().filter(|path| path.is_file()).collect()
    }

    /// Reads them, as far as they are there.
    ///
    /// # Errors
    /// A file is there and cannot be read: without its metadata the samples would not be filtered as asked.
    pub fn read(tar: &Path, index: &TarIndex) -> Result<SideFiles, ArchiveError> {
        let path = table_path(tar);
        let table = match path.try_exists() {
            Ok(false) => None,
            Ok(true) => Some(MetadataTable::read(&path)?),
            Err(source) => return Err(ArchiveError::Open { path, source }),
        };
        let unusable = table.as_ref().and_then(|table| cannot_join(table, &path, index));
        Ok(SideFiles { table, unusable, statistics: read_statistics(&statistics_path(tar))? })
    }

    /// Refuses a table that is there and cannot answer what the filters and lists ask.
    ///
    /// # Errors
    /// What is wrong with it, and what needs it.
    pub(in super::super) fn refuse_mute(
        &self,
        tar: &TarIndex,
        filter: &Filter,
    ) -> Result<(), ArchiveError> {
        let Some(table) = &self.table else { return Ok(()) };
        let path = table_path(tar.path());
        let bad = |detail: String| TableError::Bad { path: path.clone(), detail };
        let asked = filter.asked();
        // where each sample has a .json, it is seen sample by sample whether the table is needed
        let is_alone = tar.samples.iter().any(|sample| sample.sidecar.is_none());
        if let (Some(why), Some(first), true) = (&self.unusable, asked.first(), is_alone) {
            let detail = format!("{why}, and {} needs it", first.flag);
            return Err(bad(detail).into());
        }
        for Asked { flag, column } in asked {
            if let Some(name) = table.unread(column) {
                let name = printable(name);
                let detail = format!(
                    "column `{name}` is of a type that is not read (a list, a struct, a date), and {flag} needs it"
                );
                return Err(bad(detail).into());
            }
        }
        Ok(())
    }

    /// Compares with the samples of the tar.
    pub fn account(&self, tar: &TarIndex) -> Account {
        let mut account = Account::default();
        let statistics = match &self.statistics {
            Some(Ok(statistics)) => Some(statistics),
            Some(Err(problem)) => {
                account.problems.push(problem.clone());
                None
            }
            None => None,
        };
        let shown = name_of(&table_path(tar.path()));
        let rows = self.table.as_ref().map(|table| compare_rows(table, &shown, tar, &mut account));
        if let Some(statistics) = statistics {
            let path = name_of(&statistics_path(tar.path()));
            statistics.compare(&path, tar.samples.len() as u64, rows.as_ref(), &mut account);
        }
        account.not_downloaded = most_frequent(std::mem::take(&mut account.not_downloaded));
        account
    }
}

/// Why no row of the table is a sample's.
fn cannot_join(table: &MetadataTable, path: &Path, tar: &TarIndex) -> Option<String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if !table.has_keys {
        let names = table.names();
        let names = printable(&names);
        return Some(format!(
            "{name} has no column `key` to find a sample's row by (it has {names})"
        ));
    }
    let first = tar.samples.first()?;
    if tar.samples.iter().any(|sample| table.row_of(&sample.key).is_some()) {
        return None;
    }
    let first = printable(&first.key);
    Some(match table.keys().map(|(key, _)| key).min() {
        Some(key) => {
            let key = printable(key);
            format!(
                "{name} has no row for any sample of the tar (its keys are such as {key}, the tar's such as {first})"
            )
        }
        None => format!("{name} has no row with a key"),
    })
}

/// `00000.parquet` for `00000.tar`.
fn table_path(tar: &Path) -> PathBuf {
    tar.with_extension("parquet")
}
