//! Samples on their way from raw bytes to rows: clean, tokenize, tag, decode, resize, as far as `judge` keeps
//! them.

use std::time::Instant;

use clipa_pool::Permit;
use clipa_schemas::{rejects::Reject, sample::Sample, text::EncodedText};
use sha2::{Digest, Sha256};

use super::{
    in_work::InWork,
    judge::{DENIED, Judge},
    large_pictures::LargePictures,
    options::IngestOptions,
    repairs::ReadRepair,
    source::{RawSample, ReadFailure, UnitSource, Unusable},
    timing::{Stage, StageTimes},
};
use crate::{
    archive::{ArchiveError, sidecar::FoundCaption},
    image::{DecodeLimits, Decoded, RenderPlan, Scratch, render, unpad},
};
use clipa_text::{CaptionEncoder, EncodedCaption, TextParts, words::Words};

/// What became of a sample.
pub enum Verdict {
    /// A row, and what is counted of it.
    Accepted(Box<Sample>, Noted),
    /// No row, and why.
    Rejected(Box<Reject>),
}

/// What is counted of a row.
#[derive(Debug, Default)]
pub struct Noted {
    /// What was repaired on the way.
    pub repairs: Vec<&'static str>,
    /// Flags of filters and lists that found no value to judge it by.
    pub unfiltered: Vec<&'static str>,
}

/// A sample between its caption and its image.
struct Candidate {
    index: usize,
    raw: RawSample,
    texts: Texts,
}

/// A caption that is kept.
pub(super) struct KeptCaption {
    /// Its place among those that were found; meaningless where there was none.
    pub(super) place: usize,
    pub(super) encoded: EncodedCaption,
}

/// What is known of a sample before its image is read.
pub(super) enum Texts {
    /// It is denied, or cannot be read: of its image no more is done than to hash it, so that a list of hashes reaches it.
    Unusable(Unusable),
    /// Its metadata keep it out, unless its image cannot be read or is listed: that reason comes first.
    Filtered(Unusable),
    /// Its captions that are kept, encoded, or why they keep it out, with the same exception.
    Captions(Result<Vec<KeptCaption>, Unusable>),
}

