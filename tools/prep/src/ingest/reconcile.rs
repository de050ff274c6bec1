//! Does the tar hold what img2dataset says it does? Its `_stats.json` and its Parquet table are compared with the
//! members, and rows that never became an image are counted.

use std::{
    collections::{BTreeMap, HashSet},
    io::{self, Read},
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::archive::{
    ArchiveError, TarIndex,
    sidecar::{Fate, MetadataTable},
};

/// Largest `_stats.json` that is read, in bytes; a real one has 300.
const MAX_STATISTICS_BYTES: u64 = 4 << 20;

/// Reasons of one unit that are counted apart; the rarer ones are counted together.
const MAX_REASONS: usize = 20;

/// Longest reason, in characters: a message may hold a whole URL.
const MAX_REASON_CHARS: usize = 80;

/// What lies beside a tar.
#[derive(Debug, Default)]
pub struct Beside {
    /// The metadata of its samples.
    pub table: Option<MetadataTable>,
    statistics: Option<Result<Statistics, String>>,
}

/// What an input says about itself, compared with what it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// What is wrong, one sentence each.
    pub problems: Vec<String>,
    /// Images that are not in the input because they were never downloaded, by reason.
    pub not_downloaded: BTreeMap<String, u64>,
}

/// `NNNNN_stats.json`.
#[derive(Debug, Default, Deserialize)]
struct Statistics {
    count: Option<u64>,
    successes: Option<u64>,
    failed_to_download: Option<u64>,
    failed_to_resize: Option<u64>,
    #[serde(default)]
    status_dict: BTreeMap<String, u64>,
}

const FAILED_TO_DOWNLOAD: &str = "failed_to_download";
const FAILED_TO_RESIZE: &str = "failed_to_resize";

impl Beside {
    /// Reads what img2dataset wrote beside the tar, as far as it is there.
    ///
    /// # Errors
    /// A file is there and cannot be read: without its metadata the samples would not be filtered as asked.
    pub fn read(tar: &Path) -> Result<Beside, ArchiveError> {
        let path = table_path(tar);
        let table = match path.try_exists() {
            Ok(false) => None,
            Ok(true) => Some(MetadataTable::read(&path)?),
            Err(source) => return Err(ArchiveError::Open { path, source }),
        };
        Ok(Beside { table, statistics: read_statistics(&statistics_path(tar))? })
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
        account.not_downloaded = fewer_reasons(std::mem::take(&mut account.not_downloaded));
        account
    }
}

/// Rows of a table by what became of them.
#[derive(Default)]
struct Rows {
    all: u64,
    in_tar: u64,
    by_status: BTreeMap<String, u64>,
}

