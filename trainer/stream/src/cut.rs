//! Windows become jobs: consecutive samples of one batch each, wherever the borders of windows lie.

use std::{collections::VecDeque, ops::Range, sync::Arc};

use clipa_pool::{Permit, Permits};
use crossbeam::channel::{Receiver, Sender};

use super::{error::StreamError, order::WindowPlan};

/// How samples become batches.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    /// The first sample of the first batch.
    pub(super) start: u64,
    /// Samples of a batch.
    pub(super) batch: usize,
    /// Samples of a part of a batch at most; what is handed out are parts.
    pub(super) part: usize,
    /// Is what remains at the end of a finite order a batch, too?
    pub(super) keep_rest: bool,
    /// Batches under way or waiting at most.
    pub(super) in_flight: usize,
    /// Threads that fill.
    pub(super) workers: usize,
}

/// A plan with what was loaded for it.
#[derive(Debug)]
pub(super) struct Loaded<W> {
    pub(super) plan: WindowPlan,
    pub(super) content: W,
}

/// One batch to fill.
#[derive(Debug)]
pub(super) struct Job<W> {
    /// Its place among the batches.
    pub(super) number: u64,
    pub(super) first_sample: u64,
    /// Consecutive samples: indices into the rows of windows.
    pub(super) parts: Vec<(Arc<Loaded<W>>, Range<u32>)>,
    /// Goes with the batch until the consumer has it.
    pub(super) permit: Permit,
}

impl<W> Job<W> {
    /// Samples of the batch.
    pub(super) fn len(&self) -> usize {
        self.parts.iter().map(|(_, part)| part.len()).sum()
    }
}

/// A window, or why it could not be loaded.
pub(super) type Windowed<W> = Result<Loaded<W>, StreamError>;

/// Cuts windows into jobs.
pub(super) struct Cutter<W> {
    windows: Receiver<Windowed<W>>,
    /// Windows that have samples which are not in a job yet.
    held: VecDeque<Arc<Loaded<W>>>,
    ended: bool,
}

impl<W> Cutter<W> {
    /// Cuts what comes from `windows`.
    pub(super) fn new(windows: Receiver<Windowed<W>>) -> Cutter<W> {
        Cutter { windows, held: VecDeque::new(), ended: false }
    }

    /// Hands out jobs until the order ends, the stream does, or a window cannot be loaded: returns the place of that
    /// error among the batches.
    pub(super) fn run(
        &mut self,
        cut: Cut,
        permits: &Permits,
        jobs: &Sender<Job<W>>,
    ) -> Result<(), (u64, StreamError)> {
        let mut sample = cut.start;
        // Samples of the batch that are not in a job yet.
        let mut left = cut.batch;
        for number in 0.. {
            // closed when the stream ends
            let Some(permit) = permits.take(1) else { break };
            let wanted = left.min(cut.part);
            self.hold_until(sample + wanted as u64).map_err(|error| (number, error))?;
            let parts = self.parts(sample, wanted);
            let job = Job { number, first_sample: sample, parts, permit };
            let len = job.len();
            let whole = len == wanted || (cut.keep_rest && len > 0);
            if !whole || jobs.send(job).is_err() {
                break;
            }
            sample += len as u64;
            left = if left > len { left - len } else { cut.batch };
        }
        Ok(())
    }

    /// Receives windows until the samples before `end` are there, or the order ends.
    fn hold_until(&mut self, end: u64) -> Result<(), StreamError> {
        while !self.ended && self.held.back().is_none_or(|window| window.plan.end_sample() < end) {
            match self.windows.recv() {
                Ok(window) => self.held.push_back(Arc::new(window?)),
                Err(_) => self.ended = true,
            }
        }
        Ok(())
    }

    fn parts(&mut self, first: u64, len: usize) -> Vec<(Arc<Loaded<W>>, Range<u32>)> {
        let end = first + len as u64;
        let mut parts = Vec::new();
        while let Some(window) = self.held.front() {
            let base = window.plan.first_sample;
            let from = first.max(base) - base;
            let to = end.min(window.plan.end_sample()) - base;
            if from < to {
                parts.push((Arc::clone(window), from as u32..to as u32));
            }
            if window.plan.end_sample() > end {
                break;
            }
            self.held.pop_front();
        }
        parts
    }
}
