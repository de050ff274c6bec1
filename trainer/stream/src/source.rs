//! The data set's side of a stream: which columns, which row groups, and their loading.

use std::{
    collections::{HashMap, VecDeque},
    path::{Path, PathBuf},
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use clipa_schemas::{ledger::ShardDigest, manifest::Manifest, shard::ShardReader};

use super::{
    checksums::Checksums,
    columns::Columns,
    error::StreamError,
    order::{GroupRef, MAX_GROUP_ROWS, WindowPlan},
    window::{Group, Window},
};

/// Shards that stay mapped although no window needs them, so that a small data set is opened once.
const OPEN_SHARDS: usize = 64;

/// Loads windows of one data set.
pub(super) struct Source {
    dataset: PathBuf,
    shards: Vec<ShardDigest>,
    columns: Columns,
    /// Absent where the files are trusted.
    checksums: Option<Checksums>,
    open: VecDeque<(u32, ShardReader)>,
    /// Row groups that some window still holds: in a small data set the next window has them, too.
    alive: HashMap<(u32, u32), Weak<Group>>,
}

impl Source {
    /// A source over the shards of a manifest; every file's presence and size is checked here, so that a run does
    /// not fail in its second day for a file that was missing on the first.
    pub(super) fn open(
        dataset: &Path,
        manifest: &Manifest,
        columns: Columns,
    ) -> Result<(Source, Vec<GroupRef>), StreamError> {
        let shards: Vec<ShardDigest> = manifest.shards().cloned().collect();
        let mut groups = Vec::new();
        for (shard, digest) in shards.iter().enumerate() {
            let path = dataset.join(&digest.file.file);
            check_size(&path, digest)?;
            for (group, &rows) in digest.row_groups.iter().enumerate() {
                if rows > MAX_GROUP_ROWS {
                    let detail =
                        format!("a row group of {rows} rows, not at most {MAX_GROUP_ROWS}");
                    return Err(StreamError::ShardChanged { path, detail });
                }
                groups.push(GroupRef { shard: shard as u32, group: group as u32, rows });
            }
        }
        groups.retain(|group| group.rows > 0);
        if groups.is_empty() {
            return Err(StreamError::Empty { path: dataset.to_owned() });
        }
        let dataset = dataset.to_owned();
        let (open, alive) = (VecDeque::new(), HashMap::new());
        let source = Source { dataset, shards, columns, checksums: None, open, alive };
        Ok((source, groups))
    }

    /// From now on compares each shard with its checksum before it is used, on at most so many threads.
    pub(super) fn check_shards(&mut self, threads: usize) {
        self.checksums = Some(Checksums::new(threads));
    }

    /// What it reads.
    pub(super) fn columns(&self) -> &Columns {
        &self.columns
    }

    /// Loads a window: maps its shards, fetches its image bytes into memory, decodes its small columns.
    pub(super) fn load(
        &mut self,
        plan: &WindowPlan,
        stop: &AtomicBool,
    ) -> Result<Window, StreamError> {
        if let Some(checksums) = &mut self.checksums {
            let wanted = plan.groups.iter().map(|place| place.shard);
            checksums.check(&self.dataset, &self.shards, wanted, stop)?;
        }
        self.alive.retain(|_, group| group.strong_count() > 0);
        let mut groups = Vec::with_capacity(plan.groups.len());
        for place in &plan.groups {
            if stop.load(Ordering::Relaxed) {
                return Err(StreamError::Ended);
            }
            groups.push(self.group(*place)?);
        }
        Ok(Window::new(groups))
    }

    fn group(&mut self, place: GroupRef) -> Result<Arc<Group>, StreamError> {
        let key = (place.shard, place.group);
        if let Some(group) = self.alive.get(&key).and_then(Weak::upgrade) {
            return Ok(group);
        }
        let reader = self.reader(place.shard)?;
        let (_, first_row) = self.place(place);
        let shards_before = &self.shards[..place.shard as usize];
        let first_of_dataset =
            first_row + shards_before.iter().map(|shard| shard.rows).sum::<u64>();
        // From here on nothing waits for storage; a page at a time would be a hundred times slower.
        reader.populate(place.group as usize, &self.columns.names())?;
        let number = place.group as usize;
        let group = Group::read(&reader, number, first_row, first_of_dataset, &self.columns)?;
        if group.rows() != place.rows as usize {
            let detail = format!(
                "row group {} has {} rows, the manifest says {}",
                place.group,
                group.rows(),
                place.rows
            );
            return Err(StreamError::ShardChanged { path: reader.path().to_owned(), detail });
        }
        let group = Arc::new(group);
        self.alive.insert(key, Arc::downgrade(&group));
        Ok(group)
    }

    /// File of a row group's shard, relative to the data set, and the group's first row in it.
    pub(super) fn place(&self, place: GroupRef) -> (String, u64) {
        let digest = &self.shards[place.shard as usize];
        let before = &digest.row_groups[..place.group as usize];
        (digest.file.file.clone(), before.iter().map(|&rows| u64::from(rows)).sum())
    }

    /// A shard, mapped.
    pub(super) fn reader(&mut self, shard: u32) -> Result<ShardReader, StreamError> {
        if let Some(at) = self.open.iter().position(|(open, _)| *open == shard) {
            return Ok(self.open[at].1.clone());
        }
        let digest = &self.shards[shard as usize];
        let path = self.dataset.join(&digest.file.file);
        check_size(&path, digest)?;
        let reader = ShardReader::open(&path)?;
        if reader.row_groups() != digest.row_groups.len() {
            let (there, told) = (reader.row_groups(), digest.row_groups.len());
            let detail = format!("{there} row groups, the manifest says {told}");
            return Err(StreamError::ShardChanged { path, detail });
        }
        if self.open.len() == OPEN_SHARDS {
            self.open.pop_front();
        }
        self.open.push_back((shard, reader.clone()));
        Ok(reader)
    }
}

/// Refuses a file that was cut, grown or removed: reading behind the end of a mapping would kill the process.
fn check_size(path: &Path, digest: &ShardDigest) -> Result<(), StreamError> {
    let changed = |detail: String| StreamError::ShardChanged { path: path.to_owned(), detail };
    let found = path.metadata().map_err(|error| changed(error.to_string()))?.len();
    if found != digest.file.bytes {
        return Err(changed(format!("{found} bytes, the manifest says {}", digest.file.bytes)));
    }
    Ok(())
}