/// Turns raw samples into rows; one a thread, with its own buffers.
pub struct Preparer<'o> {
    options: &'o IngestOptions,
    judge: Judge<'o>,
    plan: &'o RenderPlan,
    limits: DecodeLimits,
    large_pictures: LargePictures,
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
    /// A preparer for one thread, which shares the room for large pictures with the others.
    pub(super) fn new(
        options: &'o IngestOptions,
        plan: &'o RenderPlan,
        text: &TextParts,
        large_pictures: &LargePictures,
    ) -> Self {
        // `unpad` measures bars in pixels of the file, so it needs the image unscaled
        let largest_side_px = plan.largest_side().filter(|_| !options.unpad);
        Preparer {
            options,
            judge: Judge(options),
            plan,
            limits: DecodeLimits { largest_side_px, ..options.limits },
            large_pictures: large_pictures.clone(),
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
        let recorded = source.source().path;
        let started = Instant::now();
        let mut raws = Vec::with_capacity(samples.size_hint().0);
        for index in samples {
            self.in_work.sample(Stage::Read, index);
            let mut raw = RawSample::default();
            let read = usable(source.read_texts(index, &mut raw))?;
            if raw.sidecar.is_turned_already() {
                raw.sidecar.orientation = None;
                raw.repairs.push(ReadRepair::ExifIgnored.name());
            }
            raws.push((index, raw, read));
        }
        let started = self.times.add(Stage::Read, started);
        let candidates = self.candidates(raws);
        self.times.add(Stage::Text, started);

        let mut image = std::mem::take(&mut self.image);
        let mut verdicts = Vec::with_capacity(candidates.len());
        for Candidate { index, mut raw, texts } in candidates {
            let mut image_hash = None;
            let row = match texts {
                Texts::Unusable(bad) if bad.reason == DENIED => Err(bad),
                texts => {
                    self.in_work.sample(Stage::Read, index);
                    let started = Instant::now();
                    image.clear();
                    let limit = self.options.limits.max_bytes;
                    let read = usable(source.read_image(index, limit, &mut image))?;
                    self.times.add(Stage::Read, started);
                    match (read, texts) {
                        (Ok(()), texts) => {
                            let hash = self.hashed(&image);
                            image_hash = Some(hash);
                            self.row(&mut raw, texts, &image, hash)
                        }
                        // what is wrong with its texts was known first
                        (Err(_), Texts::Unusable(bad)) | (Err(bad), _) => Err(bad),
                    }
                }
            };
            verdicts.push(match row {
                Ok(sample) => {
                    let RawSample { repairs, unfiltered, .. } = raw;
                    Verdict::Accepted(Box::new(sample), Noted { repairs, unfiltered })
                }
                Err(bad) => Verdict::Rejected(self.reject(raw, &recorded, bad, image_hash)),
            });
        }
        self.image = image;
        Ok(verdicts)
    }

    /// Judges what is known without the images, and encodes the captions that are kept; all are tagged together.
    fn candidates(
        &mut self,
        raws: Vec<(usize, RawSample, Result<(), Unusable>)>,
    ) -> Vec<Candidate> {
        let mut words = Vec::new();
        let mut candidates: Vec<Candidate> = raws
            .into_iter()
            .map(|(index, mut raw, read)| {
                self.in_work.sample(Stage::Text, index);
                let texts = self.texts(&mut raw, read, &mut words);
                Candidate { index, raw, texts }
            })
            .collect();
        if let [first, .., last] = candidates.as_slice() {
            self.in_work.samples(Stage::Text, first.index, last.index);
        }
        let tags = self.encoder.tag_all(&words);
        let captions = candidates.iter_mut().flat_map(|candidate| match &mut candidate.texts {
            Texts::Captions(Ok(captions)) => captions.as_mut_slice(),
            _ => &mut [],
        });
        for (caption, tags) in captions.zip(tags) {
            caption.encoded.pos = tags;
        }
        candidates
    }

    /// Judges texts of which `read` says whether they could be read; adds the words of a caption that is kept.
    fn texts(
        &mut self,
        raw: &mut RawSample,
        read: Result<(), Unusable>,
        words: &mut Vec<Words>,
    ) -> Texts {
        if let Err(bad) = self.judge.deny_list(raw).and(read) {
            return Texts::Unusable(bad);
        }
        if let Err(bad) = self.judge.metadata(raw) {
            return Texts::Filtered(bad);
        }
        Texts::Captions(self.judge.has_caption(raw).and_then(|()| self.encoded(raw, words)))
    }

    /// Encodes the captions that the filters keep, at least one.
    fn encoded(
        &mut self,
        raw: &RawSample,
        words: &mut Vec<Words>,
    ) -> Result<Vec<KeptCaption>, Unusable> {
        // a class needs no caption, and is written with an empty one
        let texts = match raw.captions.as_slice() {
            [] => vec![""],
            captions => captions.iter().map(|caption| &*caption.text).collect(),
        };
        let (mut kept, mut words_kept, mut left_out) = (Vec::new(), Vec::new(), None);
        for (place, text) in texts.iter().enumerate() {
            let mut of_caption = Words::default();
            let judged = self.judge.caption(text).and_then(|()| {
                let encoded = self.encoder.encode_untagged(text, &mut of_caption);
                self.judge.words(encoded.words)?;
                Ok(KeptCaption { place, encoded })
            });
            match judged {
                Ok(caption) => {
                    kept.push(caption);
                    words_kept.push(of_caption);
                }
                Err(bad) => drop(left_out.get_or_insert(bad)),
            }
        }
        if let Some(bad) = left_out {
            if kept.is_empty() {
                return Err(bad);
            }
            self.judge.repairs([ReadRepair::CaptionsFiltered.name()])?;
        }
        words.append(&mut words_kept);
        Ok(kept)
    }

    /// SHA-256 of the image file.
    pub(super) fn hashed(&mut self, image: &[u8]) -> [u8; 32] {
        self.in_work.step(Stage::Hash);
        let started = Instant::now();
        let image_hash = Sha256::digest(image).into();
        self.times.add(Stage::Hash, started);
        image_hash
    }

    /// The row of a sample whose image file was read; what was repaired is added to the sample.
    pub(super) fn row(
        &mut self,
        raw: &mut RawSample,
        texts: Texts,
        image: &[u8],
        image_hash: [u8; 32],
    ) -> Result<Sample, Unusable> {
        if let Texts::Unusable(bad) = texts {
            return self.judge.deny_image(&image_hash).and(Err(bad));
        }
        self.judge.image_lists(raw, &image_hash)?;
        let captions = match texts {
            Texts::Unusable(bad) | Texts::Filtered(bad) => return Err(bad),
            Texts::Captions(encoded) => encoded?,
        };
        self.in_work.step(Stage::Decode);
        let decoding = Instant::now();
        let (decoded, _room) = self.decoded(raw, image)?;
        self.judge.picture(raw, &decoded)?;
        self.in_work.step(Stage::Resize);
        let rendering = self.times.add(Stage::Decode, decoding);
        let images = render(&decoded, image, self.plan, &mut self.scratch)
            .map_err(|error| Unusable { reason: "unrenderable", detail: error.to_string() })?;
        self.times.add(Stage::Resize, rendering);

        raw.repairs.extend(decoded.repairs.iter().map(|repair| repair.name()));
        let row = Sample {
            key: std::mem::take(&mut raw.key),
            source_offset: raw.offset.unwrap_or_default(),
            image_hash,
            label: self.judge.class_of(raw.label),
            metadata: std::mem::take(&mut raw.sidecar.metadata),
            images,
            ..Sample::default()
        };
        Ok(with_captions(row, raw, captions))
    }

    /// The reject of a sample that could not be read or prepared. Nothing of its own stays of one that is denied, or may
    /// be: of which it is not known whether the list names it.
    fn reject(
        &self,
        raw: RawSample,
        source: &str,
        bad: Unusable,
        image_hash: Option<[u8; 32]>,
    ) -> Box<Reject> {
        let may_be_denied = self.options.filter.deny.is_some()
            && (raw.unusable_sidecar.is_some()
                || ["url", "sha256", "md5"]
                    .iter()
                    .any(|column| raw.sidecar.unreadable.contains(column)));
        let is_denied = bad.reason == DENIED;
        let captions: Vec<String> = raw.captions.into_iter().map(|caption| caption.text).collect();
        let mut reject = Reject {
            source: source.to_owned(),
            offset: raw.offset,
            key: raw.key,
            reason: bad.reason.to_owned(),
            detail: bad.detail,
            url: raw.sidecar.metadata.url,
            caption: captions.first().cloned(),
            captions: (captions.len() > 1).then_some(captions),
            sha256: raw.sidecar.metadata.sha256,
            image_hash,
        };
        if is_denied || may_be_denied {
            reject.clear();
        }
        Box::new(reject)
    }

    fn decoded(
        &self,
        raw: &RawSample,
        image: &[u8],
    ) -> Result<(Decoded, Option<Permit>), Unusable> {
        let sidecar = &raw.sidecar;
        let (mut decoded, room) = self
            .large_pictures
            .decode(image, &self.limits, sidecar.orientation)
            .map_err(|error| Unusable { reason: error.reason(), detail: error.to_string() })?;
        if self.options.unpad
            && let (Some(width), Some(height)) =
                (sidecar.metadata.original_width, sidecar.metadata.original_height)
        {
            unpad(&mut decoded, (width, height));
        }
        Ok((decoded, room))
    }
}

