//! The keys of a data set's rows, in the order of an evaluation.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
};

use arrow::array::{Array, AsArray};
use clipa_schemas::{manifest::Manifest, shard::ShardReader};

use super::error::StreamError;

/// Every row's key, in stored order, one row group in memory at a time.
///
/// What [`crate::EvalPass`] returns has the same order, and has compared a shard with its checksum before its first row:
/// take a batch's keys after the batch.
pub struct Keys {
    /// Shards that are not open yet.
    shards: VecDeque<PathBuf>,
    open: Option<(ShardReader, usize)>,
    keys: std::vec::IntoIter<String>,
}

impl Keys {
    /// The keys of the data set in this folder.
    ///
    /// # Errors
    /// No data set.
    pub fn open(dataset: &Path) -> Result<Keys, StreamError> {
        let manifest = Manifest::read(dataset)?;
        let shards = manifest.shards().map(|shard| dataset.join(&shard.file.file)).collect();
        Ok(Keys { shards, open: None, keys: Vec::new().into_iter() })
    }

    /// The next `count` keys, fewer where the set ends.
    ///
    /// # Errors
    /// A shard that cannot be read.
    pub fn take(&mut self, count: usize) -> Result<Vec<String>, StreamError> {
        let mut taken = Vec::with_capacity(count);
        while taken.len() < count {
            match self.keys.next() {
                Some(key) => taken.push(key),
                None if self.next_group()? => {}
                None => break,
            }
        }
        Ok(taken)
    }

    /// Reads another row group; false where there is none.
    fn next_group(&mut self) -> Result<bool, StreamError> {
        let (reader, group) = match self.open.take() {
            Some(open) => open,
            None => match self.shards.pop_front() {
                Some(path) => (ShardReader::open(&path)?, 0),
                None => return Ok(false),
            },
        };
        if group < reader.row_groups() {
            self.keys = keys_of(&reader, group)?.into_iter();
            self.open = Some((reader, group + 1));
        }
        Ok(true)
    }
}

fn keys_of(reader: &ShardReader, group: usize) -> Result<Vec<String>, StreamError> {
    let batch = reader.columns(group, &["key"])?;
    let column = batch.column_by_name("key").and_then(|column| column.as_string_opt::<i32>());
    let column = column.ok_or_else(|| StreamError::ShardChanged {
        path: reader.path().to_owned(),
        detail: "column `key` has another type".to_owned(),
    })?;
    Ok((0..column.len()).map(|row| column.value(row).to_owned()).collect())
}
