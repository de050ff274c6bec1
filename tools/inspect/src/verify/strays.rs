//! Files in the folders of shards and rejects that no entry names: of ours, and of strangers.

use std::{fs, path::Path};

use clipa_schemas::{
    ledger::{UnitEntry, file_revision, unit_file},
    manifest::{REJECTS, SHARDS},
    temporary::is_temporary,
};

use super::findings::{Findings, entry_name};

/// Said of a temporary file of ours. Every row may be right all the same.
pub(super) const LEFT_BY_A_RUN: &str =
    "a temporary file of a run that was killed, or is under way; the next run removes it";

/// Files in the folders of shards and rejects that no entry names.
pub(super) fn find(folder: &Path, entries: &[UnitEntry], findings: &mut Findings) {
    let mut known: Vec<String> = entries.iter().map(|entry| entry_name(entry.unit)).collect();
    for entry in entries {
        known.extend(entry.shard.iter().map(|shard| shard.file.file.clone()));
        known.extend(entry.rejects.iter().map(|file| file.file.clone()));
    }
    let said: Vec<String> = findings.problems.iter().map(|problem| problem.file.clone()).collect();
    for part in [SHARDS, REJECTS] {
        let Ok(files) = fs::read_dir(folder.join(part)) else { continue };
        let mut names: Vec<String> = files
            .filter_map(|file| Some(file.ok()?.file_name().to_string_lossy().into_owned()))
            .map(|name| format!("{part}/{name}"))
            .collect();
        names.sort_unstable();
        for name in names {
            if known.contains(&name) || said.contains(&name) {
                continue;
            }
            if is_temporary(&name[part.len() + 1..]) {
                findings.problem(name, LEFT_BY_A_RUN);
            } else if is_replaced(&name, entries) {
                let what = format!("{name} is left over: taking rows out was interrupted");
                findings.problem("dataset.json", what);
            } else {
                findings.problem(name, "belongs to no unit of the data set");
            }
        }
    }
}

/// Is it another revision of a file of a unit that is there?
fn is_replaced(name: &str, entries: &[UnitEntry]) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    let revision = file_revision(file);
    entries
        .iter()
        .any(|entry| file == unit_file(entry.unit, revision) && revision.max(entry.revision()) > 0)
}
