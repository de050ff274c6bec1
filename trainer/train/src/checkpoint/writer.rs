//! Checkpoints that are written while training goes on.

use std::{
    panic,
    path::{Path, PathBuf},
    thread::{self, JoinHandle},
};

use tch::Device;

use super::{CheckpointError, content::Content, keep::Keep};
use crate::memory;

/// The part of the free main memory that a copy may take.
const MAX_COPIED: f64 = 0.5;

/// Writes a run's checkpoints, one at a time, on a thread of its own.
///
/// Training waits for the copy of the tensors into main memory, and for a checkpoint that is still being written when the
/// next one is due. A checkpoint that fails ends the run at its next step. Dropping the writer waits for what is under way.
#[derive(Debug)]
pub struct Writer {
    run: PathBuf,
    keep: Keep,
    in_flight: Option<JoinHandle<Result<PathBuf, CheckpointError>>>,
}

impl Writer {
    /// A writer into the folder of a run.
    pub fn new(run: &Path, keep: Keep) -> Writer {
        Writer { run: run.to_owned(), keep, in_flight: None }
    }

    /// Copies the content and begins to write it, after the checkpoint before it is complete. Where main memory has no room
    /// for the copy, it is written at once.
    ///
    /// # Errors
    /// What the checkpoint before could not do; no thread can be started.
    pub fn begin(&mut self, content: Content) -> Result<(), CheckpointError> {
        self.finish()?;
        let room = memory::available(Device::Cpu).map(|bytes| (bytes as f64 * MAX_COPIED) as u64);
        if room.is_some_and(|room| content.bytes() > room) {
            content.write(&self.run, &self.keep)?;
            return Ok(());
        }
        let (content, run, keep) = (content.copied(), self.run.clone(), self.keep.clone());
        let thread = thread::Builder::new().name("checkpoint".to_owned());
        let writing = thread.spawn(move || content.write(&run, &keep));
        self.in_flight = Some(writing.map_err(CheckpointError::io(&self.run))?);
        Ok(())
    }

    /// Writes the content before it returns; the folder.
    ///
    /// # Errors
    /// [`CheckpointError::Io`], also of the checkpoint before.
    pub fn write_now(&mut self, content: Content) -> Result<PathBuf, CheckpointError> {
        self.finish()?;
        content.write(&self.run, &self.keep)
    }

    /// What became of a checkpoint that is no longer under way; waits for nothing.
    ///
    /// # Errors
    /// What it could not do.
    pub fn look(&mut self) -> Result<(), CheckpointError> {
        match &self.in_flight {
            Some(thread) if thread.is_finished() => self.finish(),
            _ => Ok(()),
        }
    }

    /// Waits for the checkpoint that is under way.
    ///
    /// # Errors
    /// What it could not do.
    pub fn finish(&mut self) -> Result<(), CheckpointError> {
        match self.in_flight.take().map(JoinHandle::join) {
            Some(Ok(written)) => written.map(drop),
            Some(Err(panicked)) => panic::resume_unwind(panicked),
            None => Ok(()),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Its error is of a run that ends with another one.
        let _ = self.in_flight.take().map(JoinHandle::join);
    }
}
