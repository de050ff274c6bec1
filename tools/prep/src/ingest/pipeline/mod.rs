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
//! in work where threads are many. Each chunk carries a permit until it is written, so that at most
//! [`CHUNKS_PER_THREAD`] × N chunks are in memory, whatever the tars' sizes.
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
    ledger::UnitEntry,
    shard::{ShardBuffers, ShardLayout},
};
use crossbeam::channel::bounded;

use super::{
    in_work::ended_by, options::IngestOptions, sink::UnitSink, source::UnitSource,
    timing::StageTimes,
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
    /// One for each chunk in memory.
    permits: Permits,
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
    let line = Line {
        options,
        plan: options.render_plan()?,
        text,
        layout: options.layout(),
        output,
        progress,
        failure: FirstError::new(stop),
        permits: Permits::new(in_flight as u64),
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
    let mut done = line.done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.entries.sort_by_key(|entry| entry.unit);
    done.samples = line.samples.into_inner();
    Ok(done)
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
