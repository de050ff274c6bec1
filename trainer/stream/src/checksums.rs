//! Shards are compared with the manifest's checksums before a run uses them.
//!
//! The manifest has one checksum for each shard, so that a shard is read as a whole when its first row group is wanted:
//! a run that uses every shard reads the data set once more, at its beginning. What was compared stays known until the
//! file is written to or replaced.

use std::{
    collections::HashMap,
    fs::Metadata,
    io,
    os::unix::fs::MetadataExt,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use clipa_schemas::{error::Error, ledger::ShardDigest};

use super::error::StreamError;

/// What is known of the shards of a data set.
pub(super) struct Checksums {
    threads: usize,
    checked: HashMap<u32, Stamp>,
}

/// Differs when a file was written to or replaced.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    changed: (i64, i64),
}

impl Checksums {
    /// Nothing is known; on at most so many threads it will be.
    pub(super) fn new(threads: usize) -> Checksums {
        Checksums { threads, checked: HashMap::new() }
    }

    /// Compares those of these shards that were not compared before, or were changed since.
    ///
    /// # Errors
    /// [`StreamError::Checksum`]; [`StreamError::Ended`] where `stop` was set meanwhile.
    pub(super) fn check(
        &mut self,
        dataset: &Path,
        shards: &[ShardDigest],
        wanted: impl Iterator<Item = u32>,
        stop: &AtomicBool,
    ) -> Result<(), StreamError> {
        let mut new: Vec<(u32, Stamp)> = Vec::new();
        for shard in wanted {
            let path = dataset.join(&shards[shard as usize].file.file);
            let stamp = path
                .metadata()
                .map_err(|error| StreamError::ShardChanged { path, detail: error.to_string() })?;
            let stamp = Stamp::of(&stamp);
            let is_new = new.iter().all(|&(other, _)| other != shard);
            if is_new && self.checked.get(&shard) != Some(&stamp) {
                new.push((shard, stamp));
            }
        }
        clipa_pool::in_order(&new, self.threads, |&(shard, _)| {
            compare(dataset, &shards[shard as usize], stop)
        })?;
        self.checked.extend(new);
        Ok(())
    }
}

impl Stamp {
    fn of(file: &Metadata) -> Stamp {
        Stamp {
            device: file.dev(),
            inode: file.ino(),
            bytes: file.size(),
            changed: (file.ctime(), file.ctime_nsec()),
        }
    }
}

fn compare(dataset: &Path, shard: &ShardDigest, stop: &AtomicBool) -> Result<(), StreamError> {
    let compared = shard.file.verify_while(dataset, &mut || !stop.load(Ordering::Relaxed));
    compared.map_err(|error| match error {
        Error::Io { source, .. } if source.kind() == io::ErrorKind::Interrupted => {
            StreamError::Ended
        }
        Error::Corrupt { path, detail } => {
            StreamError::Checksum { path, detail, dataset: dataset.to_owned() }
        }
        other => other.into(),
    })
}
