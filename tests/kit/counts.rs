//! The counts in a report of an ingest.

use serde_json::Value;

/// Samples of a run's report, or of a manifest's totals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Samples that the inputs hold.
    pub found: u64,
    /// Samples that became rows.
    pub accepted: u64,
    /// Samples that did not, all reasons together.
    pub rejected: u64,
}

/// Reads `found`, `accepted` and the counts by reason, and expects them to add up.
pub fn counts(report: &Value) -> Counts {
    let reasons =
        report["rejected"].as_object().unwrap_or_else(|| panic!("no reasons in {report}"));
    let rejected = reasons.values().map(|reason| number(reason, "count")).sum();
    let (found, accepted) = (number(report, "found"), number(report, "accepted"));
    assert_eq!(found, accepted + rejected, "{report}");
    Counts { found, accepted, rejected }
}

/// A number of a JSON object.
pub fn number(object: &Value, field: &str) -> u64 {
    object[field].as_u64().unwrap_or_else(|| panic!("no number {field} in {object}"))
}
