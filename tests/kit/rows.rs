//! What a data set holds, read with the library that wrote it.

use clipa_schemas::manifest::{Manifest, read_entries};
use clipa_schemas::rejects::{self, Reject};
use clipa_schemas::sample::Sample;
use clipa_schemas::shard::ShardReader;
use std::path::Path;

/// Every row of a data set, in order.
pub fn rows(dataset: &Path) -> Vec<Sample> {
    let manifest = Manifest::read(dataset).expect("a manifest");
    let mut rows = Vec::new();
    for shard in manifest.shards() {
        let reader = ShardReader::open(&dataset.join(&shard.file.file)).expect("a shard");
        for row_group in 0..reader.row_groups() {
            let block = reader.rows_of(row_group).expect("a row group");
            rows.extend((0..block.rows()).map(|row| block.sample(row)));
        }
    }
    rows
}

/// Every reject of a data set, in order.
pub fn rejected(dataset: &Path) -> Vec<Reject> {
    let entries = read_entries(dataset).expect("entries");
    let files = entries.iter().filter_map(|entry| entry.rejects.as_ref());
    files.flat_map(|file| rejects::read(&dataset.join(&file.file)).expect("rejects")).collect()
}
