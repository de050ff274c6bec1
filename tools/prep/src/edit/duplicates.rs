//! Images that are there more than once, byte for byte: found by `image_hash` when all units are done.
//!
//! The first one in the order of the inputs stays, so the result is a function of the inputs: not of threads, nor of
//! where a run was killed, because what an interrupted removal took out was never a first one. Costs 24 bytes of
//! memory for each row and reads one column of 32 bytes a row (407 million rows: 9.8 GB and 13 GB).

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::{Context, Result, anyhow};
use arrow::array::AsArray;
use clipa_schemas::{
    ledger::{UnitEntry, unit_stem},
    shard::ShardReader,
};

use super::removal::{Leaving, remove_rows};
use clipa_pool::{in_order, lock};

/// Reason of a sample whose image an earlier one has.
pub const DUPLICATE_IMAGE: &str = "duplicate_image";

/// Keys that a report names.
const EXAMPLES: usize = 5;

/// A row of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    unit: u32,
    row: u32,
}

/// A row whose image an earlier row has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Duplicate {
    place: Place,
    first: Place,
}

/// All duplicates of a data set, in order.
#[derive(Debug, Default)]
pub struct Duplicates {
    rows: Vec<Duplicate>,
    /// Keys of the first few, with what they are duplicates of.
    pub examples: Vec<String>,
}

impl Duplicates {
    /// Reads the image hashes of every row, of `threads` units at once.
    ///
    /// # Errors
    /// A shard cannot be read.
    pub fn find(dataset: &Path, entries: &[&UnitEntry], threads: usize) -> Result<Duplicates> {
        let rows: u64 = entries.iter().filter_map(|entry| Some(entry.shard.as_ref()?.rows)).sum();
        let hashes = Mutex::new(Vec::with_capacity(usize::try_from(rows)?));
        in_order(entries, threads, |entry| -> Result<()> {
            let of_unit = hashes_of(dataset, entry)?;
            lock(&hashes).extend(of_unit);
            Ok(())
        })?;
        let mut hashes = hashes.into_inner().unwrap_or_else(PoisonError::into_inner);
        hashes.sort_unstable();
        let mut rows = Vec::new();
        for same in hashes.chunk_by(|one, other| one.0 == other.0) {
            let first = same[0].1;
            rows.extend(same[1..].iter().map(|&(_, place)| Duplicate { place, first }));
        }
        drop(hashes);
        rows.sort_unstable_by_key(|duplicate| duplicate.place);
        let shown: Vec<Duplicate> = rows.iter().take(EXAMPLES).copied().collect();
        let keys = keys_of(
            dataset,
            entries.iter().copied(),
            shown.iter().flat_map(|row| [row.place, row.first]),
        )?;
        let examples = shown
            .iter()
            .map(|row| format!("{}: {}", keys[&row.place], said_of(&keys[&row.first], row.first)))
            .collect();
        Ok(Duplicates { rows, examples })
    }

    /// How many rows have an image that an earlier row has.
    pub fn len(&self) -> u64 {
        self.rows.len() as u64
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Takes them out of their units, of `threads` at once, until `stop` is set; gives the new entries.
    ///
    /// # Errors
    /// A unit is damaged or cannot be written; units that were done stay done.
    pub fn remove(
        &self,
        dataset: &Path,
        entries: &BTreeMap<u32, UnitEntry>,
        threads: usize,
        stop: &AtomicBool,
    ) -> Result<Vec<UnitEntry>> {
        let firsts = self.rows.iter().map(|row| row.first);
        let keys = keys_of(dataset, entries.values(), firsts)?;
        let units: Vec<&[Duplicate]> =
            self.rows.chunk_by(|one, other| one.place.unit == other.place.unit).collect();
        let new = in_order(&units, threads, |rows| -> Result<Option<UnitEntry>> {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let unit = rows[0].place.unit;
            let entry = entries.get(&unit).with_context(|| format!("no entry of unit {unit}"))?;
            let removed: BTreeMap<u64, String> = rows
                .iter()
                .map(|row| (u64::from(row.place.row), said_of(&keys[&row.first], row.first)))
                .collect();
            let kept = Leaving::Text;
            remove_rows(dataset, entry, &removed, DUPLICATE_IMAGE, kept, |_| {}).map(Some)
        })?;
        Ok(new.into_iter().flatten().collect())
    }
}

fn said_of(key: &str, place: Place) -> String {
    format!("the image of {key} in unit {}", unit_stem(place.unit))
}

fn first_half(hash: &[u8]) -> [u64; 2] {
    let part = |at: usize| {
        let bytes = hash.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u64::from_be_bytes)
    };
    [part(0), part(8)]
}

/// The image hashes of a unit, and where each lies.
fn hashes_of(dataset: &Path, entry: &UnitEntry) -> Result<Vec<([u64; 2], Place)>> {
    let Some(shard) = &entry.shard else { return Ok(Vec::new()) };
    let reader = ShardReader::open(&dataset.join(&shard.file.file))?;
    let mut hashes = Vec::new();
    for row_group in 0..reader.row_groups() {
        let batch = reader.columns(row_group, &["image_hash"])?;
        let column = batch.column(0).as_fixed_size_binary_opt().ok_or_else(|| {
            anyhow!("{}: column `image_hash` has another type", reader.path().display())
        })?;
        for hash in column.iter() {
            let place = Place { unit: entry.unit, row: hashes.len() as u32 };
            hashes.push((first_half(hash.unwrap_or_default()), place));
        }
    }
    Ok(hashes)
}

/// Keys of some rows; reads the key column of their units.
fn keys_of<'e>(
    dataset: &Path,
    entries: impl Iterator<Item = &'e UnitEntry>,
    places: impl Iterator<Item = Place>,
) -> Result<BTreeMap<Place, String>> {
    let mut wanted: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    places.for_each(|place| wanted.entry(place.unit).or_default().push(place.row));
    let mut keys = BTreeMap::new();
    for entry in entries {
        let (Some(rows), Some(shard)) = (wanted.get_mut(&entry.unit), &entry.shard) else {
            continue;
        };
        rows.sort_unstable();
        let reader = ShardReader::open(&dataset.join(&shard.file.file))?;
        let mut first = 0;
        for row_group in 0..reader.row_groups() {
            let end = first + reader.row_group_rows(row_group) as u32;
            let within =
                rows.partition_point(|&row| row < first)..rows.partition_point(|&row| row < end);
            if !within.is_empty() {
                let batch = reader.columns(row_group, &["key"])?;
                let column = batch.column(0).as_string_opt::<i32>().ok_or_else(|| {
                    anyhow!("{}: column `key` has another type", reader.path().display())
                })?;
                for &row in &rows[within] {
                    let place = Place { unit: entry.unit, row };
                    keys.insert(place, column.value((row - first) as usize).to_owned());
                }
            }
            first = end;
        }
    }
    Ok(keys)
}
