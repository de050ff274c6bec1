//! What filters and lists ask of a sample's metadata, and what becomes of a sample that does not answer.
//!
//! Nothing passes in silence. A value that is there and cannot be read, or would stand in a `.json` or table that cannot
//! be read, refuses the sample; one that is nowhere lets it pass and is counted, unless `--drop-missing` says otherwise.

use super::{
    options::Filter,
    source::{RawSample, Unusable},
};

/// Reason of a sample whose `.json` or table, which a filter or list needs, cannot be used.
pub(super) const BAD_SIDECAR: &str = "bad_sidecar";

/// Reason of a sample that has a value which a filter or list needs, but none of its kind.
pub(super) const BAD_METADATA: &str = "bad_metadata";

/// Reason of a sample without a value, where `--drop-missing` is given.
pub(super) const MISSING_VALUE: &str = "missing_value";

/// A question: which flag asks for which column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// The flag.
    pub(super) flag: &'static str,
    /// The metadata's column, or `md5`.
    pub(super) column: &'static str,
}

/// The value, or `None` where the sample passes without one; that is noted.
///
/// # Errors
/// The sample is no row.
pub(super) fn known<T>(
    raw: &mut RawSample,
    value: Option<T>,
    asked: Asked,
    filter: &Filter,
) -> Result<Option<T>, Unusable> {
    if value.is_some() {
        return Ok(value);
    }
    refuse_unreadable(raw, asked)?;
    let Asked { flag, column } = asked;
    if filter.drop_missing {
        let detail = format!("no {column} for {flag}");
        return Err(Unusable { reason: MISSING_VALUE, detail });
    }
    if !raw.unfiltered.contains(&flag) {
        raw.unfiltered.push(flag);
    }
    Ok(None)
}

/// Refuses a sample of which the value is not known although something is there.
///
/// # Errors
/// The sample is no row.
pub(super) fn refuse_unreadable(raw: &RawSample, asked: Asked) -> Result<(), Unusable> {
    let Asked { flag, column } = asked;
    if raw.sidecar.unreadable.contains(&column) {
        let detail = format!("{column} cannot be read, and {flag} needs it");
        return Err(Unusable { reason: BAD_METADATA, detail });
    }
    if let Some(why) = &raw.unusable_sidecar {
        let detail = format!("{why}, and {flag} needs it");
        return Err(Unusable { reason: BAD_SIDECAR, detail });
    }
    Ok(())
}

impl Filter {
    /// All that the filters and lists ask for.
    pub(super) fn asked(&self) -> Vec<Asked> {
        let mut all = Vec::new();
        let mut ask = |is_on: bool, flag, column| {
            if is_on {
                all.push(Asked { flag, column });
            }
        };
        for (list, flag) in [(&self.deny, "--deny"), (&self.allow, "--allow")] {
            let Some(list) = list else { continue };
            ask(list.url_entries() > 0, flag, "url");
            ask(list.sha256_entries() > 0, flag, "sha256");
            ask(list.md5_entries() > 0, flag, "md5");
        }
        ask(self.min_similarity.is_some(), "--min-similarity", "similarity");
        ask(self.max_punsafe.is_some(), "--max-punsafe", "punsafe");
        ask(self.max_pwatermark.is_some(), "--max-pwatermark", "pwatermark");
        ask(!self.languages.is_empty(), "--language", "language");
        ask(!self.drop_nsfw.is_empty(), "--drop-nsfw", "nsfw");
        for (is_on, flag) in [
            (self.min_side.is_some(), "--min-side"),
            (self.min_area.is_some(), "--min-area"),
            (self.max_aspect.is_some(), "--drop-aspect"),
        ] {
            ask(is_on, flag, "original_width");
            ask(is_on, flag, "original_height");
        }
        all
    }
}
