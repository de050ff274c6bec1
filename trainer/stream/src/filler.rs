//! One worker: samples become the rows of a batch.

use std::sync::Arc;

use clipa_recipe::augment::Augment;
use clipa_schemas::{
    random::Random,
    reduction::text::{Specials, TextReduction, reduce},
    text::StoredText,
};

use super::{
    batch::{Batch, BufferPool},
    choice::Choice,
    colour::{jitter_colours, to_grey},
    columns::Columns,
    config::StreamConfig,
    crop::{CropBox, draw_crop},
    cut::Job,
    error::StreamError,
    painter::Painter,
    window::{Row, Window},
};

/// Tell the draws of one sample from each other and from the order's.
const IMAGE_TAG: u64 = u64::from_be_bytes(*b"augment\0");
const TEXT_TAG: u64 = u64::from_be_bytes(*b"textmask");

/// A worker's state; nothing of it outlives a sample but memory.
pub(super) struct Filler {
    settings: Settings,
    choice: Choice,
    pool: Arc<BufferPool>,
    painter: Painter,
    /// A caption before it is widened to 64 bits.
    tokens: Vec<u16>,
}

/// What a worker needs of the configuration.
#[derive(Clone, Copy)]
struct Settings {
    image_size: u32,
    augment: Augment,
    context_length: usize,
    text: TextReduction,
    specials: Specials,
    seed: u64,
    labels: bool,
    every_caption: bool,
}

impl Filler {
    /// A worker for a stage; without captions where `context_length` is 0.
    pub(super) fn new(
        config: &StreamConfig,
        context_length: usize,
        columns: &Columns,
        pool: &Arc<BufferPool>,
    ) -> Filler {
        Filler {
            settings: Settings {
                image_size: config.image_size,
                augment: config.augment,
                context_length,
                text: config.text,
                specials: config.specials,
                seed: config.seed,
                labels: columns.label,
                every_caption: columns.every,
            },
            choice: Choice::new(&config.captions, config.seed),
            pool: Arc::clone(pool),
            painter: Painter::new(config.image_size, config.filter),
            tokens: vec![0; context_length],
        }
    }

    /// Fills one batch.
    pub(super) fn fill(&mut self, job: &Job<Window>) -> Result<Batch, StreamError> {
        let Settings { image_size, context_length, labels, every_caption, .. } = self.settings;
        let len = job.len();
        let mut batch = Batch::blank(&self.pool, len, job.first_sample, image_size, context_length);
        let mut images =
            batch.images.chunks_exact_mut(image_size as usize * image_size as usize * 3);
        let mut tokens = batch.tokens.chunks_exact_mut(context_length.max(1));
        let mut classes = Vec::with_capacity(if labels { len } else { 0 });
        let (mut captions, mut all_tokens) = (Vec::new(), Vec::new());
        for (window, part) in &job.parts {
            for index in part.clone() {
                let row = window.content.row(window.plan.rows.at(index));
                let sample = window.plan.first_sample + u64::from(index);
                if let Some(image) = images.next() {
                    self.image(row, sample, image)?;
                }
                if every_caption {
                    let texts = row.texts();
                    captions.push(texts.len() as u32);
                    for text in texts {
                        self.reduce(row, sample, text)?;
                        all_tokens.extend(self.tokens.iter().map(|&token| i64::from(token)));
                    }
                } else if let (Some(chosen), Some(tokens)) =
                    (row.text(&self.choice, window.plan.epoch), tokens.next())
                {
                    batch.without_source += usize::from(chosen.is_fallback);
                    self.reduce(row, sample, chosen.text)?;
                    tokens
                        .iter_mut()
                        .zip(&self.tokens)
                        .for_each(|(to, &from)| *to = i64::from(from));
                }
                if let Some(class) = row.label() {
                    classes
                        .push(class.ok_or_else(|| row.error("no class in a classification set"))?);
                }
            }
        }
        batch.labels = labels.then_some(classes);
        if every_caption {
            (batch.captions, batch.tokens) = (Some(captions), all_tokens);
        }
        Ok(batch)
    }

    /// Leaves a caption as the stage shows it in `self.tokens`.
    fn reduce(
        &mut self,
        row: Row<'_>,
        sample: u64,
        text: StoredText<'_>,
    ) -> Result<(), StreamError> {
        let Settings { text: reduction, specials, seed, .. } = self.settings;
        let seed = Random::from_parts(&[seed, TEXT_TAG, sample]).next_u64();
        reduce(reduction, text, specials, seed, &mut self.tokens).map_err(|error| row.error(error))
    }

    fn image(&mut self, row: Row<'_>, sample: u64, out: &mut [u8]) -> Result<(), StreamError> {
        let stored = row.image();
        let (width, height) = (stored.width, stored.height);
        if width == 0 || height == 0 {
            return Err(row.error(format!("an image of {width}x{height} pixels")));
        }
        match self.settings.augment {
            Augment::Centre => {
                let crop = CropBox::centre_square(width, height);
                self.painter.paint(stored, crop, out).map_err(|detail| row.error(detail))
            }
            Augment::Squash => {
                let whole = CropBox { left: 0, top: 0, width, height };
                self.painter.paint(stored, whole, out).map_err(|detail| row.error(detail))
            }
            Augment::Random { crop, jitter, grey_probability } => {
                let mut random = Random::from_parts(&[self.settings.seed, IMAGE_TAG, sample]);
                let crop = draw_crop(&crop, width, height, &mut random);
                self.painter.paint(stored, crop, out).map_err(|detail| row.error(detail))?;
                if let Some(jitter) = &jitter {
                    jitter_colours(jitter, out, &mut random);
                }
                if random.unit() < grey_probability {
                    to_grey(out);
                }
                Ok(())
            }
        }
    }
}
