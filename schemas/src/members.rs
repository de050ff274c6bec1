//! What became of every member of an input: it is part of a sample, or ignored for a named reason.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Names of suffixes and reasons that are counted apart; members of more are counted under [`OTHER_NAMES`]. Names come
/// from the data, and may all be different.
pub const MAX_NAMES: usize = 64;

/// Under what members of rarer suffixes are counted together.
pub const OTHER_NAMES: &str = "others";

/// Counts of the members of one unit's input, or the sum over units. Walked = used + ignored, and walked is counted by the
/// walk over the input, the others by what was made of its members.
///
/// ```
/// use clipa_schemas::members::Members;
/// let mut members = Members { walked: 3, ..Members::default() };
/// members.used(".jpg", 2);
/// assert!(!members.is_balanced());
/// members.ignored("directory", 1);
/// assert!(members.is_balanced());
/// assert_eq!((members.used_total(), members.ignored_total()), (2, 1));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Members {
    /// Members (of a folder: files) that the walk over the input met.
    pub walked: u64,
    /// Those that samples are made of, by suffix.
    pub used: BTreeMap<String, u64>,
    /// The others, by reason.
    pub ignored: BTreeMap<String, u64>,
    /// Samples whose key ends at the last dot of their names, not at the first one as WebDataset has it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub keys_cut_at_last_dot: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Members {
    /// Counts members that are part of a sample.
    pub fn used(&mut self, suffix: &str, count: u64) {
        add(&mut self.used, suffix, count);
    }

    /// Counts members that are not.
    pub fn ignored(&mut self, reason: &str, count: u64) {
        add(&mut self.ignored, reason, count);
    }

    /// Members of samples, all suffixes together.
    pub fn used_total(&self) -> u64 {
        total(&self.used)
    }

    /// Members of no sample, all reasons together.
    pub fn ignored_total(&self) -> u64 {
        total(&self.ignored)
    }

    /// Does walked equal used plus ignored?
    pub fn is_balanced(&self) -> bool {
        self.walked == self.used_total().saturating_add(self.ignored_total())
    }

    /// Adds another input's counts.
    pub fn add(&mut self, other: &Members) {
        self.walked = self.walked.saturating_add(other.walked);
        self.keys_cut_at_last_dot =
            self.keys_cut_at_last_dot.saturating_add(other.keys_cut_at_last_dot);
        other.used.iter().for_each(|(suffix, &count)| self.used(suffix, count));
        other.ignored.iter().for_each(|(reason, &count)| self.ignored(reason, count));
    }
}

fn add(counts: &mut BTreeMap<String, u64>, name: &str, count: u64) {
    let is_full = counts.len() >= MAX_NAMES && !counts.contains_key(name);
    let name = if is_full { OTHER_NAMES } else { name };
    let counted = counts.entry(name.to_owned()).or_default();
    *counted = counted.saturating_add(count);
}

fn total(counts: &BTreeMap<String, u64>) -> u64 {
    counts.values().fold(0, |sum, &count| sum.saturating_add(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_no_member_is_lost() {
        let mut all = Members::default();
        for unit in 0..10u64 {
            let mut members = Members { walked: 40, keys_cut_at_last_dot: 1, ..Members::default() };
            for suffix in 0..20 {
                members.used(&format!(".{}", 20 * unit + suffix), 1);
                members.ignored(&format!("suffix .{}", 20 * unit + suffix), 1);
            }
            assert!(members.is_balanced());
            all.add(&members);
        }
        assert!(all.is_balanced());
        assert_eq!((all.used.len(), all.ignored.len()), (MAX_NAMES + 1, MAX_NAMES + 1));
        assert_eq!((all.walked, all.used[OTHER_NAMES], all.keys_cut_at_last_dot), (400, 136, 10));
    }
}
