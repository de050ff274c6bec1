//! Which samples are rows. Every question that a sample is asked is here, and is asked once.
//!
//! In this order, from what is cheap to know to what is dear; the first answer that keeps the sample out is its reason:
//!
//! 1. [`Judge::deny_list`]: before everything else, so that of what is denied nothing is kept, however unusable it is.
//! 2. Can texts and image be read at all? (Asked of [`super::source`].)
//! 3. [`Judge::image_lists`]: both lists, now that the hash of the image file is known.
//! 4. [`Judge::metadata`]: repairs that are refused, the class, scores, language.
//! 5. [`Judge::caption`], and when it is encoded [`Judge::words`].
//! 6. [`Judge::picture`]: repairs that are refused, sizes; when it is decoded.
//!
//! Captions are encoded before the first image is read, so 4 and 5 are asked before 2 and 3 of the image; their answer
//! waits until these have been asked ([`super::sample`]).

use clipa_schemas::manifest::Kind;

use super::{
    options::IngestOptions,
    source::{RawSample, Unusable},
};
use crate::{
    image::{Decoded, Repair},
    lists::Identity,
};

/// Reason of what `--deny` lists. Its URL and caption are not kept.
pub(super) const DENIED: &str = "denied";

/// Decides as the options say.
pub(super) struct Judge<'o>(pub(super) &'o IngestOptions);

/// `Err` with the reason where the sample is no row.
type Answer = Result<(), Unusable>;

impl Judge<'_> {
    /// Is the sample denied by anything but the hash of its image file?
    pub(super) fn deny_list(&self, raw: &RawSample) -> Answer {
        match self.0.filter.deny.as_ref().and_then(|list| list.finds(&identity(raw, None))) {
            Some(by) => out(DENIED, format!("listed by its {by}")),
            None => Ok(()),
        }
    }

    /// Is the image file denied by its hash? Is the sample, by whatever names it, allowed?
    pub(super) fn image_lists(&self, raw: &RawSample, image_hash: &[u8; 32]) -> Answer {
        let filter = &self.0.filter;
        let image = Identity { image_hash: Some(image_hash), ..Identity::default() };
        if let Some(by) = filter.deny.as_ref().and_then(|list| list.finds(&image)) {
            return out(DENIED, format!("listed by its {by}"));
        }
        match &filter.allow {
            Some(list) if list.finds(&identity(raw, Some(image_hash))).is_none() => {
                out("not_allowed", "not listed by URL, hash or key")
            }
            _ => Ok(()),
        }
    }

    /// What sidecar and label say.
    pub(super) fn metadata(&self, raw: &RawSample) -> Answer {
        self.repairs(raw.repairs.iter().copied())?;
        self.class(raw.label)?;
        let (filter, metadata) = (&self.0.filter, &raw.sidecar.metadata);
        if let Some(found) = metadata.similarity
            && filter.min_similarity.is_some_and(|least| found < least)
        {
            return out("similarity", format!("similarity {found}"));
        }
        if let Some(found) = metadata.punsafe
            && filter.max_punsafe.is_some_and(|most| found > most)
        {
            return out("punsafe", format!("punsafe {found}"));
        }
        if let Some(found) = metadata.pwatermark
            && filter.max_pwatermark.is_some_and(|most| found > most)
        {
            return out("pwatermark", format!("pwatermark {found}"));
        }
        let names = |listed: &[String], found: &str| {
            listed.iter().any(|name| name.eq_ignore_ascii_case(found))
        };
        if let Some(found) = &metadata.language
            && !filter.languages.is_empty()
            && !names(&filter.languages, found)
        {
            return out("language", format!("language {found}"));
        }
        match &metadata.nsfw {
            Some(found) if names(&filter.drop_nsfw, found) => out("nsfw", format!("NSFW {found}")),
            _ => Ok(()),
        }
    }

    /// Is there a caption, where one is needed?
    pub(super) fn has_caption(&self, raw: &RawSample) -> Answer {
        match &raw.no_caption {
            _ if self.0.kind != Kind::Pairs || !raw.captions.is_empty() => Ok(()),
            Some(Unusable { reason, detail }) => out(reason, detail.clone()),
            None => out("no_caption", "it has none"),
        }
    }

    /// One caption as found.
    pub(super) fn caption(&self, caption: &str) -> Answer {
        let (least, most) = (self.0.filter.min_chars, self.0.filter.max_chars);
        if least.or(most).is_none() {
            return Ok(());
        }
        let characters = caption.chars().count();
        if is_outside(characters as u64, least, most) {
            return out("caption_chars", format!("{characters} characters"));
        }
        Ok(())
    }

    /// The number of words in the cleaned caption.
    pub(super) fn words(&self, words: u32) -> Answer {
        if is_outside(words.into(), self.0.filter.min_words, self.0.filter.max_words) {
            return out("caption_words", format!("{words} words"));
        }
        Ok(())
    }

    /// The picture, decoded.
    pub(super) fn picture(&self, picture: &Decoded) -> Answer {
        self.repairs(picture.repairs.iter().map(Repair::name))?;
        let filter = &self.0.filter;
        let (width, height) = picture.full_size;
        let (short, long) = (width.min(height), width.max(height));
        let size = || format!("{width}×{height} pixels");
        if filter.min_side.is_some_and(|least| short < least) {
            return out("too_small", size());
        }
        if filter.min_area.is_some_and(|least| u64::from(width) * u64::from(height) < least) {
            return out("small_area", size());
        }
        if filter.max_aspect.is_some_and(|most| f64::from(long) > most * f64::from(short)) {
            return out("aspect", size());
        }
        Ok(())
    }

    /// Is one of these repairs refused?
    pub(super) fn repairs(&self, repairs: impl IntoIterator<Item = &'static str>) -> Answer {
        match repairs.into_iter().find(|repair| self.0.refused.contains(repair)) {
            Some(repair) => out(repair, "a repair that --refuse names"),
            None => Ok(()),
        }
    }

    fn class(&self, label: Option<u32>) -> Answer {
        match (self.0.kind, label, self.0.classes) {
            (Kind::Classes, None, _) => out("no_label", "no .cls member and no label"),
            (Kind::Classes, Some(label), Some(classes)) if label >= classes => {
                out("bad_label", format!("class {label} of {classes} classes"))
            }
            _ => Ok(()),
        }
    }
}

fn out(reason: &'static str, detail: impl Into<String>) -> Answer {
    Err(Unusable { reason, detail: detail.into() })
}

fn is_outside(count: u64, least: Option<u32>, most: Option<u32>) -> bool {
    least.is_some_and(|least| count < least.into()) || most.is_some_and(|most| count > most.into())
}

/// What a sample can be listed by.
fn identity<'s>(raw: &'s RawSample, image_hash: Option<&'s [u8; 32]>) -> Identity<'s> {
    Identity {
        url: raw.sidecar.metadata.url.as_deref(),
        sha256: raw.sidecar.metadata.sha256.as_ref(),
        md5: raw.sidecar.md5.as_ref(),
        image_hash,
        key: Some(&raw.key),
    }
}
