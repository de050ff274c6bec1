//! The assembly line.
//!
//! ```text
//!           units (one ahead)        jobs (bounded)
//! opener ─────────────────► feeder ────────────────► worker 1..N ───► sink of the unit
//! indexes tars              chunks of samples        read, prepare    in order: shard, rejects, entry
//! ```
//!
//! A worker does everything for its chunk, and writes too when its chunk is the next in order: N threads are N
//! busy cores, no stage waits for another's thread. One unit is written by one thread at a time, so several units are
//! in work where threads are many. Each chunk carries a permit for its bytes until it is written, so that at most
//! [`CHUNKS_PER_THREAD`] × N chunks and [`BYTES_PER_THREAD`] × N bytes are in memory, whatever the tars' sizes and columns.
//! Large pictures have a room of their own (`large_pictures`) while they are decoded and resized.
//!
//! An error or a panic in any thread ends the run: the first one is kept, no other job is begun, the permits are closed
//! so that the feeder does not wait for those of chunks that will never be written, and every thread ends.

mod feeder;
#[cfg(test)]
mod tests;
mod worker;

use std::{
    ops::Range,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64},
    },
    thread::{self, Scope},
};

use anyhow::Context;
use clipa_schemas::{
    image_column::{ImageColumn, ImageEncoding},
    ledger::UnitEntry,
    shard::{ShardBuffers, ShardLayout},
};
use crossbeam::channel::bounded;

use super::{
    in_work::ended_by, large_pictures::LargePictures, options::IngestOptions, sample::Verdict,
    sink::UnitSink, source::UnitSource, timing::StageTimes,
};
use crate::{archive::ArchiveError, dataset::Output, image::RenderPlan};
use clipa_pool::{FirstError, Permit, Permits, caught};
use clipa_talk::{Progress, WithHint};
use clipa_text::TextParts;

/// Samples that a worker takes at once: large enough that locks do not matter, small enough that two threads
/// end a tar of a hundred samples together.
pub const CHUNK_SAMPLES: usize = 32;

/// Threads for which one unit is enough: writing is a tenth of the work on a sample, so that one unit cannot keep
/// more than ten busy.
pub const THREADS_PER_UNIT: usize = 4;

/// Units that are open and wait for their turn.
const UNITS_AHEAD: usize = 1;

/// Chunks in memory for each thread.
pub const CHUNKS_PER_THREAD: usize = 3;

/// Bytes of finished rows in memory for each thread.
pub const BYTES_PER_THREAD: u64 = 32 << 20;

/// Bytes of rows that a chunk is made for: with large columns it has fewer samples than [`CHUNK_SAMPLES`].
const CHUNK_BYTES: u64 = 8 << 20;

/// Bytes of a row besides its images, about.
const TEXT_BYTES: u64 = 4 << 10;

/// A unit to be done.
pub struct PendingUnit {
    /// Its number.
    pub unit: u32,
    /// What it is made from.
    pub input: Input,
    /// Size of the input.
    pub bytes: u64,
}

/// An input that has not been opened.
pub enum Input {
    /// A WebDataset tar.
    Tar(PathBuf),
    /// Anything that is open already.
    Open(UnitSource),
}

/// A unit that could not be done, and why.
#[derive(Debug)]
pub struct FailedUnit {
    /// The input.
    pub input: String,
    /// Why.
    pub error: ArchiveError,
}

/// What a run of the line did.
#[derive(Debug, Default)]
pub struct Done {
    /// Units that were finished.
    pub entries: Vec<UnitEntry>,
    /// Inputs that could not be read; the others were done all the same.
    pub failed: Vec<FailedUnit>,
    /// Samples that went through.
    pub samples: u64,
    /// Most bytes of rows that were in memory at once.
    pub most_bytes_held: u64,
    /// Processor time by stage.
    pub times: StageTimes,
}

/// What the threads share.
struct Line<'r> {
    options: &'r IngestOptions,
    plan: RenderPlan,
    text: &'r TextParts,
    layout: ShardLayout,
    output: &'r Output,
    progress: &'r Progress<'r>,
    /// Its flag is raised from outside (Ctrl-C) too.
    failure: FirstError<'r, anyhow::Error>,
    /// For the bytes of each chunk in memory.
    permits: Permits,
    large_pictures: LargePictures,
    sizes: ChunkSizes,
    done: Mutex<Done>,
    samples: AtomicU64,
    /// Is a unit being committed beside the work? One at most, so that waiting for the disk keeps no thread from its
    /// next chunk, and a disk that falls behind does hold the work up.
    commits_beside: AtomicBool,
    /// Memory of finished units: as much as was ever in use at once, a row group's images for each open unit.
    spare_buffers: Mutex<Vec<ShardBuffers>>,
}

/// A unit's number with its input, or why that cannot be read.
type Opened = (u32, Result<UnitSource, FailedUnit>);

struct OpenUnit {
    source: UnitSource,
    name: String,
    /// Set when the input turned out unreadable: its other chunks are skipped.
    failed: AtomicBool,
    sink: UnitSink,
}

