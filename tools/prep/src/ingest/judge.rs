//! Which samples are rows. Every question that a sample is asked is here, and is asked once.
//!
//! In this order, from what is cheap to know to what is dear; the first answer that keeps the sample out is its reason:
//!
//! 1. [`Judge::deny_list`]: before everything else, so that of what is denied nothing is kept, however unusable it is.
//! 2. Can texts and image be read at all? (Asked of [`super::source`].)
//! 3. [`Judge::image_lists`]: both lists, now that the hash of the image file is known.
//! 4. [`Judge::metadata`]: repairs that are refused, the class, scores, language.
//! 5. [`Judge::caption`], and when it is encoded [`Judge::words`].
//! 6. [`Judge::picture`]: repairs that are refused, sizes (of the image on the web, where they are known); when it is decoded.
//!
//! Captions are encoded before the first image is read, so 4 and 5 are asked before 2 and 3 of the image; their answer
//! waits until these have been asked ([`super::sample`]).

use clipa_schemas::manifest::Kind;

use super::{
    asked::Asked,
    known::{BAD_METADATA, known, refuse_unreadable},
    options::IngestOptions,
    source::{RawSample, Unusable},
};
use crate::{
    image::{Decoded, Repair, content_size},
    lists::Identity,
};

/// Reason of what `--deny` lists. Its URL and caption are not kept.
pub(super) const DENIED: &str = "denied";

/// Decides as the options say.
pub(super) struct Judge<'o>(pub(super) &'o IngestOptions);

/// `Err` with the reason where the sample is no row.
type Answer = Result<(), Unusable>;

