//! The assembly line.
//!
//! ```text
//!            permits (bounded)            jobs (bounded)
//! feeder ───────────────────► chunk of ─────────────────► worker 1..N ───► sink of the unit
//! opens and indexes units     samples                     read, prepare    in order: shard, rejects, entry
//! ```
//!
//! A worker does everything for its chunk, and writes too when its chunk is the next in order: N threads are N
//! busy cores, no stage waits for another's thread. A permit is taken for each chunk and given back when it is
//! written, so that at most [`CHUNKS_PER_THREAD`] × N chunks are in memory, whatever the tars' sizes.

use std::{
    ops::Range,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use clipa_schemas::{ledger::UnitEntry, shard::ShardLayout};
use crossbeam::channel::{Receiver, Sender, bounded};

use super::{
    options::IngestOptions,
    output::Output,
    sample::{Preparer, Verdict, reject},
    sink::{Delivered, UnitFiles, UnitSink},
    source::{RawSample, ReadFailure, UnitSource},
    timing::{Stage, StageTimes},
};
use crate::{archive::ArchiveError, image::RenderPlan, printer::Progress, text::TextParts};

/// Samples that a worker takes at once: large enough that locks do not matter, small enough that two threads
/// end a tar of a hundred samples together.
pub const CHUNK_SAMPLES: usize = 32;

/// Chunks in memory for each thread.
pub const CHUNKS_PER_THREAD: usize = 3;

/// A unit to be done.
pub struct PendingUnit {
    /// Its number.
    pub unit: u32,
    /// What it is made from.
    pub input: Input,
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
    /// Set from outside (Ctrl-C) or by the first error.
    stop: &'r AtomicBool,
    error: Mutex<Option<anyhow::Error>>,
    done: Mutex<Done>,
    samples: AtomicU64,
}

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
}

/// Does the units on `threads` threads, until all are done, `stop` is set, or writing fails.
///
/// # Errors
/// The output cannot be written. Finished units are kept; what was begun is done again by the next run.
pub fn run(
    units: Vec<PendingUnit>,
    options: &IngestOptions,
    text: &TextParts,
    output: &Output,
    threads: usize,
    progress: &Progress<'_>,
    stop: &AtomicBool,
) -> anyhow::Result<Done> {
    let line = Line {
        options,
        plan: options.render_plan()?,
        text,
        layout: options.layout(),
        output,
        progress,
        stop,
        error: Mutex::new(None),
        done: Mutex::new(Done::default()),
        samples: AtomicU64::new(0),
    };
    let in_flight = threads * CHUNKS_PER_THREAD;
    let (jobs, todo) = bounded::<Job>(in_flight);
    let (permit, permits) = bounded::<()>(in_flight);
    for _ in 0..in_flight {
        permit.send(()).expect("the channel has room for every permit");
    }
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (todo, permit) = (todo.clone(), permit.clone());
            let line = &line;
            scope.spawn(move || line.work(todo, permit));
        }
        drop((todo, permit));
        line.feed(units, jobs, permits);
    });
    if let Some(error) = line.error.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let mut done = line.done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.entries.sort_by_key(|entry| entry.unit);
    done.samples = line.samples.into_inner();
    Ok(done)
}

