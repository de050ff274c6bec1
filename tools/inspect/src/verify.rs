//! Whether a data set still is what was written: every checksum, every row, every count.
//!
//! A file whose checksum differs is reported and not decoded. What is decoded is compared with what
//! entry, manifest and schema promise, so that a mistake of the writer is found too.

mod findings;
mod shard;
mod strays;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, convert::Infallible, path::Path};

pub use self::findings::{Findings, Problem};
use clipa_schemas::{
    input_file::InputFile,
    ledger::{Ledger, UnitEntry, file_revision},
    manifest::{Kind, Manifest, SHARDS, TAKEDOWN, Unit, entry_path},
    prompts, rejects,
    vocabulary::{self, VOCABULARY},
};

use self::findings::{entry_name, without_path};
use super::InspectError;
use clipa_pool::in_order;

/// What one unit adds to the findings.
type UnitFindings = Findings;

/// Checks everything with this many threads. `checked` is called with the bytes of each unit when it
/// is done.
///
/// # Errors
/// Only where the folder holds no readable manifest; whatever else is wrong is a [`Problem`].
pub fn verify(
    folder: &Path,
    threads: usize,
    checked: &(dyn Fn(u64) + Sync),
) -> Result<Findings, InspectError> {
    let manifest = Manifest::read(folder)?;
    let mut findings = Findings::default();
    let entries = read_entries(folder, &manifest, &mut findings);
    let Ok(of_units) = in_order(&entries, threads, |entry| {
        let found = check_unit(folder, &manifest, entry);
        checked(found.bytes);
        Ok::<_, Infallible>(found)
    });
    of_units.into_iter().for_each(|found| findings.add(found));
    compare_with_manifest(&manifest, &entries, &mut findings);
    check_vocabulary(folder, &manifest, &mut findings);
    if manifest.kind == Kind::Classes {
        check_prompts(folder, &manifest, &mut findings);
    }
    if folder.join(TAKEDOWN).exists() {
        findings.problem(TAKEDOWN, "a takedown was interrupted: run it again");
    }
    strays::find(folder, &entries, &mut findings);
    Ok(findings)
}

/// The entry of every unit in the manifest; of an incomplete data set, every entry that is there.
fn read_entries(folder: &Path, manifest: &Manifest, findings: &mut Findings) -> Vec<UnitEntry> {
    if !manifest.complete {
        let what = "not complete: the run that makes this data set has not ended";
        findings.problem("dataset.json", what);
        return match super::dataset::entries(folder) {
            Ok(entries) => entries,
            Err(error) => {
                findings.problem(SHARDS, error.to_string());
                Vec::new()
            }
        };
    }
    let mut entries = Vec::with_capacity(manifest.units.len());
    for unit in &manifest.units {
        let path = entry_path(folder, unit.unit);
        match clipa_schemas::file::read_json::<UnitEntry>(&path) {
            Ok(entry) => {
                compare_with_unit(unit, &entry, findings);
                entries.push(entry);
            }
            Err(error) => findings.problem(entry_name(unit.unit), without_path(&error, &path)),
        }
    }
    entries
}

fn compare_with_unit(unit: &Unit, entry: &UnitEntry, findings: &mut Findings) {
    let known = unit.shard.as_ref().map_or(0, |shard| file_revision(&shard.file.file));
    if entry.shard != unit.shard && entry.revision() > known {
        let what = format!("unit {} is newer than it: taking rows out was interrupted", entry.unit);
        return findings.problem("dataset.json", what);
    }
    let mut differs = |what: &str| {
        findings.problem(entry_name(unit.unit), format!("{what} differs from the manifest's"));
    };
    if entry.unit != unit.unit {
        differs("the unit's number");
    }
    if entry.source != unit.source {
        differs("the source");
    }
    if InputFile::digest_of(&entry.made_from) != unit.made_from_blake3 {
        differs("what it was made from");
    }
    if entry.shard != unit.shard {
        differs("size, checksum or rows of the shard");
    }
}

/// Everything of one unit: its counts, its shard, its rejects.
fn check_unit(folder: &Path, manifest: &Manifest, entry: &UnitEntry) -> UnitFindings {
    let mut found = Findings { units: 1, ..Findings::default() };
    let name = entry_name(entry.unit);
    if entry.configuration_sha256 != manifest.configuration_sha256 {
        found.problem(&*name, "made with another configuration than the manifest's");
    }
    check_ledger(entry, &name, &mut found);
    if let Some(digest) = &entry.shard {
        found.bytes += digest.file.bytes;
        match digest.file.verify(folder) {
            Ok(()) => {
                found.shards += 1;
                shard::check(folder, manifest, digest, &mut found);
            }
            Err(error) => {
                let what = without_path(&error, &folder.join(&digest.file.file));
                found.problem(&*digest.file.file, what);
            }
        }
    }
    check_rejects(folder, entry, &mut found);
    found
}

