//! What is wrong with a tar as such, in sentences.

use std::collections::BTreeMap;

use crate::archive::{TarEnd, TarIndex, readable};

/// Places of damage that are named; a broken tar may have one at every block.
const NAMED_DAMAGE: usize = 8;

/// What is wrong with a tar as such: damage, an early end, members that may have been part of a sample.
pub fn tar_problems(tar: &TarIndex) -> Vec<String> {
    let mut problems: Vec<String> = tar.unpacking.clone().into_iter().collect();
    for damage in tar.damage.iter().take(NAMED_DAMAGE) {
        problems.push(format!(
            "{} bytes at offset {} are no tar member ({:?})",
            damage.bytes, damage.offset, damage.kind
        ));
    }
    if let Some(more) = tar.damage.get(NAMED_DAMAGE..).filter(|more| !more.is_empty()) {
        let bytes = more.iter().fold(0u64, |sum, damage| sum.saturating_add(damage.bytes));
        problems.push(format!("{bytes} bytes at {} other places are no tar member", more.len()));
    }
    match tar.end {
        TarEnd::Clean => {}
        TarEnd::MissingMark { offset } => {
            problems
                .push(format!("no end mark at offset {offset}: the tar may have been cut there"));
        }
        TarEnd::Truncated { offset } => problems.push(format!("cut off at offset {offset}")),
        TarEnd::Garbage { offset } => {
            problems.push(format!("bytes that are no tar member from offset {offset} to the end"));
        }
    }
    problems.extend(lost_members(tar));
    problems
}

/// One sentence for each reason for which members are in no sample that may have been part of one.
fn lost_members(tar: &TarIndex) -> Vec<String> {
    let mut lost: BTreeMap<&str, (u64, &[u8])> = BTreeMap::new();
    for loose in tar.loose.iter().filter(|loose| loose.reason.is_a_problem()) {
        lost.entry(loose.reason.name()).or_insert((0, &tar.member(loose.member).name)).0 += 1;
    }
    let sentence = |(reason, (count, first)): (&str, (u64, &[u8]))| {
        let first = readable(&first[..first.len().min(SHOWN_NAME_BYTES)]);
        match count {
            1 => format!("member `{first}` belongs to no sample ({reason})"),
            _ => format!("{count} members belong to no sample ({reason}; first `{first}`)"),
        }
    };
    lost.into_iter().map(sentence).collect()
}

/// Bytes of a member's path in a sentence.
const SHOWN_NAME_BYTES: usize = 200;
