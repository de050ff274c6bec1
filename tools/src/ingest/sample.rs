//! One sample on its way from raw bytes to a row: filter, decode, resize, clean, tokenize, tag.

use std::time::Instant;

use clipa_schemas::{manifest::Kind, rejects::Reject, sample::Sample};
use sha2::{Digest, Sha256};

use super::{
    options::{Filter, IngestOptions},
    source::{RawSample, Unusable},
    timing::{Stage, StageTimes},
};
use crate::{
    image::{DecodeLimits, Decoded, RenderPlan, Scratch, decode, render, unpad},
    text::{CaptionEncoder, EncodedCaption, TextParts, words::Words},
};

/// Largest image file that is read, in bytes.
pub(super) const MAX_IMAGE_BYTES: u64 = 64 << 20;

/// What became of a sample.
pub enum Verdict {
    /// A row, and what was repaired on the way.
    Accepted(Box<Sample>, Vec<&'static str>),
    /// No row, and why.
    Rejected(Box<Reject>),
}

/// Turns raw samples into rows; one a thread, with its own buffers.
pub struct Preparer<'o> {
    options: &'o IngestOptions,
    plan: &'o RenderPlan,
    limits: DecodeLimits,
    encoder: CaptionEncoder,
    /// Words of the sample in hand, and of those of the chunk that were accepted.
    words: Words,
    untagged: Vec<Words>,
    scratch: Scratch,
    /// Time spent in each stage by this thread.
    pub times: StageTimes,
}

impl<'o> Preparer<'o> {
    /// A preparer for one thread.
    pub fn new(options: &'o IngestOptions, plan: &'o RenderPlan, text: &TextParts) -> Self {
        // `unpad` measures bars in pixels of the file, so it needs the image unscaled
        let largest_side_px = plan.largest_side().filter(|_| !options.unpad);
        Preparer {
            options,
            plan,
            limits: DecodeLimits { largest_side_px, ..options.limits },
            encoder: text.encoder(),
            words: Words::default(),
            untagged: Vec::new(),
            scratch: Scratch::default(),
            times: StageTimes::default(),
        }
    }

    /// Forgets a chunk that was given up.
    pub fn begin_chunk(&mut self) {
        self.untagged.clear();
    }

    /// Tags the accepted samples of a chunk, all together: a tagger may be faster so.
    pub fn tag_chunk(&mut self, verdicts: &mut [Verdict]) {
        let started = Instant::now();
        let mut tags = self.encoder.tag_all(&self.untagged).into_iter();
        for verdict in verdicts {
            if let Verdict::Accepted(sample, _) = verdict {
                sample.pos = tags.next().unwrap_or_default();
            }
        }
        self.untagged.clear();
        self.times.add(Stage::Text, started);
    }

    /// One sample's way, top to bottom; only the tags come later, with [`Preparer::tag_chunk`].
    pub fn prepare(&mut self, raw: &mut RawSample, source: &str) -> Verdict {
        match self.row(raw) {
            Ok(sample) => {
                self.untagged.push(std::mem::take(&mut self.words));
                Verdict::Accepted(Box::new(sample), std::mem::take(&mut raw.repairs))
            }
            Err(Unusable { reason, detail }) => {
                Verdict::Rejected(reject(raw, source, reason, detail))
            }
        }
    }

    fn row(&mut self, raw: &mut RawSample) -> Result<Sample, Unusable> {
        let filter = &self.options.filter;
        self.check_class(raw)?;
        keep_metadata(filter, raw)?;
        let caption = self.caption(raw)?;
        keep_characters(filter, &caption)?;

        let started = Instant::now();
        let text = self.encoder.encode_untagged(&caption, &mut self.words);
        keep_words(filter, &text)?;
        let decoding = self.times.add(Stage::Text, started);

        let decoded = self.decoded(raw)?;
        keep_image(filter, &decoded)?;
        let rendering = self.times.add(Stage::Decode, decoding);
        let images = render(&decoded, &raw.image, self.plan, &mut self.scratch)
            .map_err(|error| Unusable { reason: "unrenderable", detail: error.to_string() })?;
        let hashing = self.times.add(Stage::Resize, rendering);
        let image_hash = Sha256::digest(&raw.image).into();
        self.times.add(Stage::Hash, hashing);

        raw.repairs.extend(decoded.repairs.iter().map(|repair| repair.name()));
        let sidecar = std::mem::take(&mut raw.sidecar);
        Ok(Sample {
            key: std::mem::take(&mut raw.key),
            url: sidecar.url,
            caption,
            source_offset: raw.offset.unwrap_or_default(),
            original_width: sidecar.original_width,
            original_height: sidecar.original_height,
            sha256: sidecar.sha256,
            image_hash,
            similarity: sidecar.similarity,
            punsafe: sidecar.punsafe,
            pwatermark: sidecar.pwatermark,
            nsfw: sidecar.nsfw,
            license: sidecar.license,
            language: sidecar.language,
            label: raw.label,
            pos: Vec::new(),
            tokens: text.into_columns(),
            images,
        })
    }

