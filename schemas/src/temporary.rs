//! Names of files that a run has begun and not finished.

use crate::{
    manifest::{MANIFEST, TAKEDOWN},
    prompts::PROMPTS,
    vocabulary::VOCABULARY,
};

/// Files of a data set that have one name.
const SINGLE: [&str; 4] = [MANIFEST, TAKEDOWN, PROMPTS, VOCABULARY];

/// Is it the name under which a program of ours writes a file of a data set until that is whole? A killed run leaves
/// some; the next one removes them. Files of other programs are not ours to remove, whatever they end in.
///
/// ```
/// use clipa_schemas::temporary::is_temporary;
/// assert!(is_temporary(".00017.parquet.tmp") && is_temporary(".dataset.json.tmp"));
/// assert!(!is_temporary(".notes.txt.tmp") && !is_temporary("00017.parquet"));
/// ```
pub fn is_temporary(name: &str) -> bool {
    let target = name.strip_prefix('.').and_then(|name| name.strip_suffix(".tmp"));
    target.is_some_and(|target| {
        // between name and ending there may be a token of the process
        let without_token = target.rsplit_once('.').map_or(target, |(before, _)| before);
        is_ours(target) || is_ours(without_token)
    })
}

fn is_ours(target: &str) -> bool {
    let is_unit = || {
        let mut parts = target.split('.');
        let stem = parts.next().unwrap_or_default();
        let ending = parts.next_back().unwrap_or_default();
        stem.len() >= 5
            && stem.bytes().all(|byte| byte.is_ascii_digit())
            && matches!(ending, "parquet" | "json")
            && parts.all(|revision| revision.parse::<u32>().is_ok())
    };
    SINGLE.contains(&target) || is_unit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_ours_are_told_from_those_of_strangers() {
        for ours in [
            ".00000.parquet.tmp",
            ".00000.json.tmp",
            ".231349.2.parquet.tmp",
            ".00017.parquet.4711-1.tmp",
            ".dataset.json.tmp",
            ".vocabulary.parquet.tmp",
            ".prompts.parquet.tmp",
            ".takedown.json.tmp",
        ] {
            assert!(is_temporary(ours), "{ours}");
        }
        for other in [
            ".tmp",
            ".a.tmp",
            ".x.parquet.tmp",
            "00000.parquet.tmp",
            ".00000.parquet",
            ".1.json.tmp",
            ".00000.txt.tmp",
            ".00000.a.b.parquet.tmp",
            "..tmp",
            "",
            ".00000.tmp",
        ] {
            assert!(!is_temporary(other), "{other}");
        }
    }
}