/// The row with the captions that are kept; counts those that are not.
fn with_captions(mut row: Sample, raw: &mut RawSample, kept: Vec<KeptCaption>) -> Sample {
    let mut found: Vec<Option<FoundCaption>> = raw.captions.drain(..).map(Some).collect();
    if kept.len() < found.len() {
        raw.repairs.push(ReadRepair::CaptionsFiltered.name());
    }
    let (mut texts, mut sources, mut encoded) = (Vec::new(), Vec::new(), Vec::new());
    for KeptCaption { place, encoded: mut caption } in kept {
        let found = found.get_mut(place).and_then(Option::take).unwrap_or_default();
        texts.push(found.text);
        sources.push(found.source);
        let pos = std::mem::take(&mut caption.pos);
        encoded.push(EncodedText { tokens: caption.into_columns(), pos });
    }
    if encoded.len() > 1 {
        row.caption = texts[0].clone();
        (row.tokens, row.pos) = (encoded[0].tokens.clone(), encoded[0].pos.clone());
        (row.captions, row.caption_sources) = (Some(texts), Some(sources));
        row.captions_text = encoded;
    } else if let (Some(text), Some(encoded)) = (texts.pop(), encoded.pop()) {
        (row.caption, row.tokens, row.pos) = (text, encoded.tokens, encoded.pos);
    }
    row
}

/// Tells what is wrong with the sample from what is wrong with the input.
fn usable(read: Result<(), ReadFailure>) -> Result<Result<(), Unusable>, ArchiveError> {
    match read {
        Ok(()) => Ok(Ok(())),
        Err(ReadFailure::Sample(bad)) => Ok(Err(bad)),
        Err(ReadFailure::Unit(error)) => Err(error),
    }
}
