//! Where a run's numbers are written: `metrics.jsonl`, and event files for TensorBoard.

use std::path::{Path, PathBuf};

use super::{RecordsFile, RunError, StepRecord, folder::METRICS};
use crate::watch::EventsFile;

/// Both files of a process.
#[derive(Debug)]
pub struct Journal {
    run: PathBuf,
    metrics: RecordsFile<StepRecord>,
    events: EventsFile,
}

impl Journal {
    /// Opens the files of a run to go on after `step`: what they say of later steps counts no more.
    ///
    /// # Errors
    /// [`RunError::Io`].
    pub fn open(run: &Path, step: u64) -> Result<Journal, RunError> {
        let metrics = RecordsFile::open(&run.join(METRICS), step)?;
        let events = EventsFile::begin(run, step).map_err(RunError::io(run))?;
        Ok(Journal { run: run.to_owned(), metrics, events })
    }

    /// Goes back to `step` within a process.
    ///
    /// # Errors
    /// [`RunError::Io`].
    pub fn rewind(&mut self, step: u64) -> Result<(), RunError> {
        self.metrics = RecordsFile::open(&self.run.join(METRICS), step)?;
        self.events.restart(step).map_err(RunError::io(self.events.path()))
    }

    /// Adds a record.
    ///
    /// # Errors
    /// [`RunError::Io`].
    pub fn record(&mut self, record: &StepRecord) -> Result<(), RunError> {
        self.metrics.append(std::slice::from_ref(record))?;
        self.scalars(record.step, &record.scalars())
    }

    /// Adds numbers of a step for TensorBoard, such as results of an evaluation: `eval/imagenet/top1`.
    ///
    /// # Errors
    /// [`RunError::Io`].
    pub fn scalars(&mut self, step: u64, values: &[(&str, f64)]) -> Result<(), RunError> {
        self.events.scalars(step, values).map_err(RunError::io(self.events.path()))
    }
}
