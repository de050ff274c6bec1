//! Threads between the order and the consumer: one loads windows, one cuts them into batches, several fill.
//!
//! ```text
//!  Windows ──> load ──windows──> cut ──jobs──> fill × workers ──results──> next()
//!              (1 thread, ahead)   ^  (1 thread)                             │ puts results in order
//!                                  └────────────── permits ──────────────────┘
//! ```
//! Which thread fills which batch is left to chance, what is in it is not: a job names its samples. Every batch under
//! way carries a permit, which returns itself when `next()` hands the batch out, so that memory is bounded whatever is
//! slow.
//!
//! A panic ends the stream with an error: that of a `fill` in the place of its batch, for which the consumer waits;
//! that of the other threads after the batches that they had brought on their way.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use clipa_pool::{Panic, Permit, Permits, caught};
use crossbeam::channel::{Receiver, Sender, bounded};

use super::{
    cut::{Cut, Cutter, Job, Loaded},
    error::StreamError,
    order::{WindowPlan, Windows},
};

/// Loaded windows that wait for the one that cuts; another one is being loaded meanwhile.
const WINDOWS_AHEAD: usize = 1;

/// A batch, or why it could not be made, with the permit of its job. Where none could be cut, there is no job.
type Filled<B> = (Result<B, StreamError>, Option<Permit>);

/// The running threads. Dropping it ends and joins them.
#[derive(Debug)]
pub(super) struct Pipeline<B> {
    results: Option<Receiver<(u64, Filled<B>)>>,
    permits: Permits,
    /// Results that came before their turn.
    early: BTreeMap<u64, Filled<B>>,
    next: u64,
    threads: Vec<(String, JoinHandle<()>)>,
    stop: Arc<AtomicBool>,
}

impl<B: Send + 'static> Pipeline<B> {
    /// Starts the threads. `load` turns a plan into what `fill` needs; `filler` makes one `fill` a worker.
    pub(super) fn start<W, F>(
        windows: Windows,
        cut: Cut,
        mut load: impl FnMut(&WindowPlan, &AtomicBool) -> Result<W, StreamError> + Send + 'static,
        mut filler: impl FnMut() -> F,
    ) -> Result<Pipeline<B>, StreamError>
    where
        W: Send + Sync + 'static,
        F: FnMut(&Job<W>) -> Result<B, StreamError> + Send + 'static,
    {
        let stop = Arc::new(AtomicBool::new(false));
        let (windows_to, windows_from) = bounded(WINDOWS_AHEAD);
        let (jobs_to, jobs_from) = bounded::<Job<W>>(cut.in_flight);
        let (results_to, results_from) = bounded(cut.in_flight + 1);
        let permits = Permits::new(cut.in_flight as u64);
        let mut pipeline = Pipeline {
            results: Some(results_from),
            permits: permits.clone(),
            early: BTreeMap::new(),
            next: 0,
            threads: Vec::new(),
            stop: Arc::clone(&stop),
        };
        for worker in 0..cut.workers {
            let (jobs, results, fill) = (jobs_from.clone(), results_to.clone(), filler());
            pipeline.spawn(format!("stream-fill-{worker}"), move |name| {
                fill_jobs(name, &jobs, &results, fill);
            })?;
        }
        pipeline.spawn("stream-cut".to_owned(), move |_| {
            if let Err((number, error)) = Cutter::new(windows_from).run(cut, &permits, &jobs_to) {
                let _ = results_to.send((number, (Err(error), None))); // fails when the stream has ended
            }
        })?;
        pipeline.spawn("stream-load".to_owned(), move |_| {
            for plan in windows {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let loaded = load(&plan, &stop).map(|content| Loaded { plan, content });
                let failed = loaded.is_err();
                if windows_to.send(loaded).is_err() || failed {
                    return;
                }
            }
        })?;
        Ok(pipeline)
    }

    fn spawn(
        &mut self,
        name: String,
        run: impl FnOnce(&str) + Send + 'static,
    ) -> Result<(), StreamError> {
        let thread_name = name.clone();
        let thread = thread::Builder::new()
            .name(name.clone())
            .spawn(move || run(&thread_name))
            .map_err(|source| StreamError::Thread { thread: name.clone(), source })?;
        self.threads.push((name, thread));
        Ok(())
    }

    /// The next batch in order, `None` at the end of a finite order. An error ends the stream; every call after it
    /// is [`StreamError::Ended`].
    pub(super) fn next(&mut self) -> Result<Option<B>, StreamError> {
        let results = self.results.as_ref().ok_or(StreamError::Ended)?;
        while !self.early.contains_key(&self.next) {
            match results.recv() {
                Ok((number, result)) => {
                    self.early.insert(number, result);
                }
                Err(_) => return self.end().map(|()| None),
            }
        }
        // the permit returns when this call does
        let (result, _permit) =
            self.early.remove(&self.next).unwrap_or((Err(StreamError::Ended), None));
        self.next += 1;
        match result {
            Ok(batch) => Ok(Some(batch)),
            Err(error) => {
                // The first error is what the caller needs; a panic while stopping would hide it.
                let _ = self.end();
                Err(error)
            }
        }
    }
}

