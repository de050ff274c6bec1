//! `NNNNN_stats.json`: what img2dataset counted while it wrote a tar.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::{Account, reasons::reason, rows::Rows};
use crate::archive::ArchiveError;

/// Largest `_stats.json` that is read, in bytes; a real one has 300.
const MAX_STATISTICS_BYTES: u64 = 4 << 20;

/// `NNNNN_stats.json`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Statistics {
    count: Option<u64>,
    successes: Option<u64>,
    failed_to_download: Option<u64>,
    failed_to_resize: Option<u64>,
    #[serde(default)]
    status_dict: BTreeMap<String, u64>,
}

const FAILED_TO_DOWNLOAD: &str = "failed_to_download";
const FAILED_TO_RESIZE: &str = "failed_to_resize";

impl Statistics {
    /// Compares with the number of samples in the tar and with the rows of its table; `path` is the name in problems.
    pub(super) fn compare(
        &self,
        path: &str,
        samples: u64,
        rows: Option<&Rows>,
        account: &mut Account,
    ) {
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

/// `00000_stats.json` for `00000.tar`.
pub(super) fn statistics_path(tar: &Path) -> PathBuf {
    let stem = tar.file_stem().unwrap_or_default().to_string_lossy();
    tar.with_file_name(format!("{stem}_stats.json"))
}

/// Without the folder: what is said of an input is the same wherever it lies.
pub(super) fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Reads the statistics of a tar. `None` where there is no such file; a file that is no statistics is a problem of the unit.
pub(super) fn read_statistics(
    path: &Path,
) -> Result<Option<Result<Statistics, String>>, ArchiveError> {
    let failed = |source| ArchiveError::Open { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut text = Vec::new();
    file.take(MAX_STATISTICS_BYTES + 1).read_to_end(&mut text).map_err(failed)?;
    if text.len() as u64 > MAX_STATISTICS_BYTES {
        let limit = MAX_STATISTICS_BYTES;
        return Ok(Some(Err(format!("{} has more than {limit} bytes", name_of(path)))));
    }
    let read = serde_json::from_slice(&text);
    Ok(Some(read.map_err(|error| format!("{} cannot be read: {error}", name_of(path)))))
}

#[cfg(test)]
mod tests {
    use super::*;

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
