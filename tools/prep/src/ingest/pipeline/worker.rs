//! What a worker does with a chunk, and with its unit when the last one is written.

use std::{
    sync::{Arc, atomic::Ordering},
    thread::Scope,
    time::Instant,
};

use clipa_pool::{caught, lock};
use crossbeam::channel::Receiver;

use super::{
    super::{
        in_work::{InWork, Step, fault_point, in_step},
        sample::Preparer,
        sink::{Chunk, UnitFiles},
        source::UnitSource,
        timing::Stage,
    },
    ChunkSizes, FailedUnit, Job, Line, OpenUnit,
};

impl Line<'_> {
    /// One thread: chunk after chunk, until the feeder hangs up or the run ends early.
    pub(super) fn work<'s>(&'s self, scope: &'s Scope<'s, '_>, todo: Receiver<Job>) {
        let mut preparer = Preparer::new(self.options, &self.plan, self.text, &self.large_pictures);
        for job in &todo {
            fault_point("work", &job.unit.name, None);
            // jobs of what is given up are only taken away, so that the feeder is never left waiting
            if self.failure.is_over() || job.unit.failed.load(Ordering::Relaxed) {
                continue;
            }
            let unit = Arc::clone(&job.unit);
            let done = caught(|| self.do_job(scope, job, &mut preparer));
            let panicked = |panic| Err(preparer.in_work.panicked(panic, &unit.source));
            self.kept(done.unwrap_or_else(panicked));
        }
        lock(&self.done).times.merge(&preparer.times);
    }

    /// Does one chunk; it leaves the line when it is written or dropped.
    fn do_job<'s>(
        &'s self,
        scope: &'s Scope<'s, '_>,
        job: Job,
        preparer: &mut Preparer<'_>,
    ) -> anyhow::Result<()> {
        let Job { unit, chunk, samples, mut permit } = job;
        let verdicts = match preparer.chunk(&unit.source, samples.clone(), &unit.name) {
            Ok(verdicts) => verdicts,
            Err(error) => {
                if !unit.failed.swap(true, Ordering::Relaxed) {
                    let input = unit.name.clone();
                    lock(&self.done).failed.push(FailedUnit { input, error });
                }
                unit.sink.abandon();
                return Ok(());
            }
        };
        permit.settle(ChunkSizes::made(&verdicts));
        self.samples.fetch_add(verdicts.len() as u64, Ordering::Relaxed);
        self.progress.advance(verdicts.len() as u64);
        let started = Instant::now();
        let chunk = Chunk { number: chunk, samples, verdicts, permit };
        let delivered = self.deliver(scope, &unit, chunk, &mut preparer.in_work);
        preparer.times.add(Stage::Write, started);
        delivered
    }

    /// Hands a chunk to its unit's sink and commits the unit with its last one.
    fn deliver<'s>(
        &'s self,
        scope: &'s Scope<'s, '_>,
        unit: &Arc<OpenUnit>,
        chunk: Chunk,
        in_work: &mut InWork,
    ) -> anyhow::Result<()> {
        let Some(files) = unit.sink.deliver(chunk, in_work)? else { return Ok(()) };
        if self.commits_beside.swap(true, Ordering::Relaxed) {
            return self.commit(*files, &unit.source, &unit.name);
        }
        let unit = Arc::clone(unit);
        self.spawn(scope, "ingest-commit", move || {
            let started = Instant::now();
            let committed = self.commit(*files, &unit.source, &unit.name);
            lock(&self.done).times.add(Stage::Write, started);
            self.kept(committed);
            self.commits_beside.store(false, Ordering::Relaxed);
        });
        Ok(())
    }

    /// Makes a unit durable, and keeps its entry and its memory.
    pub(super) fn commit(
        &self,
        files: UnitFiles,
        source: &UnitSource,
        name: &str,
    ) -> anyhow::Result<()> {
        let configuration = self.output.configuration_sha256();
        let committed = in_step(Step::Commit, name, || {
            let made_from = match source.made_from() {
                Ok(made_from) => made_from,
                Err(error) => return Ok(Err(error)),
            };
            Ok(Ok(files.commit(source.source(), made_from, configuration, source.account())?))
        })?;
        match committed {
            Ok(committed) => {
                lock(&self.done).entries.push(committed.entry);
                lock(&self.spare_buffers).push(committed.buffers);
            }
            Err(error) => {
                lock(&self.done).failed.push(FailedUnit { input: name.to_owned(), error });
            }
        }
        Ok(())
    }
}
