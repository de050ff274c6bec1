//! What an input says about itself, compared with what it holds.

use std::collections::BTreeMap;

use clipa_schemas::members::Members;

/// What an input says about itself, compared with what it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// What is wrong, one sentence each.
    pub problems: Vec<String>,
    /// Images that are not in the input because they were never downloaded, by reason.
    pub not_downloaded: BTreeMap<String, u64>,
    /// What became of its members.
    pub members: Members,
}
