//! A data set without a row stands in nobody's way.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use clipa_schemas::manifest::{MANIFEST, Manifest, PendingTakedown, REJECTS, SHARDS, read_entries};

/// Removes a data set that was begun and has no row, so that the next run begins anew whatever its inputs and options:
/// every sample was rejected, or no input could be read. One whose rows were taken out later stays: what was taken down
/// must not come back.
pub(super) fn remove_rowless(dataset: &Path) -> Result<()> {
    let Ok(manifest) = Manifest::read(dataset) else { return Ok(()) };
    let entries = read_entries(dataset)?;
    let has_rows = manifest.rows() > 0 || entries.iter().any(|entry| entry.shard.is_some());
    let was_edited =
        PendingTakedown::of(dataset)?.is_some() || entries.iter().any(|entry| entry.revision() > 0);
    if has_rows || was_edited {
        return Ok(());
    }
    // the manifest last: what is left of an interrupted removal is again a data set without a row
    for part in [SHARDS, REJECTS] {
        let folder = dataset.join(part);
        let context = || format!("cannot empty {}", folder.display());
        for file in fs::read_dir(&folder).with_context(context)? {
            fs::remove_file(file.with_context(context)?.path()).with_context(context)?;
        }
    }
    let path = dataset.join(MANIFEST);
    fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))
}
