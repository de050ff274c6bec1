//! The files that img2dataset wrote beside a tar.

use std::path::{Path, PathBuf};

use super::{
    finding::Account,
    reasons::most_frequent,
    rows::compare_rows,
    statistics::{Statistics, read_statistics, statistics_path},
};
use crate::archive::{ArchiveError, TarIndex, inputs::beside, sidecar::MetadataTable};

/// The files that img2dataset wrote beside a tar: `00000.parquet` and `00000_stats.json` for `00000.tar`.
#[derive(Debug, Default)]
pub struct SideFiles {
    /// The metadata of its samples.
    pub table: Option<MetadataTable>,
    statistics: Option<Result<Statistics, String>>,
}

impl SideFiles {
    /// Reads them, as far as they are there.
    ///
    /// # Errors
    /// A file is there and cannot be read: without its metadata the samples would not be filtered as asked.
    pub fn read(tar: &Path) -> Result<SideFiles, ArchiveError> {
        let path = table_path(tar);
        let table = match path.try_exists() {
            Ok(false) => None,
            Ok(true) => Some(MetadataTable::read(&path)?),
            Err(source) => return Err(ArchiveError::Open { path, source }),
        };
        Ok(SideFiles { table, statistics: read_statistics(&statistics_path(tar))? })
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
        let shown = table_path(tar.path()).display().to_string();
        let rows = self.table.as_ref().map(|table| compare_rows(table, &shown, tar, &mut account));
        if let Some(statistics) = statistics {
            let path = statistics_path(tar.path()).display().to_string();
            statistics.compare(&path, tar.samples.len() as u64, rows.as_ref(), &mut account);
        }
        account.not_downloaded = most_frequent(std::mem::take(&mut account.not_downloaded));
        account
    }
}

/// `00000.parquet` for `00000.tar`.
fn table_path(tar: &Path) -> PathBuf {
    beside(tar, ".parquet")
}
