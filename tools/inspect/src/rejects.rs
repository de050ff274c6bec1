//! What did not become a row, and why.

use std::collections::BTreeMap;

use clipa_schemas::rejects::{self, Reject};
use serde::Serialize;

use super::{
    InspectError,
    dataset::{Dataset, entries},
};

/// The rejected samples of one reason.
#[derive(Debug, Default, Serialize)]
pub struct Reason {
    /// How many.
    pub count: u64,
    /// The first of them, in the order of the inputs.
    pub examples: Vec<Example>,
}

/// One rejected sample.
#[derive(Debug, Serialize)]
pub struct Example {
    /// The input.
    pub source: String,
    /// Byte offset of the image in the input.
    pub offset: Option<u64>,
    /// Its key.
    pub key: String,
    /// What exactly was wrong.
    pub detail: String,
    /// Where the image came from.
    pub url: Option<String>,
    /// Its caption, as found.
    pub caption: Option<String>,
    /// All captions, where it has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub captions: Option<Vec<String>>,
}

/// Rejected samples by reason, with at most `examples` of each.
///
/// # Errors
/// An entry or a file of rejects that is missing or damaged.
pub fn by_reason(
    dataset: &Dataset,
    examples: usize,
) -> Result<BTreeMap<String, Reason>, InspectError> {
    let mut reasons: BTreeMap<String, Reason> = BTreeMap::new();
    for entry in entries(&dataset.folder)? {
        let Some(file) = &entry.rejects else { continue };
        file.verify(&dataset.folder)?;
        for reject in rejects::read(&dataset.folder.join(&file.file))? {
            let reason = reasons.entry(reject.reason.clone()).or_default();
            reason.count += 1;
            if reason.examples.len() < examples {
                reason.examples.push(Example::of(reject));
            }
        }
    }
    Ok(reasons)
}

impl Example {
    fn of(reject: Reject) -> Example {
        let Reject { source, offset, key, detail, url, caption, captions, .. } = reject;
        Example { source, offset, key, detail, url, caption, captions }
    }
}
