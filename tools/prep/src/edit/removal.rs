//! Takes rows out of a finished unit: its shard is written anew without them, and they are counted among its rejects.
//!
//! ```text
//! new shard, new rejects ──► entry names them ──► manifest ──► old files go
//! under names of their own   the commit            (Output::finish, or whoever opens the folder next)
//! ```
//!
//! At every moment each file that an entry or the manifest names is there and whole. The other rows keep their order
//! and their bytes: the shard is the one that an ingest would have written without the rows.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result};
use clipa_schemas::{
    file::write_json,
    ledger::{ShardDigest, UnitEntry, unit_file},
    manifest::{REJECTS, SHARDS, entry_path},
    rejects::{self, Reject},
    sample::Sample,
    shard::{ShardReader, ShardWriter},
};

/// Why rows are taken out; this decides what of them stays among the rejects, beside place and key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// A list names them: nothing else stays.
    Takedown,
    /// An earlier row has their image: URL, caption and hashes stay, so that they can be found again, by a takedown too.
    Duplicate,
}

impl Removal {
    /// The reason in ledger and rejects; stable.
    pub fn reason(self) -> &'static str {
        match self {
            Removal::Takedown => "takedown",
            Removal::Duplicate => "duplicate_image",
        }
    }
}

/// Takes out `rows` (number within the unit, and why, for a person), lets `clear` strip rejects that are there already,
/// and replaces the unit's entry. Returns the new one.
///
/// # Errors
/// Files of the unit are damaged or cannot be written; the unit is then what it was.
pub fn remove_rows(
    dataset: &Path,
    entry: &UnitEntry,
    rows: &BTreeMap<u64, String>,
    removal: Removal,
    clear: impl Fn(&mut Reject),
) -> Result<UnitEntry> {
    let mut new = entry.clone();
    let revision = entry.revision() + 1;
    let file = unit_file(entry.unit, revision);
    let mut rejected = match &entry.rejects {
        Some(digest) => {
            digest.verify(dataset)?;
            rejects::read(&dataset.join(&digest.file))?
        }
        None => Vec::new(),
    };
    rejected.iter_mut().for_each(clear);
    if let Some(digest) = entry.shard.as_ref().filter(|_| !rows.is_empty()) {
        new.shard = rewrite(dataset, digest, &file, |row, sample| {
            let Some(detail) = rows.get(&row) else { return true };
            rejected.push(reject(entry, sample, removal, detail));
            new.ledger.take_away(removal.reason());
            false
        })?;
    }
    if !rejected.is_empty() {
        let name = format!("{REJECTS}/{file}");
        new.rejects = Some(rejects::write(&dataset.join(&name), &name, &rejected)?);
    }
    let path = entry_path(dataset, entry.unit);
    write_json(&path, &new).with_context(|| format!("cannot replace {}", path.display()))?;
    Ok(new)
}

/// Writes the rows of a shard for which `keep` holds into another; `None` where there are none.
fn rewrite(
    dataset: &Path,
    digest: &ShardDigest,
    file: &str,
    mut keep: impl FnMut(u64, &Sample) -> bool,
) -> Result<Option<ShardDigest>> {
    digest.file.verify(dataset)?;
    let reader = ShardReader::open(&dataset.join(&digest.file.file))?;
    let name = format!("{SHARDS}/{file}");
    let mut writer = None;
    let mut number = 0;
    for row_group in 0..reader.row_groups() {
        let block = reader.rows_of(row_group)?;
        for row in 0..block.rows() {
            let sample = block.sample(row);
            if keep(number, &sample) {
                let writer = match &mut writer {
                    Some(writer) => writer,
                    None => {
                        writer.insert(ShardWriter::create(&dataset.join(&name), &reader.layout())?)
                    }
                };
                writer.append(&sample)?;
            }
            number += 1;
        }
    }
    Ok(writer.map(|writer: ShardWriter| writer.finish(name)).transpose()?)
}

fn reject(entry: &UnitEntry, sample: &Sample, removal: Removal, detail: &str) -> Reject {
    let mut reject = Reject {
        source: entry.source.path.clone(),
        offset: Some(sample.source_offset),
        key: sample.key.clone(),
        reason: removal.reason().to_owned(),
        detail: detail.to_owned(),
        url: sample.metadata.url.clone(),
        caption: Some(sample.caption.clone()),
        captions: sample.captions.clone(),
        sha256: sample.metadata.sha256,
        image_hash: Some(sample.image_hash),
    };
    if removal == Removal::Takedown {
        reject.clear();
    }
    reject
}
