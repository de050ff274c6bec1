//! The batches of a run, from wherever it is.

use std::path::{Path, PathBuf};

use clipa_stream::{Batch, Cursor, SampleName, Stream, StreamConfig, StreamError, sample_names};

/// A stage's stream that can be opened again at another place.
#[derive(Debug)]
pub struct Feed {
    dataset: PathBuf,
    config: StreamConfig,
    stream: Stream,
    /// The next sample.
    sample: u64,
    without_source: u64,
}

impl Feed {
    /// Opens a data set for a stage.
    ///
    /// # Errors
    /// As for [`Stream::open`].
    pub fn open(dataset: &Path, config: StreamConfig, start: Cursor) -> Result<Feed, StreamError> {
        let stream = Stream::open(dataset, config.clone(), start)?;
        let (dataset, sample) = (dataset.to_owned(), start.sample);
        Ok(Feed { dataset, config, stream, sample, without_source: 0 })
    }

    /// Goes on at another place.
    ///
    /// # Errors
    /// As for [`Stream::open`].
    pub fn go_to(&mut self, place: Cursor) -> Result<(), StreamError> {
        self.without_source += self.stream.without_source();
        self.stream = Stream::open(&self.dataset, self.config.clone(), place)?;
        self.sample = place.sample;
        Ok(())
    }

    /// The next batch, or part of one.
    ///
    /// # Errors
    /// As for [`Stream::next`].
    // Not an iterator, as the stream is none: it never ends.
    #[expect(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Batch, StreamError> {
        let batch = self.stream.next()?;
        self.sample += batch.len as u64;
        Ok(batch)
    }

    /// The next sample's number.
    pub fn sample(&self) -> u64 {
        self.sample
    }

    /// Which rows a batch's samples are.
    ///
    /// # Errors
    /// As for [`sample_names`].
    pub fn names(&self, first: u64, count: u64) -> Result<Vec<SampleName>, StreamError> {
        sample_names(&self.dataset, &self.config, first, count as usize)
    }

    /// Samples that have several captions, none of a source that the stage names.
    pub fn without_source(&self) -> u64 {
        self.without_source + self.stream.without_source()
    }
}