fn check_ledger(entry: &UnitEntry, name: &str, found: &mut Findings) {
    let ledger = &entry.ledger;
    if !ledger.is_balanced() {
        let (all, accepted) = (ledger.found, ledger.accepted);
        let rejected = ledger.rejected_total();
        let what = format!("{all} samples found, but {accepted} accepted and {rejected} rejected");
        found.problem(name, what);
    }
    let rows = entry.shard.as_ref().map_or(0, |shard| shard.rows);
    if rows != ledger.accepted {
        let what = format!("{} samples accepted, but {rows} rows", ledger.accepted);
        found.problem(name, what);
    }
    for problem in &entry.problems {
        found.problem(name, format!("reported when it was made: {problem}"));
    }
}

fn check_rejects(folder: &Path, entry: &UnitEntry, found: &mut Findings) {
    let Some(file) = &entry.rejects else {
        if entry.ledger.rejected_total() > 0 {
            let what = "samples were rejected, but no file of rejects is named";
            found.problem(entry_name(entry.unit), what);
        }
        return;
    };
    found.bytes += file.bytes;
    let path = folder.join(&file.file);
    let rejects = match file.verify(folder).and_then(|()| rejects::read(&path)) {
        Ok(rejects) => rejects,
        Err(error) => return found.problem(&*file.file, without_path(&error, &path)),
    };
    found.rejects += rejects.len() as u64;
    let mut counted: BTreeMap<String, u64> = BTreeMap::new();
    for reject in rejects {
        *counted.entry(reject.reason).or_default() += 1;
    }
    if counted != entry.ledger.rejected {
        found.problem(&*file.file, "the reasons do not add up to those of its entry");
    }
}

fn compare_with_manifest(manifest: &Manifest, entries: &[UnitEntry], findings: &mut Findings) {
    if !manifest.complete || entries.len() != manifest.units.len() {
        return;
    }
    let mut totals = Ledger::default();
    entries.iter().for_each(|entry| totals.add(&entry.ledger));
    if totals != manifest.totals {
        findings.problem("dataset.json", "the totals are not the sum of the entries");
    }
}

/// Checksum of the vocabularies' tags, and whether every token column has some.
fn check_vocabulary(folder: &Path, manifest: &Manifest, findings: &mut Findings) {
    let Some(digest) = &manifest.vocabulary else { return };
    let path = folder.join(VOCABULARY);
    if let Err(error) = digest.verify(folder) {
        return findings.problem(VOCABULARY, without_path(&error, &path));
    }
    for tokens in &manifest.tokens {
        match vocabulary::read(folder, tokens) {
            Ok(Some(_)) => {}
            Ok(None) => findings.problem(VOCABULARY, format!("nothing about `{tokens}`")),
            Err(error) => findings.problem(VOCABULARY, without_path(&error, &path)),
        }
    }
}

/// Checksum of the prompts, and every one of them read.
fn check_prompts(folder: &Path, manifest: &Manifest, findings: &mut Findings) {
    let Some(digest) = &manifest.prompts else {
        let what = "the manifest names no prompts: run `clipa-prep classes ingest` again";
        return findings.problem(prompts::PROMPTS, what);
    };
    if let Err(error) = digest.verify(folder) {
        let what = without_path(&error, &folder.join(prompts::PROMPTS));
        return findings.problem(prompts::PROMPTS, what);
    }
    for tokens in &manifest.tokens {
        match prompts::read(folder, tokens) {
            Ok(read) if read.is_empty() => {
                findings.problem(prompts::PROMPTS, "there are no prompts");
            }
            Ok(read) => {
                let broken = (0..read.len()).find_map(|row| {
                    shard::text_problem(read.texts.get(row), tokens, manifest.tagged)
                        .map(|what| format!("prompt {row}, `{tokens}`: {what}"))
                });
                if let Some(what) = broken {
                    findings.problem(prompts::PROMPTS, what);
                }
            }
            Err(error) => {
                let what = without_path(&error, &folder.join(prompts::PROMPTS));
                findings.problem(prompts::PROMPTS, what);
            }
        }
    }
}
