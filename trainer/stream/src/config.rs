//! What a stage wants to see of a data set.

use clipa_recipe::{
    Captions,
    augment::{Augment, Filter},
};
use clipa_schemas::{
    image_column::MAX_SIDE_PX,
    reduction::text::{MAX_CONTEXT_LENGTH, Specials, TextReduction},
};
use serde::{Deserialize, Serialize};

use super::{error::StreamError, order::WINDOW_ROWS};

/// Most samples of one batch of one process; CLIPA's largest is 8,192.
pub const MAX_BATCH: usize = 1 << 17;
/// Most threads that fill batches.
pub const MAX_WORKERS: usize = 256;
/// Most finished batches that wait.
pub const MAX_QUEUE: usize = 64;
/// Most memory of all batches under way or waiting, in bytes.
pub const MAX_QUEUED_BYTES: u64 = 64 << 30;

/// How a stage reads a data set. Two streams with equal configuration, but for `workers`, `queue`, `part` and
/// `trust_data`, return equal samples.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamConfig {
    /// Side of the square images, in pixels.
    pub image_size: u32,
    /// Column to read (`image_112`); `None` takes the smallest that never has to be up-sampled for this stage,
    /// and the largest where none is large enough.
    pub image_column: Option<String>,
    /// What happens to an image on the way.
    pub augment: Augment,
    /// How an image is scaled.
    pub filter: Filter,
    /// Tokens of a caption, special ones included.
    pub context_length: usize,
    /// Which tokens of a long caption stay.
    pub text: TextReduction,
    /// Which caption of an image is read, where it has several.
    pub captions: Captions,
    /// Token column to read (`clip_bpe`).
    pub tokenizer: String,
    /// That tokenizer's special tokens.
    pub specials: Specials,
    /// Samples of a batch.
    pub batch: usize,
    /// Samples of a part at most: a batch is handed out in parts of this size and a last one with what remains, so that
    /// the stream holds a few parts and not a few batches. `None` hands out whole batches. The samples are the same.
    pub part: Option<usize>,
    /// Picks order, crops, colours, captions and random text reductions.
    pub seed: u64,
    /// Threads that fill batches.
    pub workers: usize,
    /// Finished batches that may wait.
    pub queue: usize,
    /// Are shards used without a look at their checksums? The first use of a shard is then faster by reading it once.
    pub trust_data: bool,
    /// Rows among which samples are shuffled, [`WINDOW_ROWS`] by default: more mixes better and needs as much more
    /// page cache.
    pub window_rows: u32,
}

/// Where a stage is: with the configuration this is all that a continuation needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// Samples used since the stage began, through all epochs.
    pub sample: u64,
}

impl StreamConfig {
    /// The configuration for a size and a batch, with the defaults of everything else: centre crop, CLIP BPE,
    /// truncated captions of 77 tokens, one worker.
    pub fn new(image_size: u32, batch: usize) -> StreamConfig {
        StreamConfig {
            image_size,
            image_column: None,
            augment: Augment::Centre,
            filter: Filter::Bicubic,
            context_length: 77,
            text: TextReduction::Truncate,
            captions: Captions::First,
            tokenizer: "clip_bpe".to_owned(),
            specials: Specials::CLIP_BPE,
            batch,
            part: None,
            seed: 0,
            workers: 1,
            queue: 2,
            trust_data: false,
            window_rows: WINDOW_ROWS,
        }
    }

    /// Samples that are handed out at a time.
    pub fn handed_out(&self) -> usize {
        self.part.unwrap_or(self.batch).min(self.batch)
    }

    /// Bytes of the images that are handed out at a time.
    pub fn image_bytes(&self) -> usize {
        self.handed_out() * self.image_size as usize * self.image_size as usize * 3
    }

    /// Batches that exist at one time inside the stream.
    pub(super) fn in_flight(&self) -> usize {
        self.workers + self.queue
    }

    pub(super) fn check(&self) -> Result<(), StreamError> {
        within("image size", u64::from(self.image_size), u64::from(MAX_SIDE_PX))?;
        within("batch", self.batch as u64, MAX_BATCH as u64)?;
        within("part of a batch", self.handed_out() as u64, MAX_BATCH as u64)?;
        within("context length", self.context_length as u64, u64::from(MAX_CONTEXT_LENGTH))?;
        within("workers", self.workers as u64, MAX_WORKERS as u64)?;
        within("queue", self.queue as u64, MAX_QUEUE as u64)?;
        let queued = self.image_bytes() as u64 * self.in_flight() as u64;
        within(
            "bytes of all batches in memory (batch, workers or queue are too many)",
            queued,
            MAX_QUEUED_BYTES,
        )?;
        if let Augment::Random { crop, jitter, grey_probability } = self.augment {
            ordered("crop scale", crop.scale, 1.0)?;
            ordered("crop ratio", crop.ratio, 100.0)?;
            share("grey probability", grey_probability)?;
            if let Some(jitter) = jitter {
                share("colour jitter's probability", jitter.probability)?;
                share("colour jitter's brightness", jitter.brightness)?;
                share("colour jitter's contrast", jitter.contrast)?;
                share("colour jitter's saturation", jitter.saturation)?;
                share("colour jitter's hue (at most 0.5), doubled", 2.0 * jitter.hue)?;
            }
        }
        Ok(())
    }
}

fn within(name: &str, value: u64, most: u64) -> Result<(), StreamError> {
    if (1..=most).contains(&value) {
        return Ok(());
    }
    Err(StreamError::Config(format!("{name} is {value}, not in 1..={most}")))
}

fn ordered(name: &str, (low, high): (f64, f64), most: f64) -> Result<(), StreamError> {
    if low > 0.0 && low <= high && high <= most {
        return Ok(());
    }
    Err(StreamError::Config(format!(
        "{name} is {low} to {high}, not a range above 0 and up to {most}"
    )))
}

fn share(name: &str, value: f64) -> Result<(), StreamError> {
    if (0.0..=1.0).contains(&value) {
        return Ok(());
    }
    Err(StreamError::Config(format!("{name} is {value}, not in 0..=1")))
}

#[cfg(test)]
mod tests {
    use clipa_recipe::augment::RandomResizedCrop;

    use super::*;

    #[test]
    fn nonsense_is_refused_and_named() {
        let refused = |change: &dyn Fn(&mut StreamConfig)| {
            let mut config = StreamConfig::new(112, 256);
            config.check().unwrap();
            change(&mut config);
            config.check().unwrap_err().to_string()
        };
        assert!(refused(&|config| config.image_size = 0).contains("image size is 0"));
        assert!(refused(&|config| config.batch = MAX_BATCH + 1).contains("batch is 131073"));
        assert!(refused(&|config| config.workers = 0).contains("workers is 0"));
        assert!(
            refused(&|config| (config.batch, config.queue) = (MAX_BATCH, 64)).contains("in memory")
        );
        for scale in [(0.0, 1.0), (0.9, 0.4), (0.5, 1.5), (f64::NAN, 1.0)] {
            let crop = RandomResizedCrop { scale, ratio: RandomResizedCrop::RATIO };
            let augment = Augment::Random { crop, jitter: None, grey_probability: 0.0 };
            assert!(refused(&|config| config.augment = augment).contains("crop scale"));
        }
    }
}
