//! How fast batches come out of a data set, without a model: `cargo bench -p clipa-stream --bench stream`.
//!
//! Draws data sets into a temporary folder, one after the other (at most 1 GB; `CLIPA_BENCH_ROWS` rows instead of
//! 8,192; `CLIPA_BENCH_ONLY=178` for the columns with 178 in their names), reads each with one and with two workers,
//! and prints samples/s, samples per second of CPU time (of all threads together, so that a shared machine does not
//! hide a cost), GB/s of batch bytes, and the ratio to copying the same images in random order with one thread and
//! nothing else. Best of several passes.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use clipa_recipe::augment::{Augment, ColourJitter, RandomResizedCrop};
use clipa_schemas::{
    manifest::{Kind, Manifest},
    random::Random,
    shard::ShardReader,
};
use clipa_stream::{Cursor, Stream, StreamConfig, WINDOW_ROWS};
use clipa_tests::Numbered;

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

/// Samples per second.
#[derive(Clone, Copy, Default)]
struct Rate {
    /// Of time on the wall.
    wall: f64,
    /// Of CPU time, all threads together.
    cpu: f64,
}

fn main() {
    let rows = std::env::var("CLIPA_BENCH_ROWS").map_or(ROWS, |rows| rows.parse().unwrap());
    println!("{rows} rows, batches of {BATCH}");
    println!(
        "{:50} {:>7} {:>11} {:>13} {:>6} {:>10}",
        "", "workers", "samples/s", "samples/CPU s", "GB/s", "of memcpy"
    );
    let only = std::env::var("CLIPA_BENCH_ONLY").unwrap_or_default();
    let cases: [(&str, u32, &[Augment]); 4] = [
        ("64:rgb8-square", 64, &[Augment::Centre]),
        ("112:rgb8-square", 112, &[Augment::Centre, CROP]),
        ("178:rgb8", 112, &[CROP]),
        ("102:rgb8", 64, &[CROP, JITTER]),
    ];
    for (column, size, augments) in cases.into_iter().filter(|case| case.0.contains(&only)) {
        let folder = tempfile::tempdir().unwrap();
        let shards = vec![SHARD_ROWS; (rows / SHARD_ROWS).max(1) as usize];
        let draft =
            Numbered { images: &[column], shards: &shards, kind: Kind::Pairs, tagged: true };
        draft.write(folder.path());
        let image_bytes = (size * size * 3) as usize;
        let cold = cold(folder.path(), StreamConfig::new(size, BATCH));
        let ceiling = best(ceiling(folder.path(), image_bytes));
        let print = |what: &str, workers: usize, rate: Rate| {
            let gigabytes = rate.wall * f64::from(size * size * 3) / 1e9;
            println!(
                "{:50} {workers:>7} {:>11.0} {:>13.0} {gigabytes:>6.2} {:>10.3}",
                format!("{column} -> {size}, {what}"),
                rate.wall,
                rate.cpu,
                rate.wall / ceiling.wall
            );
        };
        print("memcpy", 1, ceiling);
        print("first epoch from the disk", 1, cold);
        for augment in augments {
            let what = match augment {
                Augment::Centre | Augment::Squash => "copied",
                Augment::Random { jitter: None, .. } => "RRC",
                Augment::Random { .. } => "RRC, jitter",
            };
            // The whole set is one window and stays loaded; then every row group is one and is loaded anew.
            for (workers, window_rows) in [(1, WINDOW_ROWS), (2, WINDOW_ROWS), (1, 1)] {
                let config = StreamConfig {
                    augment: *augment,
                    context_length: 16,
                    workers,
                    window_rows,
                    ..StreamConfig::new(size, BATCH)
                };
                let mut stream = Stream::open(folder.path(), config, Cursor::default()).unwrap();
                // The first epoch brings the files into memory.
                let warm = stream.samples_per_epoch();
                while stream.next().unwrap().first_sample < warm {}
                let what = if window_rows == 1 { &format!("{what}, loaded anew") } else { what };
                print(what, workers, best(|| stream.next().unwrap().len));
            }
        }
    }
}

/// The rate of the first epoch when nothing of the shards is in memory, in windows of a row group or two.
fn cold(dataset: &Path, config: StreamConfig) -> Rate {
    for shard in Manifest::read(dataset).unwrap().shards() {
        // coreutils' way to evict one file
        let input = format!("if={}", dataset.join(&shard.file.file).display());
        let arguments = [&input, "iflag=nocache", "count=0", "status=none"];
        assert!(Command::new("dd").args(arguments).status().unwrap().success());
    }
    let (begin, cpu, mut samples) = (Instant::now(), cpu_seconds(), 0);
    let config = StreamConfig { context_length: 16, window_rows: 2048, ..config };
    let mut stream = Stream::open(dataset, config, Cursor::default()).unwrap();
    while samples < stream.samples_per_epoch() {
        samples += stream.next().unwrap().len as u64;
    }
    let samples = samples as f64;
    Rate { wall: samples / begin.elapsed().as_secs_f64(), cpu: samples / (cpu_seconds() - cpu) }
}

/// The best of several passes of `step`, which says how many samples it made.
fn best(mut step: impl FnMut() -> usize) -> Rate {
    let mut best = Rate::default();
    for _ in 0..PASSES {
        let (begin, cpu, mut samples) = (Instant::now(), cpu_seconds(), 0);
        while begin.elapsed() < PASS {
            samples += step();
        }
        let samples = samples as f64;
        best.wall = best.wall.max(samples / begin.elapsed().as_secs_f64());
        best.cpu = best.cpu.max(samples / (cpu_seconds() - cpu));
    }
    best
}

/// CPU time of this process so far (Linux: user and system time in hundredths of a second).
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split(' ');
    fields.skip(12).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// Copies a batch of images of `image_bytes` bytes from random rows of all shards, again and again.
fn ceiling(dataset: &Path, image_bytes: usize) -> impl FnMut() -> usize {
    let manifest = Manifest::read(dataset).unwrap();
    let mut blocks = Vec::new();
    for shard in manifest.shards() {
        let reader = ShardReader::open(&dataset.join(&shard.file.file)).unwrap();
        for group in 0..reader.row_groups() {
            blocks.push(reader.images_of(group, manifest.images[0]).unwrap());
        }
    }
    let rows: Vec<(usize, usize)> = (0..blocks.len())
        .flat_map(|block| (0..blocks[block].rows()).map(move |row| (block, row)))
        .collect();
    let mut batch = vec![0u8; BATCH * image_bytes];
    let mut random = Random::new(1);
    move || {
        for image in batch.chunks_exact_mut(image_bytes) {
            let (block, row) = rows[random.below(rows.len() as u64) as usize];
            image.copy_from_slice(&blocks[block].get(row).bytes[..image_bytes]);
        }
        std::hint::black_box(&mut batch);
        BATCH
    }
}
