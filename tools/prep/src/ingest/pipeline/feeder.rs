//! Where the line begins: inputs are opened, one ahead, and dealt out in chunks.

use std::{
    collections::VecDeque,
    ops::Range,
    sync::{Arc, atomic::AtomicBool},
};

use clipa_pool::lock;
use crossbeam::channel::{Receiver, Sender};

use super::{
    super::{
        in_work::{Step, fault_point, in_step},
        options::Filter,
        sample_total::SampleTotal,
        sink::{UnitFiles, UnitSink},
        source::UnitSource,
    },
    CHUNK_SAMPLES, FailedUnit, Input, Job, Line, OpenUnit, Opened, PendingUnit,
};
use crate::archive::ArchiveError;

impl Line<'_> {
    /// Opens one unit after the other, [`super::UNITS_AHEAD`] of the feeder: where a disk is slow, nobody waits for it.
    pub(super) fn open_in_turn(&self, units: Vec<PendingUnit>, opened: Sender<Opened>) {
        let mut total = SampleTotal::new(units.iter().map(|unit| unit.bytes).sum());
        self.progress.expect(total.samples());
        for PendingUnit { unit, input, bytes } in units {
            let name = input.name();
            fault_point("opener", &name, None);
            let filter = &self.options.filter;
            let input = in_step(Step::Open, &name, || Ok(open(input, filter)));
            let Some(input) = self.kept(input) else { return };
            match &input {
                Ok(source) => total.opened(bytes, source.samples() as u64),
                Err(_) => total.failed(bytes),
            }
            self.progress.expect(total.samples());
            // fails when the run has ended early
            if opened.send((unit, input)).is_err() {
                return;
            }
        }
    }

    /// Takes units in, so that `at_once` are in work, and deals out their chunks in turn.
    pub(super) fn feed(&self, units: Receiver<Opened>, at_once: usize, jobs: Sender<Job>) {
        let mut in_work: VecDeque<(Arc<OpenUnit>, Range<usize>)> = VecDeque::new();
        while !self.failure.is_over() {
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
            fault_point("feed", &unit.name, None);
            let Some(chunk) = chunks.next() else { continue };
            let end = unit.source.samples().min((chunk + 1) * CHUNK_SAMPLES);
            let samples = chunk * CHUNK_SAMPLES..end;
            // both fail only when the run has ended early
            let Some(permit) = self.permits.take(1) else { return };
            if jobs.send(Job { unit: Arc::clone(&unit), chunk, samples, permit }).is_err() {
                return;
            }
            in_work.push_back((unit, chunks));
        }
    }

    /// Takes an open unit in; returns it with the numbers of its chunks, or nothing where there is nothing to deal out.
    fn begin(&self, (unit, opened): Opened) -> Option<(Arc<OpenUnit>, Range<usize>)> {
        let source = match opened {
            Ok(source) => source,
            Err(failed) => {
                lock(&self.done).failed.push(failed);
                return None;
            }
        };
        let (name, chunks) = (source.shown(), source.samples().div_ceil(CHUNK_SAMPLES));
        let files = in_step(Step::Begin, &name, || {
            let buffers = lock(&self.spare_buffers).pop().unwrap_or_default();
            Ok(UnitFiles::new(self.output.dataset(), unit, &self.layout, buffers, chunks))
        });
        let files = self.kept(files)?;
        if chunks == 0 {
            self.kept(self.commit(files, &source, &name));
            return None;
        }
        let (failed, sink) = (AtomicBool::new(false), UnitSink::new(files));
        Some((Arc::new(OpenUnit { source, name, failed, sink }), 0..chunks))
    }
}

impl Input {
    /// How messages name it: as the user does.
    pub fn name(&self) -> String {
        match self {
            Input::Tar(path) => path.display().to_string(),
            Input::Open(source) => source.shown(),
        }
    }

    /// Opens it for these filters.
    ///
    /// # Errors
    /// It cannot be read, or cannot answer what the filters ask.
    pub fn open(self, filter: &Filter) -> Result<UnitSource, ArchiveError> {
        match self {
            Input::Open(source) => Ok(source),
            Input::Tar(path) => {
                let source = UnitSource::open_tar(&path)?;
                source.refuse_mute_table(filter)?;
                Ok(source)
            }
        }
    }
}

fn open(input: Input, filter: &Filter) -> Result<UnitSource, FailedUnit> {
    let name = input.name();
    input.open(filter).map_err(|error| FailedUnit { input: name, error })
}
