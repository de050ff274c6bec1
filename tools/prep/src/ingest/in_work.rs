//! What a thread has in work, so that the message of a panic can name it.

use std::{fmt, sync::LazyLock};

use clipa_pool::{Panic, caught};
use clipa_talk::Failure;

use super::{source::UnitSource, timing::Stage};

/// What a person can do after a panic.
const AFTER_PANIC: &str = "finished units are kept: the same command continues after them";

/// A step on the way of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The index of a tar, and what lies beside it.
    Open,
    /// Its files in the output, none of them begun.
    Begin,
    /// One of those that are timed.
    Stage(Stage),
    /// Shard, rejects and entry become durable.
    Commit,
}

/// What a worker has in work. It lies outside of what may panic.
#[derive(Debug, Default)]
pub(super) struct InWork {
    input: String,
    step: Option<Step>,
    /// The first and the last one.
    samples: Option<(usize, usize)>,
}

impl From<Stage> for Step {
    fn from(stage: Stage) -> Step {
        Step::Stage(stage)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Open => "open",
            Step::Begin => "begin",
            Step::Stage(stage) => stage.name(),
            Step::Commit => "commit",
        })
    }
}

impl InWork {
    /// Another input, at no step so far.
    pub(super) fn input(&mut self, input: &str) {
        input.clone_into(&mut self.input);
        (self.step, self.samples) = (None, None);
    }

    /// A step of one sample, by its index in the input.
    pub(super) fn sample(&mut self, step: impl Into<Step>, sample: usize) {
        self.samples(step, sample, sample);
    }

    /// A step of several samples at once.
    pub(super) fn samples(&mut self, step: impl Into<Step>, first: usize, last: usize) {
        self.samples = Some((first, last));
        self.step(step);
    }

    /// The next step of the same samples.
    pub(super) fn step(&mut self, step: impl Into<Step>) {
        let step = step.into();
        self.step = Some(step);
        fault_point(step, &self.input, self.samples.map(|samples| samples.0));
    }

    /// The error of a panic in it; `source` is the input.
    pub(super) fn panicked(&self, panic: Panic, source: &UnitSource) -> anyhow::Error {
        let step = self.step.map_or("start".to_owned(), |step| step.to_string());
        let at = match self.samples {
            None => String::new(),
            Some((first, last)) if first == last => format!(" at sample `{}`", source.key(first)),
            Some((first, last)) => {
                format!(" at the samples `{}` to `{}`", source.key(first), source.key(last))
            }
        };
        ended_by(panic, format!("the stage `{step}`{at} of {}", self.input))
    }
}

/// Does a step of an input as a whole; a panic in it is an error that names both.
pub(super) fn in_step<T>(
    step: Step,
    input: &str,
    work: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let done = caught(|| {
        fault_point(step, input, None);
        work()
    });
    done.unwrap_or_else(|panic| Err(ended_by(panic, format!("the stage `{step}` of {input}"))))
}

/// The error that ends a run in which `what` panicked.
pub(super) fn ended_by(panic: Panic, what: impl Into<String>) -> anyhow::Error {
    Failure::new(panic.of(what), AFTER_PANIC).into()
}

/// Names a place where a thread shall panic: `STEP@INPUT` or `STEP-SAMPLE@INPUT`, with the end of the input's path and
/// the sample's number, as in `CLIPA_PANIC_AT=decode-7@00001.tar`. For tests only, which so see what a mistake of the
/// program does to the program that users have; one look at a static costs a step nothing that can be measured.
pub(super) const PANIC_AT: &str = "CLIPA_PANIC_AT";

static CHOSEN: LazyLock<Option<(String, String)>> = LazyLock::new(|| {
    let place = std::env::var(PANIC_AT).ok()?;
    place.split_once('@').map(|(step, input)| (step.to_owned(), input.to_owned()))
});

/// Where a test lets a thread panic: by [`PANIC_AT`], or in tests of this crate, where runs are many in one process, by
/// the name of the input: `panic-STEP.tar`, `panic-STEP-SAMPLE.tar`.
#[inline]
pub(super) fn fault_point(step: impl fmt::Display, input: &str, sample: Option<usize>) {
    if CHOSEN.is_none() && !cfg!(test) {
        return;
    }
    let sample = sample.map_or(String::new(), |sample| format!("-{sample}"));
    let here = format!("{step}{sample}");
    let is_chosen =
        CHOSEN.as_ref().is_some_and(|(step, end)| *step == here && input.ends_with(end.as_str()));
    let is_named = cfg!(test) && input.ends_with(&format!("panic-{here}.tar"));
    assert!(!is_chosen && !is_named, "a test wants it");
}
