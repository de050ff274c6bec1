//! One sample on its way from raw bytes to a row: filter, decode, resize, clean, tokenize, tag.

use std::time::Instant;

use clipa_schemas::{manifest::Kind, rejects::Reject, sample::Sample};
use sha2::{Digest, Sha256};

use super::{
    in_work::InWork,
    options::{Filter, IngestOptions},
    source::{RawSample, ReadFailure, UnitSource, Unusable},
    timing::{Stage, StageTimes},
};
use crate::{
    archive::ArchiveError,
    image::{DecodeLimits, Decoded, RenderPlan, Repair, Scratch, decode, render, unpad},
    lists::Identity,
};
use clipa_text::{CaptionEncoder, EncodedCaption, TextParts, words::Words};

/// Reason of what `--deny` lists. Its URL and caption are not kept.
pub const DENIED: &str = "denied";

/// What became of a sample.
pub enum Verdict {
    /// A row, and what was repaired on the way.
    Accepted(Box<Sample>, Vec<&'static str>),
    /// No row, and why.
    Rejected(Box<Reject>),
}

/// A sample's index in its source, all of it but the image, and what became of reading that.
type ReadSample = (usize, RawSample, Result<(), Unusable>);

/// Turns raw samples into rows; one a thread, with its own buffers.
pub struct Preparer<'o> {
    options: &'o IngestOptions,
    plan: &'o RenderPlan,
    limits: DecodeLimits,
    encoder: CaptionEncoder,
    scratch: Scratch,
    /// The image file of the sample in work.
    image: Vec<u8>,
    /// Time spent in each stage by this thread.
    pub times: StageTimes,
    /// For the message, should it panic.
    pub(super) in_work: InWork,
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
            scratch: Scratch::default(),
            image: Vec::new(),
            times: StageTimes::default(),
            in_work: InWork::default(),
        }
    }

    /// Verdicts on samples of a source, in order.
    ///
    /// All captions come before the first image: decoding an image throws the tagger's weights out of the core's
    /// caches, and to fetch them again for each caption costs several times what the caption itself does.
    ///
    /// # Errors
    /// The source cannot be read any more.
    pub fn chunk(
        &mut self,
        source: &UnitSource,
        samples: impl Iterator<Item = usize>,
        name: &str,
    ) -> Result<Vec<Verdict>, ArchiveError> {
        self.in_work.input(name);
        let started = Instant::now();
        let mut raws = Vec::with_capacity(samples.size_hint().0);
        for index in samples {
            self.in_work.sample(Stage::Read, index);
            let mut raw = RawSample::default();
            let read = usable(source.read_texts(index, &mut raw))?;
            raws.push((index, raw, read));
        }
        let started = self.times.add(Stage::Read, started);
        let texts = self.texts(&raws);
        self.times.add(Stage::Text, started);

        let mut image = std::mem::take(&mut self.image);
        let mut verdicts = Vec::with_capacity(raws.len());
        for ((index, mut raw, read), text) in raws.into_iter().zip(texts) {
            self.in_work.sample(Stage::Read, index);
            let started = Instant::now();
            image.clear();
            let read = match read {
                Ok(()) => {
                    usable(source.read_image(index, self.options.limits.max_bytes, &mut image))?
                }
                unusable => unusable,
            };
            self.times.add(Stage::Read, started);
            verdicts.push(self.verdict(&mut raw, read, text, &image, name));
        }
        self.image = image;
        Ok(verdicts)
    }

    /// One sample's way; `read` is what became of reading it.
    pub(super) fn verdict(
        &mut self,
        raw: &mut RawSample,
        read: Result<(), Unusable>,
        text: Option<EncodedCaption>,
        image: &[u8],
        source: &str,
    ) -> Verdict {
        // the list comes first, so that of what it denies nothing is kept, however unusable it is
        let row = self.not_denied(raw, None).and(read).and_then(|()| self.row(raw, text, image));
        match row {
            Ok(sample) => Verdict::Accepted(Box::new(sample), std::mem::take(&mut raw.repairs)),
            Err(bad) => Verdict::Rejected(reject(raw, source, bad)),
        }
    }

    /// Tokens and tags of captions, tagged all together; `None` where a sample is unusable, or filtered by what is
    /// known already.
    fn texts(&mut self, raws: &[ReadSample]) -> Vec<Option<EncodedCaption>> {
        let filter = &self.options.filter;
        let mut words = Vec::new();
        let mut texts: Vec<Option<EncodedCaption>> = raws
            .iter()
            .map(|(index, raw, read)| {
                self.in_work.sample(Stage::Text, *index);
                read.as_ref().ok()?;
                let caption = raw.caption.as_deref().unwrap_or_default();
                keep_metadata(filter, raw).and_then(|()| keep_characters(filter, caption)).ok()?;
                let mut of_caption = Words::default();
                let text = self.encoder.encode_untagged(caption, &mut of_caption);
                words.push(of_caption);
                Some(text)
            })
            .collect();
        if let [(first, ..), .., (last, ..)] = raws {
            self.in_work.samples(Stage::Text, *first, *last);
        }
        let tags = self.encoder.tag_all(&words);
        for (text, tags) in texts.iter_mut().flatten().zip(tags) {
            text.pos = tags;
        }
        texts
    }

    fn row(
        &mut self,
        raw: &mut RawSample,
        text: Option<EncodedCaption>,
        image: &[u8],
    ) -> Result<Sample, Unusable> {
        let filter = &self.options.filter;
        self.in_work.step(Stage::Hash);
        let started = Instant::now();
        let image_hash = Sha256::digest(image).into();
        self.in_work.step(Stage::Decode);
        let decoding = self.times.add(Stage::Hash, started);

        self.not_denied(raw, Some(&image_hash))?;
        self.allowed(raw, &image_hash)?;
        self.not_refused(raw.repairs.iter().copied())?;
        self.check_class(raw)?;
        keep_metadata(filter, raw)?;
        let caption = self.caption(raw)?;
        keep_characters(filter, &caption)?;

        let mut text = text.unwrap_or_default();
        keep_words(filter, &text)?;

        let decoded = self.decoded(raw, image)?;
        self.not_refused(decoded.repairs.iter().map(Repair::name))?;
        keep_image(filter, &decoded)?;
        self.in_work.step(Stage::Resize);
        let rendering = self.times.add(Stage::Decode, decoding);
        let images = render(&decoded, image, self.plan, &mut self.scratch)
            .map_err(|error| Unusable { reason: "unrenderable", detail: error.to_string() })?;
        self.times.add(Stage::Resize, rendering);

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
            pos: std::mem::take(&mut text.pos),
            tokens: text.into_columns(),
            images,
        })
    }

    fn not_denied(&self, raw: &RawSample, image_hash: Option<&[u8; 32]>) -> Result<(), Unusable> {
        let deny = self.options.filter.deny.as_ref();
        match deny.and_then(|list| list.finds(&identity(raw, image_hash))) {
            Some(by) => filtered(DENIED, format!("listed by its {by}")),
            None => Ok(()),
        }
    }

    fn allowed(&self, raw: &RawSample, image_hash: &[u8; 32]) -> Result<(), Unusable> {
        match &self.options.filter.allow {
            Some(list) if list.finds(&identity(raw, Some(image_hash))).is_none() => {
                filtered("not_allowed", "not listed by URL, hash or key".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn not_refused(&self, repairs: impl IntoIterator<Item = &'static str>) -> Result<(), Unusable> {
        let refused = &self.options.refused;
        match repairs.into_iter().find(|repair| refused.contains(repair)) {
            Some(repair) => filtered(repair, "a repair that --refuse names".to_owned()),
            None => Ok(()),
        }
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

    fn decoded(&self, raw: &RawSample, image: &[u8]) -> Result<Decoded, Unusable> {
        let sidecar = &raw.sidecar;
        let mut decoded = decode(image, &self.limits, sidecar.orientation)
            .map_err(|error| Unusable { reason: error.reason(), detail: error.to_string() })?;
        if self.options.unpad
            && let (Some(width), Some(height)) = (sidecar.original_width, sidecar.original_height)
        {
            unpad(&mut decoded, (width, height));
        }
        Ok(decoded)
    }
}

/// Tells what is wrong with the sample from what is wrong with the input.
fn usable(read: Result<(), ReadFailure>) -> Result<Result<(), Unusable>, ArchiveError> {
    match read {
        Ok(()) => Ok(Ok(())),
        Err(ReadFailure::Sample(bad)) => Ok(Err(bad)),
        Err(ReadFailure::Unit(error)) => Err(error),
    }
}

/// The reject of a sample that could not be read or prepared.
fn reject(raw: &mut RawSample, source: &str, bad: Unusable) -> Box<Reject> {
    let is_denied = bad.reason == DENIED;
    Box::new(Reject {
        source: source.to_owned(),
        offset: raw.offset,
        key: std::mem::take(&mut raw.key),
        reason: bad.reason.to_owned(),
        detail: bad.detail,
        url: raw.sidecar.url.take().filter(|_| !is_denied),
        caption: raw.caption.take().filter(|_| !is_denied),
    })
}

/// What a sample can be listed by.
fn identity<'s>(raw: &'s RawSample, image_hash: Option<&'s [u8; 32]>) -> Identity<'s> {
    Identity {
        url: raw.sidecar.url.as_deref(),
        sha256: raw.sidecar.sha256.as_ref(),
        md5: raw.sidecar.md5.as_ref(),
        image_hash,
        key: Some(&raw.key),
    }
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
    if let Some(language) = &sidecar.language
        && !filter.languages.is_empty()
        && !filter.languages.iter().any(|kept| kept.eq_ignore_ascii_case(language))
    {
        return filtered("language", format!("language {language}"));
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
    if filter.min_area.is_some_and(|least| u64::from(width) * u64::from(height) < least) {
        return filtered("small_area", size());
    }
    if filter.max_aspect.is_some_and(|most| f64::from(long) > most * f64::from(short)) {
        return filtered("aspect", size());
    }
    Ok(())
}
