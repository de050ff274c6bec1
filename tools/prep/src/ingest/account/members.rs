//! What became of every member of a tar.

use clipa_schemas::members::Members;

use crate::archive::{
    LooseReason, MemberId, SampleEntry, TarIndex, is_named_as_image, shown_suffix,
};

/// Counts the members that samples are made of, by suffix, and the others, by reason. Walked are those of the walk, so
/// that a member which is in no sample and not loose, or in two, does not add up.
pub fn members_of(tar: &TarIndex) -> Members {
    let mut members = Members { walked: tar.members.len() as u64, ..Members::default() };
    for sample in &tar.samples {
        members.keys_cut_at_last_dot += u64::from(sample.is_cut_at_last);
        for member in sample.members() {
            let name = &tar.member(member).name;
            let suffix = shown_suffix(name, sample.is_cut_at_last);
            match passed_over(sample, member, name) {
                None => members.used(&suffix, 1),
                Some(FURTHER_IMAGE) => members.ignored(FURTHER_IMAGE, 1),
                Some(reason) => members.ignored(&format!("{reason} {suffix}"), 1),
            }
        }
    }
    for loose in &tar.loose {
        let reason = loose.reason.name();
        match loose.reason {
            LooseReason::Suffix => {
                let suffix = shown_suffix(&tar.member(loose.member).name, false);
                members.ignored(&format!("{reason} {suffix}"), 1);
            }
            _ => members.ignored(reason, 1),
        }
    }
    members
}

/// An image beside the one that its sample is made of.
const FURTHER_IMAGE: &str = "further_image";

/// Why a member of a sample is not read.
fn passed_over(sample: &SampleEntry, member: MemberId, name: &[u8]) -> Option<&'static str> {
    // they are in the order of the tar
    sample.other.binary_search(&member).ok()?;
    let is_further = sample.image.is_some() && is_named_as_image(name);
    Some(if is_further { FURTHER_IMAGE } else { "suffix" })
}