    fn check_class(&self, raw: &RawSample) -> Result<(), Unusable> {
        let unusable = |reason, detail| Err(Unusable { reason, detail });
        match (self.options.kind, raw.label, self.options.classes) {
            (Kind::Classes, None, _) => unusable("no_label", "no .cls member and no label".into()),
            (Kind::Classes, Some(label), Some(classes)) if label >= classes => {
                unusable("bad_label", format!("class {label} of {classes} classes"))
            }
            _ => Ok(()),
        }
    }

    fn caption(&self, raw: &mut RawSample) -> Result<String, Unusable> {
        let caption = raw.caption.take().unwrap_or_default();
        if self.options.kind == Kind::Pairs && caption.trim().is_empty() {
            raw.caption = Some(caption);
            return Err(Unusable { reason: "empty_caption", detail: "no words in it".into() });
        }
        raw.caption = Some(caption.clone());
        Ok(caption)
    }

    fn decoded(&self, raw: &RawSample) -> Result<Decoded, Unusable> {
        let sidecar = &raw.sidecar;
        let mut decoded = decode(&raw.image, &self.limits, sidecar.orientation)
            .map_err(|error| Unusable { reason: error.reason(), detail: error.to_string() })?;
        if self.options.unpad
            && let (Some(width), Some(height)) = (sidecar.original_width, sidecar.original_height)
        {
            unpad(&mut decoded, (width, height));
        }
        Ok(decoded)
    }
}

/// The reject of a sample that could not be read or prepared.
pub fn reject(
    raw: &mut RawSample,
    source: &str,
    reason: &'static str,
    detail: String,
) -> Box<Reject> {
    Box::new(Reject {
        source: source.to_owned(),
        offset: raw.offset,
        key: std::mem::take(&mut raw.key),
        reason: reason.to_owned(),
        detail,
        url: raw.sidecar.url.take(),
        caption: raw.caption.take(),
    })
}

fn filtered(reason: &'static str, detail: String) -> Result<(), Unusable> {
    Err(Unusable { reason, detail })
}

fn keep_metadata(filter: &Filter, raw: &RawSample) -> Result<(), Unusable> {
    let sidecar = &raw.sidecar;
    if let (Some(least), Some(found)) = (filter.min_similarity, sidecar.similarity)
        && found < least
    {
        return filtered("similarity", format!("similarity {found}"));
    }
    if let (Some(most), Some(found)) = (filter.max_punsafe, sidecar.punsafe)
        && found > most
    {
        return filtered("punsafe", format!("punsafe {found}"));
    }
    if let (Some(most), Some(found)) = (filter.max_pwatermark, sidecar.pwatermark)
        && found > most
    {
        return filtered("pwatermark", format!("pwatermark {found}"));
    }
    match &sidecar.nsfw {
        Some(verdict) if filter.drop_nsfw.iter().any(|drop| drop.eq_ignore_ascii_case(verdict)) => {
            filtered("nsfw", format!("NSFW {verdict}"))
        }
        _ => Ok(()),
    }
}

fn keep_characters(filter: &Filter, caption: &str) -> Result<(), Unusable> {
    let (least, most) = (filter.min_chars.unwrap_or(0), filter.max_chars.unwrap_or(u32::MAX));
    if least == 0 && most == u32::MAX {
        return Ok(());
    }
    let characters = caption.chars().count();
    if characters < least as usize || characters > most as usize {
        return filtered("caption_chars", format!("{characters} characters"));
    }
    Ok(())
}

fn keep_words(filter: &Filter, text: &EncodedCaption) -> Result<(), Unusable> {
    if filter.min_words.is_some_and(|least| text.words < least)
        || filter.max_words.is_some_and(|most| text.words > most)
    {
        return filtered("caption_words", format!("{} words", text.words));
    }
    Ok(())
}

fn keep_image(filter: &Filter, image: &Decoded) -> Result<(), Unusable> {
    let (width, height) = image.full_size;
    let (short, long) = (width.min(height), width.max(height));
    let size = || format!("{width}×{height} pixels");
    if filter.min_side.is_some_and(|least| short < least) {
        return filtered("too_small", size());
    }
    if filter.max_aspect.is_some_and(|most| f64::from(long) > most * f64::from(short)) {
        return filtered("aspect", size());
    }
    Ok(())
}
