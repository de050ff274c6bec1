//! Edits of finished data: rows are taken out of units, shard by shard, so that a kill at any moment leaves a whole data set.

pub mod dedup;
pub mod duplicates;
pub mod removal;
pub mod takedown;