fn compare_rows(table: &MetadataTable, path: &str, tar: &TarIndex, account: &mut Account) -> Rows {
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

impl Statistics {
    fn compare(&self, path: &str, samples: u64, rows: Option<&Rows>, account: &mut Account) {
        let mut differ = |what: &str, said: Option<u64>, found: u64, of: &str| {
            if let Some(said) = said.filter(|&said| said != found) {
                account.problems.push(format!("{path} says {said} {what}, {of} {found}"));
            }
        };
        differ("successes", self.successes, samples, "the samples of the tar are");
        match rows {
            Some(rows) => {
                let of = |status: &str| rows.by_status.get(status).copied().unwrap_or_default();
                differ("rows", self.count, rows.all, "the rows of the table are");
                differ("successes", self.successes, rows.in_tar, "those of the table are");
                for (status, said) in [
                    (FAILED_TO_DOWNLOAD, self.failed_to_download),
                    (FAILED_TO_RESIZE, self.failed_to_resize),
                ] {
                    differ(status, said, of(status), "those of the table are");
                }
            }
            None => {
                let failed = self.failed();
                if let Some(successes) = self.successes {
                    let sum = successes.saturating_add(failed);
                    differ("rows", self.count, sum, "the sum of successes and failures is");
                }
                account.not_downloaded = self.not_downloaded();
            }
        }
    }

    fn failed(&self) -> u64 {
        let (download, resize) = (self.failed_to_download, self.failed_to_resize);
        download.unwrap_or_default().saturating_add(resize.unwrap_or_default())
    }

    /// By message where the messages add up, by status otherwise.
    fn not_downloaded(&self) -> BTreeMap<String, u64> {
        let mut by_message: BTreeMap<String, u64> = BTreeMap::new();
        for (message, &count) in
            self.status_dict.iter().filter(|(message, _)| *message != "success")
        {
            *by_message.entry(reason("failed", Some(message))).or_default() += count;
        }
        if by_message.values().fold(0, |sum: u64, &count| sum.saturating_add(count))
            == self.failed()
        {
            return by_message;
        }
        let by_status = [
            (FAILED_TO_DOWNLOAD, self.failed_to_download),
            (FAILED_TO_RESIZE, self.failed_to_resize),
        ];
        by_status
            .into_iter()
            .filter_map(|(status, count)| Some((status.to_owned(), count.filter(|&n| n > 0)?)))
            .collect()
    }
}

/// `failed_to_download: HTTP Error 404: Not Found`; names in quotation marks, which differ from row to row, are left
/// out, and what is long is cut.
fn reason(status: &str, error: Option<&str>) -> String {
    let mut reason = String::new();
    let text = error.map_or(status.to_owned(), |error| format!("{status}: {error}"));
    for (place, part) in text.split('\'').enumerate() {
        reason.push_str(if place % 2 == 0 { part } else { "'…'" });
    }
    let plain = reason.chars().map(|sign| if sign.is_control() { ' ' } else { sign });
    plain.take(MAX_REASON_CHARS).collect()
}

/// The most frequent reasons; the others together.
fn fewer_reasons(reasons: BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    if reasons.len() <= MAX_REASONS {
        return reasons;
    }
    let mut sorted: Vec<(String, u64)> = reasons.into_iter().collect();
    sorted.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let others = sorted.split_off(MAX_REASONS).into_iter().map(|(_, count)| count).sum();
    sorted.push((clipa_schemas::ledger::OTHER_REASONS.to_owned(), others));
    sorted.into_iter().collect()
}

/// `00000.parquet` for `00000.tar`.
fn table_path(tar: &Path) -> PathBuf {
    tar.with_extension("parquet")
}

/// `00000_stats.json` for `00000.tar`.
fn statistics_path(tar: &Path) -> PathBuf {
    let stem = tar.file_stem().unwrap_or_default().to_string_lossy();
    tar.with_file_name(format!("{stem}_stats.json"))
}

/// `None` where there is no such file; a file that is no statistics is a problem of the unit.
fn read_statistics(path: &Path) -> Result<Option<Result<Statistics, String>>, ArchiveError> {
    let failed = |source| ArchiveError::Open { path: path.to_owned(), source };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut text = Vec::new();
    file.take(MAX_STATISTICS_BYTES + 1).read_to_end(&mut text).map_err(failed)?;
    if text.len() as u64 > MAX_STATISTICS_BYTES {
        let limit = MAX_STATISTICS_BYTES;
        return Ok(Some(Err(format!("{} has more than {limit} bytes", path.display()))));
    }
    let read = serde_json::from_slice(&text);
    Ok(Some(read.map_err(|error| format!("{} cannot be read: {error}", path.display()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_leave_out_names_and_are_short() {
        assert_eq!(
            reason("failed_to_download", Some("certificate is not valid for 'www.a.b'. (x)\n")),
            "failed_to_download: certificate is not valid for '…'. (x) "
        );
        assert_eq!(reason("failed", Some(&"x".repeat(500))).chars().count(), MAX_REASON_CHARS);
        assert_eq!(reason("failed_to_resize", None), "failed_to_resize");
    }

    #[test]
    fn rare_reasons_are_counted_together() {
        let many: BTreeMap<String, u64> = (0..50).map(|n| (format!("{n:02}"), n)).collect();
        let fewer = fewer_reasons(many.clone());
        assert_eq!(fewer.len(), MAX_REASONS + 1);
        assert_eq!(fewer.values().sum::<u64>(), many.values().sum::<u64>());
        assert_eq!(fewer[clipa_schemas::ledger::OTHER_REASONS], (0..30).sum::<u64>());
    }

    #[test]
    fn messages_count_only_where_they_add_up() {
        let statistics = |text: &str| serde_json::from_str::<Statistics>(text).unwrap();
        let good = statistics(
            r#"{"count": 5, "successes": 2, "failed_to_download": 2, "failed_to_resize": 1,
                "status_dict": {"success": 2, "HTTP Error 404: Not Found": 2, "image decoding error": 1}}"#,
        );
        assert_eq!(good.not_downloaded().values().sum::<u64>(), 3);
        assert_eq!(good.not_downloaded()["failed: HTTP Error 404: Not Found"], 2);
        let cut = statistics(r#"{"failed_to_download": 9, "status_dict": {"success": 2, "x": 3}}"#);
        assert_eq!(cut.not_downloaded(), BTreeMap::from([("failed_to_download".to_owned(), 9)]));
    }
}
