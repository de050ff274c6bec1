//! What becomes of a sample that does not answer what filters and lists ask.
//!
//! Nothing passes in silence. A value that is there and cannot be read, or would stand in a `.json` or table that cannot
//! be read, refuses the sample; one that is nowhere lets it pass and is counted, unless `--drop-missing` says otherwise.

use super::{
    asked::Asked,
    options::Filter,
    source::{RawSample, Unusable},
};

/// Reason of a sample whose `.json` or table, which a filter or list needs, cannot be used.
pub(super) const BAD_SIDECAR: &str = "bad_sidecar";

/// Reason of a sample that has a value which a filter or list needs, but none of its kind.
pub(super) const BAD_METADATA: &str = "bad_metadata";

/// Reason of a sample without a value, where `--drop-missing` is given.
pub(super) const MISSING_VALUE: &str = "missing_value";

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
