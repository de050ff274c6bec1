//! Images that are there more than once, byte for byte: found by `image_hash`.
//!
//! The first one in the order of the inputs counts as the original, so the result is a function of the inputs: not of
//! threads. Costs 24 bytes of memory for each row and reads one column of 32 bytes a row (407 million rows: 9.8 GB and
//! 13 GB).

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::{Result, anyhow};
use arrow::array::AsArray;
use clipa_schemas::{
    ledger::{UnitEntry, unit_stem},
    shard::ShardReader,
};

use clipa_pool::{in_order, lock};
use clipa_talk::Interrupted;

/// A row of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) unit: u32,
    pub(super) row: u32,
}

/// A row whose image an earlier row has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Duplicate {
    pub(super) place: Place,
    pub(super) first: Place,
}

/// All duplicates of a data set, in order.
#[derive(Debug, Default)]
pub struct Duplicates(Vec<Duplicate>);

impl Duplicates {
    /// Reads the image hashes of every row, of `threads` units at once; `advance` is told how many rows were read.
    ///
    /// # Errors
    /// A shard cannot be read, or `stop` was set.
    pub fn find(
        dataset: &Path,
        entries: &[UnitEntry],
        threads: usize,
        stop: &AtomicBool,
        advance: impl Fn(u64) + Sync,
    ) -> Result<Duplicates> {
        let rows: u64 = entries.iter().filter_map(|entry| Some(entry.shard.as_ref()?.rows)).sum();
        let hashes = Mutex::new(Vec::with_capacity(usize::try_from(rows)?));
        in_order(entries, threads, |entry| -> Result<()> {
            if stop.load(Ordering::Relaxed) {
                return Err(Interrupted("interrupted; nothing was changed").into());
            }
            let of_unit = hashes_of(dataset, entry)?;
            advance(of_unit.len() as u64);
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
        Ok(Duplicates(rows))
    }

    /// How many rows have an image that an earlier row has.
    pub fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The duplicates of each unit that has any.
    pub(super) fn by_unit(&self) -> impl Iterator<Item = &[Duplicate]> {
        self.0.chunk_by(|one, other| one.place.unit == other.place.unit)
    }

    /// The first `count`: key, and what it is a duplicate of.
    ///
    /// # Errors
    /// A shard cannot be read.
    pub fn examples(
        &self,
        dataset: &Path,
        entries: &[UnitEntry],
        count: usize,
    ) -> Result<Vec<String>> {
        let shown = &self.0[..self.0.len().min(count)];
        let places = shown.iter().flat_map(|row| [row.place, row.first]);
        let keys = keys_of(dataset, entries.iter(), places)?;
        Ok(shown
            .iter()
            .map(|row| format!("{}: {}", keys[&row.place], said_of(&keys[&row.first], row.first)))
            .collect())
    }

    /// For each row that has duplicates, what is said of these in the rejects.
    ///
    /// # Errors
    /// A shard cannot be read.
    pub(super) fn said_of_all<'e>(
        &self,
        dataset: &Path,
        entries: impl Iterator<Item = &'e UnitEntry>,
    ) -> Result<BTreeMap<Place, String>> {
        let mut firsts = keys_of(dataset, entries, self.0.iter().map(|row| row.first))?;
        firsts.iter_mut().for_each(|(place, key)| *key = said_of(key, *place));
        Ok(firsts)
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