struct Job {
    unit: Arc<OpenUnit>,
    chunk: usize,
    samples: Range<usize>,
    permit: Permit,
}

/// Does the units on `threads` threads, until all are done, `stop` is set, or writing fails.
///
/// # Errors
/// The output cannot be written, a thread cannot be started, or one panicked; the message names the input that was in
/// work then, the stage, and the sample where there is one. Finished units are kept; what was begun is done again by
/// the next run.
pub fn run(
    units: Vec<PendingUnit>,
    options: &IngestOptions,
    text: &TextParts,
    output: &Output,
    threads: usize,
    progress: &Progress<'_>,
    stop: &AtomicBool,
) -> anyhow::Result<Done> {
    let in_flight = threads * CHUNKS_PER_THREAD;
    let sizes = ChunkSizes::of(&options.images);
    let line = Line {
        options,
        plan: options.render_plan()?,
        text,
        layout: options.layout(),
        output,
        progress,
        failure: FirstError::new(stop),
        permits: Permits::new(threads as u64 * BYTES_PER_THREAD),
        large_pictures: LargePictures::new(threads),
        sizes,
        done: Mutex::new(Done::default()),
        samples: AtomicU64::new(0),
        commits_beside: AtomicBool::new(false),
        spare_buffers: Mutex::default(),
    };
    let (jobs, todo) = bounded(in_flight);
    let (opened, open_units) = bounded(UNITS_AHEAD);
    thread::scope(|scope| {
        let line = &line;
        for _ in 0..threads {
            let todo = todo.clone();
            line.spawn(scope, "ingest-work", move || line.work(scope, todo));
        }
        drop(todo);
        line.spawn(scope, "ingest-open", move || line.open_in_turn(units, opened));
        let at_once = threads.div_ceil(THREADS_PER_UNIT);
        line.watched("ingest-feed", || line.feed(open_units, at_once, jobs));
    });
    line.failure.into_result()?;
    let most_bytes_held = line.permits.most_held();
    let mut done = line.done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.entries.sort_by_key(|entry| entry.unit);
    done.samples = line.samples.into_inner();
    done.most_bytes_held = most_bytes_held;
    Ok(done)
}

/// How large chunks are, by the columns that are made.
struct ChunkSizes {
    samples: usize,
    /// Bytes of a row, as far as that can be known before: of an image with its aspect ratio kept, one of 2:1.
    row_bytes: u64,
}

impl ChunkSizes {
    fn of(images: &[ImageColumn]) -> ChunkSizes {
        let image_bytes = |column: &ImageColumn| {
            let square = u64::from(column.side).pow(2);
            match column.encoding {
                ImageEncoding::Rgb8Square => 3 * square,
                ImageEncoding::Rgb8 => 6 * square,
                ImageEncoding::Jpeg => square,
            }
        };
        let row_bytes = TEXT_BYTES + images.iter().map(image_bytes).sum::<u64>();
        let samples = (CHUNK_BYTES / row_bytes).clamp(1, CHUNK_SAMPLES as u64) as usize;
        ChunkSizes { samples, row_bytes }
    }

    /// What a chunk of so many bytes weighs: at least as much as lets [`CHUNKS_PER_THREAD`] be in memory.
    fn weight(bytes: u64) -> u64 {
        bytes.max(BYTES_PER_THREAD / CHUNKS_PER_THREAD as u64)
    }

    /// What a chunk weighs before it is made.
    fn expected(&self, samples: usize) -> u64 {
        ChunkSizes::weight(self.row_bytes * samples as u64)
    }

    /// What a chunk weighs that is made.
    fn made(verdicts: &[Verdict]) -> u64 {
        let bytes = |verdict: &Verdict| match verdict {
            Verdict::Accepted(sample, ..) => {
                TEXT_BYTES + sample.images.iter().map(|image| image.bytes.len() as u64).sum::<u64>()
            }
            Verdict::Rejected(_) => TEXT_BYTES,
        };
        ChunkSizes::weight(verdicts.iter().map(bytes).sum())
    }
}

impl Line<'_> {
    /// Starts a thread of the line.
    fn spawn<'s>(
        &'s self,
        scope: &'s Scope<'s, '_>,
        name: &'static str,
        work: impl FnOnce() + Send + 's,
    ) {
        let thread = thread::Builder::new().name(name.to_owned());
        let started = thread.spawn_scoped(scope, move || self.watched(name, work));
        let started = started.with_context(|| format!("no thread for `{name}`"));
        self.kept(started.hint(
            "name fewer --threads, or raise the limit (ulimit -u, or that of the container)",
        ));
    }

    /// Does what a thread does; should it panic, the run ends with an error that names the thread.
    fn watched(&self, thread: &str, work: impl FnOnce()) {
        let done = caught(work);
        self.kept(done.map_err(|panic| ended_by(panic, format!("the thread `{thread}`"))));
    }

    /// Keeps the first error and stops the line.
    fn kept<T>(&self, result: anyhow::Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.failure.keep(error);
                self.permits.close();
                None
            }
        }
    }
}
