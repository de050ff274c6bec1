//! The data set's side of a stream: which columns, which row groups, and their loading.

use std::{
    collections::{HashMap, VecDeque},
    path::{Path, PathBuf},
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use clipa_schemas::{
    image_column::ImageColumn,
    ledger::ShardDigest,
    manifest::{Kind, Manifest},
    shard::ShardReader,
    vocabulary::{self, Vocabulary},
};

use super::{
    config::StreamConfig,
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
    open: VecDeque<(u32, ShardReader)>,
    /// Row groups that some window still holds: in a small data set the next window has them, too.
    alive: HashMap<(u32, u32), Weak<Group>>,
}

/// What is read of every row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    pub(super) image: ImageColumn,
    /// Name of the token column.
    pub(super) tokens: Option<String>,
    /// What the token column's ids are, where the text reduction asks for it.
    pub(super) vocabulary: Option<Arc<Vocabulary>>,
    /// Is the class read?
    pub(super) label: bool,
}

impl Columns {
    /// Their names in the shard.
    fn names(&self) -> Vec<String> {
        let mut names = vec![self.image.name()];
        names.extend(
            self.image.size_names().into_iter().flat_map(|(width, height)| [width, height]),
        );
        names.extend(self.tokens.iter().flat_map(|tokens| [tokens.clone(), "pos".to_owned()]));
        names.extend(self.label.then(|| "label".to_owned()));
        names
    }

    /// What training reads: images and captions.
    pub(super) fn of_pairs(
        dataset: &Path,
        manifest: &Manifest,
        config: &StreamConfig,
    ) -> Result<Columns, StreamError> {
        if !manifest.tokens.contains(&config.tokenizer) {
            return Err(StreamError::NoTokenColumn {
                path: dataset.to_owned(),
                wanted: config.tokenizer.clone(),
                stored: listed(&manifest.tokens),
            });
        }
        let vocabulary = match config.text.reads_vocabulary() {
            true => vocabulary::read(dataset, &config.tokenizer)?.map(Arc::new),
            false => None,
        };
        if config.text.reads_words() && !manifest.tagged
            || config.text.reads_vocabulary() && vocabulary.is_none()
        {
            let reduction = config.text.to_string();
            return Err(StreamError::NoTags { path: dataset.to_owned(), reduction });
        }
        let image = image_column(dataset, manifest, config)?;
        Ok(Columns { image, tokens: Some(config.tokenizer.clone()), vocabulary, label: false })
    }

    /// What an evaluation reads: classes of a classification set, captions of pairs.
    pub(super) fn of_evaluation(
        dataset: &Path,
        manifest: &Manifest,
        config: &StreamConfig,
    ) -> Result<Columns, StreamError> {
        match manifest.kind {
            Kind::Pairs => Columns::of_pairs(dataset, manifest, config),
            Kind::Classes => {
                let image = image_column(dataset, manifest, config)?;
                Ok(Columns { image, tokens: None, vocabulary: None, label: true })
            }
        }
    }
}

/// The column that is asked for, or the smallest that is large enough, or the largest.
fn image_column(
    dataset: &Path,
    manifest: &Manifest,
    config: &StreamConfig,
) -> Result<ImageColumn, StreamError> {
    let mut stored = manifest.images.clone();
    stored.sort_by_key(|column| column.side);
    let chosen = match &config.image_column {
        Some(name) => {
            stored.iter().find(|column| *name == column.name() || *name == column.to_string())
        }
        None => stored
            .iter()
            .find(|column| column.side >= config.augment.wanted_side(config.image_size))
            .or(stored.last()),
    };
    chosen.copied().ok_or_else(|| StreamError::NoImageColumn {
        path: dataset.to_owned(),
        wanted: config.image_column.clone().unwrap_or_else(|| "image_*".to_owned()),
        stored: listed(&stored),
    })
}

fn listed(names: &[impl ToString]) -> String {
    if names.is_empty() {
        return "none at all".to_owned();
    }
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
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
        let source =
            Source { dataset, shards, columns, open: VecDeque::new(), alive: HashMap::new() };
        Ok((source, groups))
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
        let digest = &self.shards[place.shard as usize];
        let before = &digest.row_groups[..place.group as usize];
        let first_row = before.iter().map(|&rows| u64::from(rows)).sum();
        // From here on nothing waits for storage; a page at a time would be a hundred times slower.
        reader.populate(place.group as usize, &self.columns.names())?;
        let group = Group::read(&reader, place.group as usize, first_row, &self.columns)?;
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