impl<B> Pipeline<B> {
    /// Ends and joins all threads; says which one panicked.
    fn end(&mut self) -> Result<(), StreamError> {
        self.stop.store(true, Ordering::Relaxed);
        // Without partners every thread that waits at a channel, or for a permit, wakes up and returns.
        self.permits.close();
        self.results = None;
        self.early.clear();
        let mut outcome = Ok(());
        for (thread, handle) in self.threads.drain(..) {
            if let Err(panic) = handle.join() {
                outcome = Err(panicked(panic.into(), &thread));
            }
        }
        outcome
    }
}

impl<B> Drop for Pipeline<B> {
    fn drop(&mut self) {
        let _ = self.end(); // nobody is left to tell, and the panic hook has told it
    }
}

/// Fills job after job, until the cutter hangs up, the consumer does, or `fill` panics.
fn fill_jobs<W, B>(
    name: &str,
    jobs: &Receiver<Job<W>>,
    results: &Sender<(u64, Filled<B>)>,
    mut fill: impl FnMut(&Job<W>) -> Result<B, StreamError>,
) {
    for job in jobs {
        // Caught here because the consumer waits for this very number; what `fill` left behind is not used again.
        let filled = caught(|| fill(&job));
        let has_panicked = filled.is_err();
        let filled = filled.unwrap_or_else(|panic| Err(panicked(panic, name)));
        let Job { number, parts, permit, .. } = job;
        // Before the batch is handed over, so that the consumer never waits for a window to be unmapped.
        drop(parts);
        if results.send((number, (filled, Some(permit)))).is_err() || has_panicked {
            return;
        }
    }
}

