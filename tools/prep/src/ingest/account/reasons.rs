//! Why images were not downloaded, in few words and few kinds.

use std::collections::BTreeMap;

/// Reasons of one unit that are counted apart; the rarer ones are counted together.
const MAX_REASONS: usize = 20;

/// Longest reason, in characters: a message may hold a whole URL.
const MAX_REASON_CHARS: usize = 80;

/// `failed_to_download: HTTP Error 404: Not Found`; names in quotation marks, which differ from row to row, are left
/// out, and what is long is cut.
pub(super) fn reason(status: &str, error: Option<&str>) -> String {
    let mut reason = String::new();
    let text = error.map_or(status.to_owned(), |error| format!("{status}: {error}"));
    for (place, part) in text.split('\'').enumerate() {
        reason.push_str(if place % 2 == 0 { part } else { "'…'" });
    }
    let plain = reason.chars().map(|sign| if sign.is_control() { ' ' } else { sign });
    plain.take(MAX_REASON_CHARS).collect()
}

/// The most frequent reasons; the others are counted together.
pub(super) fn most_frequent(reasons: BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    if reasons.len() <= MAX_REASONS {
        return reasons;
    }
    let mut sorted: Vec<(String, u64)> = reasons.into_iter().collect();
    sorted.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let others = sorted.split_off(MAX_REASONS).into_iter().map(|(_, count)| count).sum();
    sorted.push((clipa_schemas::ledger::OTHER_REASONS.to_owned(), others));
    sorted.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_leave_out_names_and_are_short() {
        assert_eq!(
            reason("failed_to_download", Some("certificate is not valid for 'www.a.b'. (x)\n")),
            "failed_to_download: certificate is not valid for '…'. (x) "
        );
        assert_eq!(reason("failed", Some(&"x".repeat(500))).chars().count(), MAX_REASON_CHARS);
        assert_eq!(reason("failed_to_resize", None), "failed_to_resize");
    }

    #[test]
    fn rare_reasons_are_counted_together() {
        let many: BTreeMap<String, u64> = (0..50).map(|n| (format!("{n:02}"), n)).collect();
        let fewer = most_frequent(many.clone());
        assert_eq!(fewer.len(), MAX_REASONS + 1);
        assert_eq!(fewer.values().sum::<u64>(), many.values().sum::<u64>());
        assert_eq!(fewer[clipa_schemas::ledger::OTHER_REASONS], (0..30).sum::<u64>());
    }
}
