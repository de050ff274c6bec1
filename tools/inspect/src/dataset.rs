//! An opened data set: its manifest, and its samples by number or key.

use std::{
    fs,
    path::{Path, PathBuf},
};

use arrow::array::AsArray;
use clipa_schemas::{
    Error,
    ledger::{Ledger, ShardDigest, UnitEntry},
    manifest::{self, Manifest, Unit},
    shard::ShardReader,
};

use super::InspectError;

/// A data set's folder with what its manifest, or while it is being made its entries, say.
pub struct Dataset {
    /// The folder.
    pub folder: PathBuf,
    /// `dataset.json`.
    pub manifest: Manifest,
    /// Units that are finished, in order.
    pub units: Vec<Unit>,
    /// Sums over these units.
    pub totals: Ledger,
}

/// Where a sample lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Number of the sample in the data set, from 0.
    pub index: u64,
    /// Position of its unit in [`Dataset::units`].
    pub unit: usize,
    /// Row group in the shard.
    pub row_group: usize,
    /// Row in the row group.
    pub row: usize,
}

impl Dataset {
    /// Reads the manifest; of a data set that is not complete, the finished units from their entries.
    ///
    /// # Errors
    /// [`InspectError::Dataset`] where the folder holds no data set, or a damaged manifest or entry.
    pub fn open(folder: &Path) -> Result<Dataset, InspectError> {
        let manifest = Manifest::read(folder)?;
        let (units, totals) = if manifest.complete {
            (manifest.units.clone(), manifest.totals.clone())
        } else {
            let mut so_far = manifest.clone();
            so_far.finish(&entries(folder)?, false);
            (so_far.units, so_far.totals)
        };
        Ok(Dataset { folder: folder.to_owned(), manifest, units, totals })
    }

    /// The shards with the position of their units.
    pub fn shards(&self) -> impl Iterator<Item = (usize, &ShardDigest)> {
        let numbered = self.units.iter().enumerate();
        numbered.filter_map(|(number, unit)| Some((number, unit.shard.as_ref()?)))
    }

    /// Samples in all.
    pub fn rows(&self) -> u64 {
        self.shards().map(|(_, shard)| shard.rows).sum()
    }

    /// Opens a shard whose length is still that of its entry.
    ///
    /// # Errors
    /// [`InspectError::Dataset`] where it is missing, cut, or no shard.
    pub fn reader(&self, shard: &ShardDigest) -> Result<ShardReader, InspectError> {
        let path = self.folder.join(&shard.file.file);
        let metadata =
            fs::metadata(&path).map_err(|source| Error::Io { path: path.clone(), source })?;
        if metadata.len() != shard.file.bytes {
            let detail = format!("{} bytes, its entry says {}", metadata.len(), shard.file.bytes);
            return Err(Error::Corrupt { path, detail }.into());
        }
        Ok(ShardReader::open(&path)?)
    }

    /// Finds a sample by its number, from the entries alone.
    ///
    /// # Errors
    /// [`InspectError::NoSuchIndex`].
    pub fn position(&self, index: u64) -> Result<Position, InspectError> {
        let mut left = index;
        for (unit, shard) in self.shards() {
            for (row_group, &rows) in shard.row_groups.iter().enumerate() {
                if left < u64::from(rows) {
                    return Ok(Position { index, unit, row_group, row: left as usize });
                }
                left -= u64::from(rows);
            }
        }
        Err(InspectError::NoSuchIndex { folder: self.folder.clone(), index, rows: self.rows() })
    }

    /// Finds the first sample with this key; reads the key columns one after the other.
    ///
    /// # Errors
    /// [`InspectError::NoSuchKey`], or a shard that cannot be read.
    pub fn position_of_key(&self, key: &str) -> Result<Position, InspectError> {
        let mut index = 0;
        for (unit, shard) in self.shards() {
            let reader = self.reader(shard)?;
            for row_group in 0..reader.row_groups() {
                let batch = reader.columns(row_group, &["key"])?;
                let keys = batch.column(0).as_string_opt::<i32>().ok_or_else(|| {
                    let path = reader.path().to_owned();
                    Error::Corrupt { path, detail: "column `key` has another type".to_owned() }
                })?;
                if let Some(row) = keys.iter().position(|found| found == Some(key)) {
                    return Ok(Position { index: index + row as u64, unit, row_group, row });
                }
                index += batch.num_rows() as u64;
            }
        }
        Err(InspectError::NoSuchKey { folder: self.folder.clone(), key: key.to_owned() })
    }
}

/// The entries on disk; none where the folder of the shards is not there yet.
pub(super) fn entries(folder: &Path) -> Result<Vec<UnitEntry>, InspectError> {
    if folder.join(manifest::SHARDS).is_dir() {
        Ok(manifest::read_entries(folder)?)
    } else {
        Ok(Vec::new())
    }
}
