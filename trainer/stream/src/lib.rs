//! Batches of one training stage, straight from the shards of a data set.
//!
//! ```text
//! manifest ─> order (seed, epoch) ─> windows of row groups ─> jobs ─> workers ─> Batch
//!             order.rs               source.rs, window.rs     cut.rs  pipeline.rs  filler.rs, painter.rs
//! ```
//! - A sample's image is borrowed from the mapped shard and copied once, into the batch: plainly where column and
//!   stage have the same size, with crop and resize in the same pass otherwise.
//! - Sample `s` of a stage is a function of seed, manifest and configuration. Workers, queue and the place where a
//!   run was stopped change nothing: [`Stream::open`] at [`Cursor`] `c` continues with sample `c`.
//! - Epochs have no border: a batch takes the last samples of one and the first of the next, so that none is lost,
//!   and sample `s` belongs to epoch `s / samples_per_epoch`. A data set smaller than a batch repeats within it.
//! - A shard is compared with the manifest's checksum before its first row is used, unless the data are trusted.
//! - Nothing here parses a caption; from raw columns nothing is decoded.

mod batch;
mod checksums;
mod choice;
mod colour;
mod columns;
mod config;
mod crop;
mod cut;
mod error;
mod filler;
mod keys;
mod names;
mod order;
mod painter;
mod permutation;
mod pipeline;
mod source;
#[cfg(test)]
mod tests;
mod window;

use std::path::Path;

use clipa_recipe::{Captions, augment::Augment};
use clipa_schemas::{image_column::ImageColumn, manifest::Manifest};

pub use self::{
    batch::Batch,
    columns::image_column,
    config::{Cursor, MAX_BATCH, MAX_QUEUE, MAX_QUEUED_BYTES, MAX_WORKERS, StreamConfig},
    error::StreamError,
    keys::Keys,
    names::{SampleName, sample_names},
    order::WINDOW_ROWS,
};
use self::{
    batch::BufferPool,
    columns::Columns,
    cut::{Cut, Job},
    filler::Filler,
    order::{GroupRef, Order, Sequence},
    pipeline::Pipeline,
    source::Source,
    window::Window,
};

/// The endless batches of a stage.
#[derive(Debug)]
pub struct Stream {
    pipeline: Pipeline<Batch>,
    samples_per_epoch: u64,
    image_column: ImageColumn,
    without_source: u64,
}

/// One pass over a data set: every row once, as stored, without augmentation; the last batch may be smaller.
///
/// Labels come with a classification set, tokens with pairs (`context_length` is 0 otherwise).
#[derive(Debug)]
pub struct EvalPass {
    pipeline: Pipeline<Batch>,
    samples: u64,
    image_column: ImageColumn,
    ended: bool,
}

impl Stream {
    /// Opens a data set for a stage and starts to fill batches, the first one from `start` on.
    ///
    /// # Errors
    /// [`StreamError`] where the data set is not one, lacks what the stage reads, or differs from its manifest.
    pub fn open(
        dataset: &Path,
        config: StreamConfig,
        start: Cursor,
    ) -> Result<Stream, StreamError> {
        config.check()?;
        let manifest = Manifest::read(dataset)?;
        let columns = Columns::of_pairs(dataset, &manifest, &config)?;
        let image_column = columns.image;
        let (source, groups) = Source::open(dataset, &manifest, columns)?;
        let samples_per_epoch = samples_in(&groups);
        let order =
            Order::new(groups, Sequence::Shuffled { seed: config.seed }, config.window_rows);
        let pipeline = start_pipeline(source, order, &config, start.sample, config.context_length)?;
        Ok(Stream { pipeline, samples_per_epoch, image_column, without_source: 0 })
    }

