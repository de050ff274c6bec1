//! Which rows of the data set some samples of a stage are, by place and key: for a person who asks what was in a batch.

use std::{collections::HashMap, path::Path};

use arrow::array::{Array, AsArray, StringArray};
use clipa_schemas::manifest::Manifest;

use super::{
    columns::Columns,
    config::{MAX_BATCH, StreamConfig},
    error::StreamError,
    order::{GroupRef, Order, Sequence},
    source::Source,
};

/// Column of the samples' keys.
const KEY: &str = "key";

/// A sample's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleName {
    /// The sample's place in the stage.
    pub sample: u64,
    /// File of the shard, relative to the data set.
    pub shard: String,
    /// The row in the shard.
    pub row: u64,
    /// The row's key; from the data, so that anything may be in it.
    pub key: String,
}

/// The rows of `count` samples of a stage from sample `first` on, in the stage's order. Images and tokens are not read.
///
/// # Errors
/// As for [`super::Stream::open`]; more samples than a batch has at most.
pub fn sample_names(
    dataset: &Path,
    config: &StreamConfig,
    first: u64,
    count: usize,
) -> Result<Vec<SampleName>, StreamError> {
    if count > MAX_BATCH {
        return Err(StreamError::Config(format!("{count} samples are more than {MAX_BATCH}")));
    }
    let manifest = Manifest::read(dataset)?;
    let columns = Columns::of_pairs(dataset, &manifest, config)?;
    let (mut source, groups) = Source::open(dataset, &manifest, columns)?;
    let order = Order::new(groups, Sequence::Shuffled { seed: config.seed }, config.window_rows);
    let end = first + count as u64;
    let mut names = Vec::with_capacity(count);
    for plan in order.windows(first) {
        if plan.first_sample >= end {
            break;
        }
        let mut keys = HashMap::new();
        for sample in first.max(plan.first_sample)..end.min(plan.end_sample()) {
            let row = plan.rows.at((sample - plan.first_sample) as u32);
            let (group, row) = place(&plan.groups, row);
            names.push(name(&mut source, &mut keys, group, row, sample)?);
        }
    }
    Ok(names)
}

/// The row group of a window's row, and the row in it.
fn place(groups: &[GroupRef], mut row: u32) -> (GroupRef, u32) {
    for group in groups {
        match row.checked_sub(group.rows) {
            Some(rest) => row = rest,
            None => return (*group, row),
        }
    }
    unreachable!("a window's rows are those of its row groups")
}

fn name(
    source: &mut Source,
    keys: &mut HashMap<(u32, u32), StringArray>,
    group: GroupRef,
    row: u32,
    sample: u64,
) -> Result<SampleName, StreamError> {
    let at = (group.shard, group.group);
    if !keys.contains_key(&at) {
        keys.insert(at, keys_of(source, group)?);
    }
    let (shard, first_row) = source.place(group);
    Ok(SampleName {
        sample,
        shard,
        row: first_row + u64::from(row),
        key: keys[&at].value(row as usize).to_owned(),
    })
}

/// The keys of a row group.
fn keys_of(source: &mut Source, group: GroupRef) -> Result<StringArray, StreamError> {
    let reader = source.reader(group.shard)?;
    let batch = reader.columns(group.group as usize, &[KEY])?;
    let keys = batch.column_by_name(KEY).and_then(|column| column.as_string_opt::<i32>());
    let keys = keys.filter(|keys| keys.len() == group.rows as usize).cloned();
    keys.ok_or_else(|| StreamError::ShardChanged {
        path: reader.path().to_owned(),
        detail: format!("column `{KEY}` has another type or length"),
    })
}