impl Line<'_> {
    /// Opens one unit after the other and cuts it into jobs.
    fn feed(&self, units: Vec<PendingUnit>, jobs: Sender<Job>, permits: Receiver<()>) {
        for PendingUnit { unit, input } in units {
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            let source = match open(input) {
                Ok(source) => source,
                Err(failed) => {
                    self.lock_done().failed.push(failed);
                    continue;
                }
            };
            let samples = source.samples();
            let chunks = samples.div_ceil(CHUNK_SAMPLES);
            let files = UnitFiles::new(self.output.dataset(), unit, &self.layout, chunks);
            let name = source.source().path;
            if chunks == 0 {
                let committed = self.commit(files, &source);
                self.keep_error(committed);
                continue;
            }
            let failed = AtomicBool::new(false);
            let unit = Arc::new(OpenUnit { source, name, failed, sink: UnitSink::new(files) });
            for chunk in (0..chunks).take_while(|_| !self.stop.load(Ordering::Relaxed)) {
                let end = samples.min((chunk + 1) * CHUNK_SAMPLES);
                let samples = chunk * CHUNK_SAMPLES..end;
                let job = Job { unit: Arc::clone(&unit), chunk, samples };
                // workers hang up only when the run has ended early
                if permits.recv().is_err() || jobs.send(job).is_err() {
                    return;
                }
            }
        }
    }

    /// One thread: chunk after chunk, until the feeder hangs up or the run ends early.
    fn work(&self, todo: Receiver<Job>, permit: Sender<()>) {
        let mut preparer = Preparer::new(self.options, &self.plan, self.text);
        let mut raw = RawSample::default();
        for job in &todo {
            let given_up =
                self.stop.load(Ordering::Relaxed) || job.unit.failed.load(Ordering::Relaxed);
            // jobs of what is given up are only taken away, so that the feeder is never left waiting
            let chunks_out = if given_up { 1 } else { self.do_job(&job, &mut preparer, &mut raw) };
            for _ in 0..chunks_out {
                // fails when the feeder has ended and nobody needs permits any more
                let _ = permit.send(());
            }
        }
        self.lock_done().times.merge(&preparer.times);
    }

    /// Does one chunk; gives the number of chunks that have left the line.
    fn do_job(&self, job: &Job, preparer: &mut Preparer<'_>, raw: &mut RawSample) -> usize {
        let Some(verdicts) = self.prepare(job, preparer, raw) else {
            return 1 + job.unit.sink.abandon();
        };
        let started = Instant::now();
        let delivered = self.deliver(job, verdicts);
        preparer.times.add(Stage::Write, started);
        self.keep_error(delivered).unwrap_or(1)
    }

    /// Verdicts of a chunk; `None` where the input cannot be read any more.
    fn prepare(
        &self,
        job: &Job,
        preparer: &mut Preparer<'_>,
        raw: &mut RawSample,
    ) -> Option<Vec<Verdict>> {
        let mut verdicts = Vec::with_capacity(job.samples.len());
        let unit = &job.unit;
        preparer.begin_chunk();
        for index in job.samples.clone() {
            let started = Instant::now();
            let read = unit.source.read(index, raw);
            preparer.times.add(Stage::Read, started);
            verdicts.push(match read {
                Ok(()) => preparer.prepare(raw, &unit.name),
                Err(ReadFailure::Sample(bad)) => {
                    Verdict::Rejected(reject(raw, &unit.name, bad.reason, bad.detail))
                }
                Err(ReadFailure::Unit(error)) => {
                    if !unit.failed.swap(true, Ordering::Relaxed) {
                        let input = unit.name.clone();
                        self.lock_done().failed.push(FailedUnit { input, error });
                    }
                    return None;
                }
            });
        }
        preparer.tag_chunk(&mut verdicts);
        self.samples.fetch_add(verdicts.len() as u64, Ordering::Relaxed);
        self.progress.advance(verdicts.len() as u64);
        Some(verdicts)
    }

    /// Hands a chunk to its unit's sink and commits the unit with its last one; gives the chunks written.
    fn deliver(&self, job: &Job, verdicts: Vec<Verdict>) -> anyhow::Result<usize> {
        match job.unit.sink.deliver(job.chunk, verdicts)? {
            Delivered::Written(chunks) => Ok(chunks),
            Delivered::Last(chunks, files) => {
                self.commit(*files, &job.unit.source)?;
                Ok(chunks)
            }
        }
    }

    fn commit(&self, files: UnitFiles, source: &UnitSource) -> anyhow::Result<()> {
        let configuration = self.output.configuration_sha256();
        let entry = files.commit(source.source(), configuration, source.problems())?;
        self.lock_done().entries.push(entry);
        Ok(())
    }

    /// Keeps the first error and stops the line.
    fn keep_error<T>(&self, result: anyhow::Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.stop.store(true, Ordering::Relaxed);
                self.error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                None
            }
        }
    }

    fn lock_done(&self) -> std::sync::MutexGuard<'_, Done> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open(input: Input) -> Result<UnitSource, FailedUnit> {
    match input {
        Input::Open(source) => Ok(source),
        Input::Tar(path) => crate::archive::TarIndex::read(&path)
            .map(UnitSource::Tar)
            .map_err(|error| FailedUnit { input: path.display().to_string(), error }),
    }
}
