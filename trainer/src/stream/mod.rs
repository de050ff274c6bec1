//! Batches of one training stage, straight from the shards.

mod colour;
mod crop;
mod permutation;
