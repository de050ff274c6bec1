//! Shards, as a program meets them that trusts nobody.

use clipa_schemas::shard::ShardReader;

use crate::in_a_file;

/// A shard: every row group is an error or has as many rows as it says, and each of them can be read.
pub fn shard(bytes: &[u8]) {
    let Ok(shard) = in_a_file("shard.parquet", bytes, ShardReader::open) else { return };
    for group in 0..shard.row_groups() {
        let rows = shard.row_group_rows(group);
        if let Ok(block) = shard.rows_of(group) {
            assert_eq!(block.rows(), rows);
            (0..rows.min(ROWS)).for_each(|row| drop(block.sample(row)));
        }
        for &column in shard.images() {
            let Ok(images) = shard.images_of(group, column) else { continue };
            assert_eq!(images.rows(), rows);
            for image in (0..rows.min(ROWS)).map(|row| images.get(row)) {
                if let Some(length) = column.fixed_bytes() {
                    assert_eq!(image.bytes.len(), length);
                }
            }
        }
        for tokens in &shard.layout().tokens {
            let Ok(texts) = shard.captions_of(group, tokens) else { continue };
            assert_eq!(texts.rows(), rows);
            for row in 0..rows.min(ROWS) {
                std::hint::black_box(texts.first().get(row));
                let captions = texts.captions(row);
                assert_eq!(captions.iter().count(), captions.len());
            }
        }
    }
}

/// Rows of a group that are looked at: one page can hold millions of nothing.
const ROWS: usize = 300;