impl Judge<'_> {
    /// Is the sample denied by anything but the hash of its image file? Is what it could be denied by known?
    pub(super) fn deny_list(&self, raw: &mut RawSample) -> Answer {
        let filter = &self.0.filter;
        let Some(list) = &filter.deny else { return Ok(()) };
        if let Some(by) = list.finds(&identity(raw, None)) {
            return out(DENIED, format!("listed by its {by}"));
        }
        let ask = |column| Asked { flag: "--deny", column };
        if list.url_entries() > 0 {
            let url = identity(raw, None).url.map(|_| ());
            known(raw, url, ask("url"), filter)?;
        }
        // a SHA-256 is compared with the image file's too, so a sample that names none is not out of its reach
        if list.sha256_entries() > 0 && raw.sidecar.metadata.sha256.is_none() {
            refuse_unreadable(raw, ask("sha256"))?;
        }
        if list.md5_entries() > 0 {
            let md5 = raw.sidecar.md5;
            known(raw, md5, ask("md5"), filter)?;
        }
        Ok(())
    }

    /// Is the image file denied by its hash?
    pub(super) fn deny_image(&self, image_hash: &[u8; 32]) -> Answer {
        let image = Identity { image_hash: Some(image_hash), ..Identity::default() };
        match self.0.filter.deny.as_ref().and_then(|list| list.finds(&image)) {
            Some(by) => out(DENIED, format!("listed by its {by}")),
            None => Ok(()),
        }
    }

    /// Is the image file denied by its hash? Is the sample, by whatever names it, allowed?
    pub(super) fn image_lists(&self, raw: &RawSample, image_hash: &[u8; 32]) -> Answer {
        self.deny_image(image_hash)?;
        match &self.0.filter.allow {
            Some(list) if list.finds(&identity(raw, Some(image_hash))).is_none() => {
                out("not_allowed", "not listed by URL, hash or key")
            }
            _ => Ok(()),
        }
    }

    /// What sidecar and label say.
    pub(super) fn metadata(&self, raw: &mut RawSample) -> Answer {
        self.repairs(raw.repairs.iter().copied())?;
        self.class(raw.label)?;
        self.scores(raw)?;
        self.language(raw)?;
        self.verdict(raw)
    }

    fn scores(&self, raw: &mut RawSample) -> Answer {
        let filter = &self.0.filter;
        let metadata = &raw.sidecar.metadata;
        let scores = [
            ("--min-similarity", "similarity", metadata.similarity, filter.min_similarity),
            ("--max-punsafe", "punsafe", metadata.punsafe, filter.max_punsafe),
            ("--max-pwatermark", "pwatermark", metadata.pwatermark, filter.max_pwatermark),
        ];
        for (flag, column, value, limit) in scores {
            let Some(limit) = limit else { continue };
            let value = known(raw, value, Asked { flag, column }, filter)?;
            let is_least = flag == "--min-similarity";
            if value.is_some_and(|value| if is_least { value < limit } else { value > limit }) {
                return out(column, format!("{column} {}", value.unwrap_or_default()));
            }
        }
        Ok(())
    }

    fn language(&self, raw: &mut RawSample) -> Answer {
        let filter = &self.0.filter;
        if filter.languages.is_empty() {
            return Ok(());
        }
        let asked = Asked { flag: "--language", column: "language" };
        let found = said(&raw.sidecar.metadata.language);
        match known(raw, found, asked, filter)? {
            Some(found) if !names(&filter.languages, &found) => {
                out("language", format!("language {found}"))
            }
            _ => Ok(()),
        }
    }

    fn verdict(&self, raw: &mut RawSample) -> Answer {
        let filter = &self.0.filter;
        if filter.drop_nsfw.is_empty() {
            return Ok(());
        }
        let asked = Asked { flag: "--drop-nsfw", column: "nsfw" };
        let found = said(&raw.sidecar.metadata.nsfw);
        let Some(found) = known(raw, found, asked, filter)? else { return Ok(()) };
        if names(&filter.drop_nsfw, &found) {
            return out("nsfw", format!("NSFW {found}"));
        }
        // a number, true or false is no verdict of the kind that the flag names: it would pass whatever it means
        if is_no_word(&found) && !filter.drop_nsfw.iter().any(|name| is_no_word(name)) {
            return out(
                BAD_METADATA,
                format!("NSFW {found} is no verdict, and --drop-nsfw needs one"),
            );
        }
        Ok(())
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

    /// The picture, decoded; its size is that of the image on the web, where the metadata say it.
    pub(super) fn picture(&self, raw: &RawSample, picture: &Decoded) -> Answer {
        self.repairs(picture.repairs.iter().map(Repair::name))?;
        let filter = &self.0.filter;
        let flags = [
            (filter.min_side.is_some(), "--min-side"),
            (filter.min_area.is_some(), "--min-area"),
            (filter.max_aspect.is_some(), "--drop-aspect"),
        ];
        let Some((_, flag)) = flags.into_iter().find(|(is_on, _)| *is_on) else { return Ok(()) };
        let metadata = &raw.sidecar.metadata;
        let original = metadata.original_width.zip(metadata.original_height);
        let (width, height) = match original.filter(|&(width, height)| width > 0 && height > 0) {
            Some(original) => original,
            None => {
                refuse_unreadable(raw, Asked { flag, column: "original_width" })?;
                refuse_unreadable(raw, Asked { flag, column: "original_height" })?;
                content_size(picture)
            }
        };
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
        match (self.0.kind, label, &self.0.classes) {
            (Kind::Classes, None, _) => out("no_label", "no .cls member and no label"),
            (Kind::Classes, Some(label), Some(numbers)) if numbers.class_of(label).is_none() => {
                out("bad_label", format!("class {label} of {} classes", numbers.classes))
            }
            _ => Ok(()),
        }
    }

    /// The class of a label that [`Judge::metadata`] let through.
    pub(super) fn class_of(&self, label: Option<u32>) -> Option<u32> {
        match &self.0.classes {
            // In a folder for each class the label is the class.
            Some(numbers) => numbers.class_of(label?),
            None => label,
        }
    }
}

fn out(reason: &'static str, detail: impl Into<String>) -> Answer {
    Err(Unusable { reason, detail: detail.into() })
}

/// A text in which something is said.
fn said(text: &Option<String>) -> Option<String> {
    text.clone().filter(|text| !text.trim().is_empty())
}

fn names(listed: &[String], found: &str) -> bool {
    listed.iter().any(|name| name.eq_ignore_ascii_case(found.trim()))
}

fn is_no_word(verdict: &str) -> bool {
    let verdict = verdict.trim();
    let is_truth = ["true", "false"].iter().any(|word| verdict.eq_ignore_ascii_case(word));
    is_truth || verdict.parse::<f64>().is_ok()
}

fn is_outside(count: u64, least: Option<u32>, most: Option<u32>) -> bool {
    least.is_some_and(|least| count < least.into()) || most.is_some_and(|most| count > most.into())
}

/// What a sample can be listed by.
fn identity<'s>(raw: &'s RawSample, image_hash: Option<&'s [u8; 32]>) -> Identity<'s> {
    Identity {
        url: raw.sidecar.metadata.url.as_deref().filter(|url| !url.trim().is_empty()),
        sha256: raw.sidecar.metadata.sha256.as_ref(),
        md5: raw.sidecar.md5.as_ref(),
        image_hash,
        key: Some(&raw.key),
    }
}
