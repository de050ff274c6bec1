//! Streams over real shards.

mod captions;
mod order;
mod samples;
mod unhappy;

use std::path::Path;

use clipa_recipe::augment::{ColourJitter, Filter, RandomResizedCrop};
use clipa_schemas::{manifest::Kind, reduction::text::TextReduction};
use clipa_tests::Numbered;
use tempfile::TempDir;

use super::*;

/// 101 rows in six shards.
const SHARDS: [u32; 6] = [20, 7, 33, 1, 20, 20];
const ROWS: u64 = 101;

fn dataset(images: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    Numbered { images, shards: &SHARDS, kind: Kind::Pairs, tagged: true }.write(folder.path());
    folder
}

/// Plain copies of 16-pixel images, a window of at least 40 rows.
fn plain(batch: usize) -> StreamConfig {
    StreamConfig { context_length: 8, window_rows: 40, seed: 3, ..StreamConfig::new(16, batch) }
}

/// Everything random at once.
fn random(batch: usize) -> StreamConfig {
    StreamConfig {
        text: TextReduction::Random,
        augment: Augment::Random {
            crop: RandomResizedCrop { scale: (0.4, 1.0), ratio: RandomResizedCrop::RATIO },
            jitter: Some(ColourJitter {
                brightness: 0.32,
                contrast: 0.32,
                saturation: 0.32,
                hue: 0.08,
                probability: 0.8,
            }),
            grey_probability: 0.2,
        },
        ..plain(batch)
    }
}

/// Images and tokens of the first `batches` batches.
fn bytes(dataset: &Path, config: StreamConfig, start: u64, batches: usize) -> (Vec<u8>, Vec<i64>) {
    let mut stream = Stream::open(dataset, config, Cursor { sample: start }).unwrap();
    let (mut images, mut tokens) = (Vec::new(), Vec::new());
    for _ in 0..batches {
        let batch = stream.next().unwrap();
        images.extend_from_slice(&batch.images);
        tokens.extend_from_slice(&batch.tokens);
    }
    (images, tokens)
}

/// The row that an uncropped image shows.
fn row_in_pixels(image: &[u8]) -> u32 {
    u32::from_be_bytes([0, image[0], image[1], image[2]])
}

/// The row that a truncated caption names.
fn row_in_tokens(tokens: &[i64]) -> u32 {
    ((tokens[1] - 1000) * 1000 + tokens[2] - 2000) as u32
}