    /// The next batch, or the next part of one where [`StreamConfig::part`] says so.
    ///
    /// # Errors
    /// [`StreamError`], in the place of the batch that could not be made; the stream has ended then.
    // Not an iterator: a stage decides by its samples when it is over, and the stream never ends.
    #[expect(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Batch, StreamError> {
        let batch = self.pipeline.next()?.ok_or(StreamError::Ended)?;
        self.without_source += batch.without_source as u64;
        Ok(batch)
    }

    /// Samples so far that have several captions, none of a source that the stage names; they showed their first one.
    pub fn without_source(&self) -> u64 {
        self.without_source
    }

    /// Rows of the data set.
    pub fn samples_per_epoch(&self) -> u64 {
        self.samples_per_epoch
    }

    /// The column that is read.
    pub fn image_column(&self) -> ImageColumn {
        self.image_column
    }
}

impl EvalPass {
    /// Opens a data set for an evaluation. Of the configuration, seed and window are not used, and a random augmentation
    /// becomes the centre.
    ///
    /// # Errors
    /// As for [`Stream::open`].
    pub fn open(dataset: &Path, config: StreamConfig) -> Result<EvalPass, StreamError> {
        EvalPass::reading(dataset, config, |columns| columns)
    }

    /// The same with every caption of each image ([`Batch::captions`]), where the set has captions.
    ///
    /// # Errors
    /// As for [`Stream::open`].
    pub fn with_every_caption(
        dataset: &Path,
        config: StreamConfig,
    ) -> Result<EvalPass, StreamError> {
        EvalPass::reading(dataset, config, Columns::with_every_caption)
    }

    fn reading(
        dataset: &Path,
        config: StreamConfig,
        change: impl FnOnce(Columns) -> Columns,
    ) -> Result<EvalPass, StreamError> {
        let augment = match config.augment {
            Augment::Random { .. } => Augment::Centre,
            whole => whole,
        };
        let config = StreamConfig { augment, captions: Captions::First, ..config };
        config.check()?;
        let manifest = Manifest::read(dataset)?;
        let columns = change(Columns::of_evaluation(dataset, &manifest, &config)?);
        let image_column = columns.image;
        let context_length = if columns.tokens.is_some() { config.context_length } else { 0 };
        let (source, groups) = Source::open(dataset, &manifest, columns)?;
        let samples = samples_in(&groups);
        // A window is a row group here: nothing is shuffled, so nothing more has to be in memory.
        let order = Order::new(groups, Sequence::Stored, 1);
        let pipeline = start_pipeline(source, order, &config, 0, context_length)?;
        Ok(EvalPass { pipeline, samples, image_column, ended: false })
    }

    /// Rows of the data set.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// The column that is read.
    pub fn image_column(&self) -> ImageColumn {
        self.image_column
    }
}

impl Iterator for EvalPass {
    type Item = Result<Batch, StreamError>;

    fn next(&mut self) -> Option<Result<Batch, StreamError>> {
        if self.ended {
            return None;
        }
        let batch = self.pipeline.next().transpose();
        self.ended = !matches!(batch, Some(Ok(_)));
        batch
    }
}

fn samples_in(groups: &[GroupRef]) -> u64 {
    groups.iter().map(|group| u64::from(group.rows)).sum()
}

fn start_pipeline(
    mut source: Source,
    order: Order,
    config: &StreamConfig,
    start: u64,
    context_length: usize,
) -> Result<Pipeline<Batch>, StreamError> {
    let cut = Cut {
        start,
        batch: config.batch,
        part: config.handed_out(),
        keep_rest: order.is_finite(),
        in_flight: config.in_flight(),
        workers: config.workers,
    };
    let columns = source.columns().clone();
    if !config.trust_data {
        source.check_shards(config.workers);
    }
    // What is under way, what the consumer holds, and one that is just being returned.
    let pool = BufferPool::new(config.in_flight() + 2);
    Pipeline::start(
        order.windows(start),
        cut,
        move |plan, stop| source.load(plan, stop),
        || {
            let mut filler = Filler::new(config, context_length, &columns, &pool);
            move |job: &Job<Window>| filler.fill(job)
        },
    )
}
