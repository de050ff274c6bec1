//! How fast batches come out of a data set, without a model: `cargo bench -p clipa-trainer --bench stream`.
//!
//! Draws data sets into a temporary folder (about 2 GB; `CLIPA_BENCH_ROWS` rows instead of 8,192 each), reads each
//! with one and with two workers, and prints samples/s, GB/s of batch bytes, and the ratio to copying the same
//! images, in the same order, with one thread and nothing else. Best of several passes: the machine may be shared.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../src/stream/tests/dataset.rs"]
mod dataset;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use clipa_schemas::{
    manifest::{Kind, Manifest},
    random::Random,
    shard::ShardReader,
};
use clipa_trainer::stream::{
    Augment, ColourJitter, Cursor, RandomResizedCrop, Stream, StreamConfig,
};

const BATCH: usize = 1024;
const ROWS: u32 = 8192;
const SHARD_ROWS: u32 = 4096;
/// Measured time of one pass.
const PASS: Duration = Duration::from_millis(1500);
const PASSES: usize = 3;

const CROP: Augment = Augment::Random {
    crop: RandomResizedCrop { scale: (0.4, 1.0), ratio: RandomResizedCrop::RATIO },
    jitter: None,
    grey_probability: 0.0,
};
const JITTER: Augment = Augment::Random {
    crop: RandomResizedCrop { scale: (0.4, 1.0), ratio: RandomResizedCrop::RATIO },
    jitter: Some(ColourJitter {
        brightness: 0.32,
        contrast: 0.32,
        saturation: 0.32,
        hue: 0.08,
        probability: 0.8,
    }),
    grey_probability: 0.2,
};

fn main() {
    let rows = std::env::var("CLIPA_BENCH_ROWS").map_or(ROWS, |rows| rows.parse().unwrap());
    println!(
        "{rows} rows, batches of {BATCH}; ceiling: one thread copies the images in random order"
    );
    println!(
        "{:30} {:>8} {:>12} {:>10} {:>12}",
        "case", "workers", "samples/s", "GB/s", "of ceiling"
    );
    let cases: [(&str, u32, &[Augment]); 4] = [
        ("64:rgb8-square", 64, &[Augment::Centre]),
        ("112:rgb8-square", 112, &[Augment::Centre, CROP]),
        ("178:rgb8", 112, &[CROP]),
        ("102:rgb8", 64, &[CROP, JITTER]),
    ];
    for (column, size, augments) in cases {
        let folder = tempfile::tempdir().unwrap();
        let shards = vec![SHARD_ROWS; (rows / SHARD_ROWS).max(1) as usize];
        let draft =
            dataset::Draft { images: &[column], shards: &shards, kind: Kind::Pairs, tagged: true };
        draft.write(folder.path());
        let image_bytes = (size * size * 3) as usize;
        let ceiling = ceiling(folder.path(), image_bytes);
        println!(
            "{column:30} {:>8} {ceiling:>12.0} {:>10.2} {:>12}",
            "memcpy",
            gigabytes(ceiling, image_bytes),
            1
        );
        for augment in augments {
            for workers in [1, 2] {
                let config = StreamConfig {
                    augment: *augment,
                    context_length: 16,
                    workers,
                    ..StreamConfig::new(size, BATCH)
                };
                let rate = best(|| stream_rate(folder.path(), &config));
                let what = match augment {
                    Augment::Centre => "copied",
                    Augment::Random { jitter: None, .. } => "cropped, resized",
                    Augment::Random { .. } => "cropped, resized, jittered",
                };
                let (gigabytes, ratio) = (gigabytes(rate, image_bytes), rate / ceiling);
                println!(
                    "  -> {size:3} {what:22} {workers:>8} {rate:>12.0} {gigabytes:>10.2} {ratio:>12.2}"
                );
            }
        }
    }
}

fn gigabytes(rate: f64, image_bytes: usize) -> f64 {
    rate * image_bytes as f64 / 1e9
}

fn best(mut pass: impl FnMut() -> f64) -> f64 {
    (0..PASSES).map(|_| pass()).fold(0.0, f64::max)
}

/// Samples a second after a first epoch, which brings the files into memory.
fn stream_rate(dataset: &Path, config: &StreamConfig) -> f64 {
    let mut stream = Stream::open(dataset, config.clone(), Cursor::default()).unwrap();
    let warm = stream.samples_per_epoch();
    while stream.next().unwrap().first_sample < warm {}
    let begin = Instant::now();
    let mut samples = 0;
    while begin.elapsed() < PASS {
        samples += stream.next().unwrap().len;
    }
    samples as f64 / begin.elapsed().as_secs_f64()
}

/// Copies of `image_bytes` bytes a second, from random rows of all shards into a batch.
fn ceiling(dataset: &Path, image_bytes: usize) -> f64 {
    let manifest = Manifest::read(dataset).unwrap();
    let readers: Vec<ShardReader> = manifest
        .shards()
        .map(|shard| ShardReader::open(&dataset.join(&shard.file.file)).unwrap())
        .collect();
    let blocks: Vec<_> = readers
        .iter()
        .flat_map(|reader| (0..reader.row_groups()).map(move |group| (reader, group)))
        .map(|(reader, group)| reader.images_of(group, manifest.images[0]).unwrap())
        .collect();
    let rows: Vec<&[u8]> = blocks
        .iter()
        .flat_map(|block| (0..block.rows()).map(|row| &block.get(row).bytes[..image_bytes]))
        .collect();
    let mut batch = vec![0u8; BATCH * image_bytes];
    best(|| {
        let (mut random, mut samples) = (Random::new(1), 0);
        let begin = Instant::now();
        while begin.elapsed() < PASS {
            for image in batch.chunks_exact_mut(image_bytes) {
                image.copy_from_slice(rows[random.below(rows.len() as u64) as usize]);
            }
            samples += BATCH;
            std::hint::black_box(&mut batch);
        }
        samples as f64 / begin.elapsed().as_secs_f64()
    })
}