fn panicked(panic: Panic, thread: &str) -> StreamError {
    panic.of(format!("the thread `{thread}`")).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::{GroupRef, Order, Sequence};

    /// A pipeline whose batches are the (row in the window, sample) pairs themselves.
    fn rows(
        sequence: Sequence,
        cut: Cut,
        load: impl FnMut(&WindowPlan, &AtomicBool) -> Result<u32, StreamError> + Send + 'static,
        check: impl Fn(u64) + Clone + Send + 'static,
    ) -> Pipeline<Vec<(u32, u64)>> {
        let groups = (0..10).map(|group| GroupRef { shard: 0, group, rows: 7 }).collect();
        let windows = Order::new(groups, sequence, 20).windows(cut.start);
        let filler = || {
            let check = check.clone();
            move |job: &Job<u32>| {
                check(job.first_sample);
                let mut out = Vec::new();
                for (window, part) in &job.parts {
                    assert_eq!(window.content, window.plan.rows.len());
                    for index in part.clone() {
                        let sample = window.plan.first_sample + u64::from(index);
                        out.push((window.plan.rows.at(index), sample));
                    }
                }
                Ok(out)
            }
        };
        Pipeline::start(windows, cut, load, filler).unwrap()
    }

    fn load(plan: &WindowPlan, _: &AtomicBool) -> Result<u32, StreamError> {
        Ok(plan.rows.len())
    }

    const CUT: Cut =
        Cut { start: 0, batch: 8, part: usize::MAX, keep_rest: false, in_flight: 3, workers: 2 };

    #[test]
    fn samples_come_in_order_whatever_the_threads_do() {
        let expected: Vec<_> = {
            let cut = Cut { workers: 1, in_flight: 1, ..CUT };
            let mut one = rows(Sequence::Shuffled { seed: 5 }, cut, load, |_| ());
            (0..40).flat_map(|_| one.next().unwrap().unwrap()).collect()
        };
        assert!(expected.iter().map(|row| row.1).eq(0..320));
        for (workers, start, batch) in [(4, 0, 8), (3, 13, 5), (1, 75, 100), (5, 139, 1)] {
            let cut = Cut { workers, start, batch, in_flight: workers + 2, ..CUT };
            // Even batches dawdle, so that later ones overtake them.
            let dawdle = move |first: u64| {
                if (first / batch as u64).is_multiple_of(2) {
                    (0..200).for_each(|_| thread::yield_now());
                }
            };
            let mut pipeline = rows(Sequence::Shuffled { seed: 5 }, cut, load, dawdle);
            let wanted = &expected[start as usize..][..100.min(320 - start as usize)];
            let mut seen = Vec::new();
            while seen.len() < wanted.len() {
                let batch_rows = pipeline.next().unwrap().unwrap();
                assert_eq!(batch_rows.len(), batch);
                seen.extend(batch_rows);
            }
            assert_eq!(&seen[..wanted.len()], wanted);
        }
    }

    #[test]
    fn a_finite_order_ends_with_its_rest_or_without() {
        for (keep_rest, batches, samples) in [(true, 9, 70), (false, 8, 64)] {
            let cut = Cut { keep_rest, ..CUT };
            let mut pipeline = rows(Sequence::Stored, cut, load, |_| ());
            let mut lens = Vec::new();
            while let Some(batch) = pipeline.next().unwrap() {
                lens.push(batch.len());
            }
            assert_eq!((lens.len(), lens.iter().sum::<usize>()), (batches, samples));
            assert!(matches!(pipeline.next(), Err(StreamError::Ended)));
        }
    }

    #[test]
    fn an_error_while_loading_comes_after_the_batches_before_it() {
        let load = |plan: &WindowPlan, _: &AtomicBool| match plan.first_sample {
            42 => Err(StreamError::Config("broken".to_owned())),
            _ => Ok(plan.rows.len()),
        };
        let mut pipeline = rows(Sequence::Stored, CUT, load, |_| ());
        for _ in 0..5 {
            pipeline.next().unwrap().unwrap();
        }
        assert_eq!(pipeline.next().unwrap_err().to_string(), "stream: broken");
        assert!(matches!(pipeline.next(), Err(StreamError::Ended)));
    }

    #[test]
    fn a_panic_while_filling_is_an_error_in_its_place() {
        let mut pipeline =
            rows(Sequence::Stored, CUT, load, |first| assert!(first < 24, "sample {first}"));
        for _ in 0..3 {
            pipeline.next().unwrap().unwrap();
        }
        let error = pipeline.next().unwrap_err().to_string();
        assert!(error.contains("stream-fill-") && error.contains("sample 24"), "{error}");
    }

    #[test]
    fn a_panic_while_loading_is_an_error() {
        let load = |plan: &WindowPlan, _: &AtomicBool| {
            assert!(plan.first_sample < 21, "no window");
            Ok(plan.rows.len())
        };
        let mut pipeline = rows(Sequence::Shuffled { seed: 1 }, CUT, load, |_| ());
        let error = loop {
            match pipeline.next() {
                Ok(batch) => assert_eq!(batch.unwrap().len(), 8),
                Err(error) => break error.to_string(),
            }
        };
        assert!(error.contains("`stream-load` panicked: no window"), "{error}");
    }

    #[test]
    fn memory_is_bounded_and_dropping_does_not_hang() {
        use std::sync::atomic::AtomicU64;
        let filled = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&filled);
        let mut pipeline = rows(Sequence::Shuffled { seed: 1 }, CUT, load, move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
        });
        pipeline.next().unwrap();
        drop(pipeline);
        // One taken, three permits: whatever the timing, no fifth batch was ever begun.
        assert!((1..=4).contains(&filled.load(Ordering::SeqCst)));
    }
}
