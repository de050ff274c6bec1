//! Lists and filters that did nothing: said at the end of a run, so that nobody believes in a filter that had no data.

use clipa_schemas::ledger::Ledger;

use super::{judge::DENIED, known::MISSING_VALUE, options::Filter};

/// A sentence for each list that named nothing and each filter that no row had a value for. `is_whole`: did this run see
/// every input, so that what the lists met is what all samples are?
pub(super) fn idle(filter: &Filter, totals: &Ledger, is_whole: bool) -> Vec<String> {
    let mut said = Vec::new();
    if totals.found == 0 {
        return said;
    }
    let denied = totals.rejected.get(DENIED).copied().unwrap_or_default();
    for (flag, list) in [("--deny", &filter.deny), ("--allow", &filter.allow)] {
        let Some(list) = list else { continue };
        for part in list.matched() {
            // of inputs that were done before only the sum is known
            let is_idle = part.matched == 0 && (is_whole || flag == "--deny" && denied == 0);
            if is_idle {
                let (list, entries) = (&part.list, part.size());
                said.push(format!("{flag} {list} names no sample of these inputs ({entries})"));
            }
        }
    }
    for (flag, reason, what) in [
        ("--deny", DENIED, "URL or MD5"),
        ("--min-similarity", "similarity", "similarity"),
        ("--max-punsafe", "punsafe", "punsafe"),
        ("--max-pwatermark", "pwatermark", "pwatermark"),
        ("--language", "language", "language"),
        ("--drop-nsfw", "nsfw", "NSFW verdict"),
    ] {
        let has_judged = totals.rejected.contains_key(reason);
        let unfiltered = totals.unfiltered.get(flag).copied().unwrap_or_default();
        if unfiltered > 0 && unfiltered >= totals.accepted && !has_judged {
            said.push(format!("{flag}: no sample had a {what}, so that it kept nothing out"));
        }
    }
    let missing = totals.rejected.get(MISSING_VALUE).copied().unwrap_or_default();
    if missing == totals.found {
        said.push("--drop-missing: no sample had every value that the filters ask for".to_owned());
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_without_any_value_is_said_and_one_with_some_is_not() {
        let filter = Filter { min_similarity: Some(0.3), ..Filter::default() };
        assert!(idle(&filter, &Ledger::default(), true).is_empty(), "nothing was found");
        let mut totals = Ledger::of(3);
        for _ in 0..2 {
            totals.accept([]);
            totals.pass_unfiltered(["--min-similarity"]);
        }
        assert_eq!(
            idle(&filter, &totals, true),
            ["--min-similarity: no sample had a similarity, so that it kept nothing out"]
        );
        totals.reject("similarity");
        assert!(idle(&filter, &totals, true).is_empty(), "one had a value");
        totals.rejected.clear();
        totals.accept([]);
        assert!(idle(&filter, &totals, true).is_empty(), "a row had a value");
    }
}
