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
//! in work where threads are many. A permit is taken for each chunk and given back when it is written, so that at
//! most [`CHUNKS_PER_THREAD`] × N chunks are in memory, whatever the tars' sizes.

use std::{
    collections::VecDeque,
    ops::Range,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::Scope,
    time::Instant,
};

use clipa_schemas::{
    ledger::UnitEntry,
    shard::{ShardBuffers, ShardLayout},
};
use crossbeam::channel::{Receiver, Sender, bounded};

use super::{
    expected::Expected,
    options::IngestOptions,
    output::Output,
    sample::{Preparer, Verdict},
    sink::{Delivered, UnitFiles, UnitSink},
    source::UnitSource,
    timing::{Stage, StageTimes},
};
use crate::{archive::ArchiveError, image::RenderPlan};
use clipa_pool::lock;
use clipa_talk::Progress;
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
    /// Set from outside (Ctrl-C) or by the first error.
    stop: &'r AtomicBool,
    error: Mutex<Option<anyhow::Error>>,
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
        commits_beside: AtomicBool::new(false),
        spare_buffers: Mutex::default(),
    };
    let in_flight = threads * CHUNKS_PER_THREAD;
    let (jobs, todo) = bounded::<Job>(in_flight);
    let (permit, permits) = bounded::<()>(in_flight);
    let (opened, open_units) = bounded(UNITS_AHEAD);
    for _ in 0..in_flight {
        permit.send(()).expect("the channel has room for every permit");
    }
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (todo, permit) = (todo.clone(), permit.clone());
            let line = &line;
            scope.spawn(move || line.work(scope, todo, permit));
        }
        drop((todo, permit));
        scope.spawn(move || open_in_turn(units, opened, progress));
        line.feed(open_units, threads.div_ceil(THREADS_PER_UNIT), jobs, permits);
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
    /// Takes units in, so that `at_once` are in work, and deals out their chunks in turn.
    fn feed(
        &self,
        units: Receiver<Opened>,
        at_once: usize,
        jobs: Sender<Job>,
        permits: Receiver<()>,
    ) {
        let mut in_work: VecDeque<(Arc<OpenUnit>, Range<usize>)> = VecDeque::new();
        while !self.stop.load(Ordering::Relaxed) {
            let next = match in_work.len() {
                0 => units.recv().ok(),
                open if open < at_once => units.try_recv().ok(),
                _ => None,
            };
            if let Some(opened) = next {
                in_work.extend(self.begin(opened));
                continue;
            }
            let Some((unit, mut chunks)) = in_work.pop_front() else { return };
            let Some(chunk) = chunks.next() else { continue };
            let end = unit.source.samples().min((chunk + 1) * CHUNK_SAMPLES);
            let job = Job { unit: Arc::clone(&unit), chunk, samples: chunk * CHUNK_SAMPLES..end };
            // workers hang up only when the run has ended early
            if permits.recv().is_err() || jobs.send(job).is_err() {
                return;
            }
            in_work.push_back((unit, chunks));
        }
    }

    /// Takes an open unit in; gives it with the numbers of its chunks, or nothing where there is nothing to deal out.
    fn begin(&self, (unit, opened): Opened) -> Option<(Arc<OpenUnit>, Range<usize>)> {
        let source = match opened {
            Ok(source) => source,
            Err(failed) => {
                lock(&self.done).failed.push(failed);
                return None;
            }
        };
        let chunks = source.samples().div_ceil(CHUNK_SAMPLES);
        let buffers = lock(&self.spare_buffers).pop().unwrap_or_default();
        let files = UnitFiles::new(self.output.dataset(), unit, &self.layout, buffers, chunks);
        if chunks == 0 {
            let committed = self.commit(files, &source);
            self.keep_error(committed);
            return None;
        }
        let (name, failed) = (source.source().path, AtomicBool::new(false));
        let unit = OpenUnit { source, name, failed, sink: UnitSink::new(files) };
        Some((Arc::new(unit), 0..chunks))
    }

    /// One thread: chunk after chunk, until the feeder hangs up or the run ends early.
    fn work<'s>(&'s self, scope: &'s Scope<'s, '_>, todo: Receiver<Job>, permit: Sender<()>) {
        let mut preparer = Preparer::new(self.options, &self.plan, self.text);
        for job in &todo {
            let given_up =
                self.stop.load(Ordering::Relaxed) || job.unit.failed.load(Ordering::Relaxed);
            // jobs of what is given up are only taken away, so that the feeder is never left waiting
            let chunks_out = if given_up { 1 } else { self.do_job(scope, &job, &mut preparer) };
            for _ in 0..chunks_out {
                // fails when the feeder has ended and nobody needs permits any more
                let _ = permit.send(());
            }
        }
        lock(&self.done).times.merge(&preparer.times);
    }

    /// Does one chunk; gives the number of chunks that have left the line.
    fn do_job<'s>(
        &'s self,
        scope: &'s Scope<'s, '_>,
        job: &Job,
        preparer: &mut Preparer<'_>,
    ) -> usize {
        let unit = &job.unit;
        let verdicts = match preparer.chunk(&unit.source, job.samples.clone(), &unit.name) {
            Ok(verdicts) => verdicts,
            Err(error) => {
                if !unit.failed.swap(true, Ordering::Relaxed) {
                    let input = unit.name.clone();
                    lock(&self.done).failed.push(FailedUnit { input, error });
                }
                return 1 + unit.sink.abandon();
            }
        };
        self.samples.fetch_add(verdicts.len() as u64, Ordering::Relaxed);
        self.progress.advance(verdicts.len() as u64);
        let started = Instant::now();
        let delivered = self.deliver(scope, job, verdicts);
        preparer.times.add(Stage::Write, started);
        self.keep_error(delivered).unwrap_or(1)
    }

    /// Hands a chunk to its unit's sink and commits the unit with its last one; gives the chunks written.
    fn deliver<'s>(
        &'s self,
        scope: &'s Scope<'s, '_>,
        job: &Job,
        verdicts: Vec<Verdict>,
    ) -> anyhow::Result<usize> {
        match job.unit.sink.deliver(job.chunk, verdicts)? {
            Delivered::Written(chunks) => Ok(chunks),
            Delivered::Last(chunks, files) => {
                if self.commits_beside.swap(true, Ordering::Relaxed) {
                    self.commit(*files, &job.unit.source)?;
                    return Ok(chunks);
                }
                let unit = Arc::clone(&job.unit);
                scope.spawn(move || {
                    let started = Instant::now();
                    let committed = self.commit(*files, &unit.source);
                    lock(&self.done).times.add(Stage::Write, started);
                    self.keep_error(committed);
                    self.commits_beside.store(false, Ordering::Relaxed);
                });
                Ok(chunks)
            }
        }
    }

    fn commit(&self, files: UnitFiles, source: &UnitSource) -> anyhow::Result<()> {
        let configuration = self.output.configuration_sha256();
        let committed = files.commit(source.source(), configuration, source.account())?;
        lock(&self.done).entries.push(committed.entry);
        lock(&self.spare_buffers).push(committed.buffers);
        Ok(())
    }

    /// Keeps the first error and stops the line.
    fn keep_error<T>(&self, result: anyhow::Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.stop.store(true, Ordering::Relaxed);
                lock(&self.error).get_or_insert(error);
                None
            }
        }
    }
}

/// Opens one unit after the other, [`UNITS_AHEAD`] of the feeder: where a disk is slow, nobody waits for it.
fn open_in_turn(units: Vec<PendingUnit>, opened: Sender<Opened>, progress: &Progress<'_>) {
    let mut expected = Expected::new(units.iter().map(|unit| unit.bytes).sum());
    progress.expect(expected.samples());
    for PendingUnit { unit, input, bytes } in units {
        let input = open(input);
        match &input {
            Ok(source) => expected.opened(bytes, source.samples() as u64),
            Err(_) => expected.failed(bytes),
        }
        progress.expect(expected.samples());
        // fails when the run has ended early
        if opened.send((unit, input)).is_err() {
            return;
        }
    }
}

fn open(input: Input) -> Result<UnitSource, FailedUnit> {
    match input {
        Input::Open(source) => Ok(source),
        Input::Tar(path) => UnitSource::open_tar(&path)
            .map_err(|error| FailedUnit { input: path.display().to_string(), error }),
    }
}
