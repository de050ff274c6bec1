//! What a killed run left: the manifest follows the entries, and files that nothing names go.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context, Result};
use clipa_schemas::{
    ledger::UnitEntry,
    manifest::{Manifest, REJECTS, SHARDS},
    temporary::is_temporary,
};

/// Finishes what an interrupted removal of rows began: the manifest follows the entries, and files that were replaced
/// go, in this order, so that every file that an entry or the manifest names is there at any moment.
pub(super) fn settle(dataset: &Path, done: &BTreeMap<u32, UnitEntry>) -> Result<()> {
    let mut manifest = Manifest::read(dataset)?;
    let is_behind = manifest
        .units
        .iter()
        .any(|unit| done.get(&unit.unit).is_some_and(|entry| entry.shard != unit.shard));
    if is_behind {
        let complete = is_complete(&manifest, done);
        let entries: Vec<UnitEntry> = done.values().cloned().collect();
        manifest.finish(&entries, complete);
        manifest.write(dataset)?;
    }
    remove_replaced_files(dataset, done.values())
}

/// Did a run end with every unit done, and has no unit come or gone since?
pub(super) fn is_complete(manifest: &Manifest, done: &BTreeMap<u32, UnitEntry>) -> bool {
    manifest.complete && manifest.units.iter().map(|unit| &unit.unit).eq(done.keys())
}

/// Removes shards and rejects of finished units that their entries do not name (any more).
pub(super) fn remove_replaced_files<'e>(
    dataset: &Path,
    entries: impl Iterator<Item = &'e UnitEntry>,
) -> Result<()> {
    let (mut units, mut named) = (BTreeSet::new(), BTreeSet::new());
    for entry in entries {
        units.insert(entry.unit);
        named.extend(entry.shard.as_ref().map(|shard| shard.file.file.clone()));
        named.extend(entry.rejects.as_ref().map(|file| file.file.clone()));
    }
    for part in [SHARDS, REJECTS] {
        let folder = dataset.join(part);
        let context = || format!("cannot look into {}", folder.display());
        for file in fs::read_dir(&folder).with_context(context)? {
            let file = file.with_context(context)?;
            let name = file.file_name().to_string_lossy().into_owned();
            let unit = name.split('.').next().and_then(|stem| stem.parse().ok());
            let is_of_unit = name.ends_with(".parquet") && unit.is_some_and(|u| units.contains(&u));
            if is_of_unit && !named.contains(&format!("{part}/{name}")) {
                fs::remove_file(file.path())
                    .with_context(|| format!("cannot remove {}", file.path().display()))?;
            }
        }
    }
    Ok(())
}

/// Removes what an interrupted run left under temporary names.
pub(super) fn remove_temporary_files(dataset: &Path) -> Result<()> {
    for folder in [dataset.to_owned(), dataset.join(SHARDS), dataset.join(REJECTS)] {
        for entry in fs::read_dir(&folder)
            .with_context(|| format!("cannot look into {}", folder.display()))?
        {
            let entry = entry?;
            let name = entry.file_name();
            if is_temporary(&name.to_string_lossy()) {
                fs::remove_file(entry.path())
                    .with_context(|| format!("cannot remove {}", entry.path().display()))?;
            }
        }
    }
    Ok(())
}
