//! `dataset.json`: what a data set is, how it was made, which shards it has.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    file::{FileDigest, read_json, sha256_hex, write_json},
    image_column::ImageColumn,
    input_file::InputFile,
    ledger::{Ledger, ShardDigest, Source, UnitEntry, unit_stem},
};

/// Version of everything on disk: column names and types, entry, manifest.
pub const SCHEMA_VERSION: u32 = 2;

/// Folder of the shards and their entries.
pub const SHARDS: &str = "shards";

/// Folder of the rejected samples.
pub const REJECTS: &str = "rejects";

/// Name of the manifest in the data set's folder.
pub const MANIFEST: &str = "dataset.json";

/// Is there while a takedown is under way, so that one that was interrupted is not forgotten.
pub const TAKEDOWN: &str = "takedown.json";

/// What [`TAKEDOWN`] holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PendingTakedown {
    /// SHA-256 of each of its lists, sorted.
    pub lists_sha256: Vec<String>,
}

impl PendingTakedown {
    /// The takedown that has not ended; `None` where there is none.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Corrupt`].
    pub fn of(dataset: &Path) -> Result<Option<PendingTakedown>> {
        let path = dataset.join(TAKEDOWN);
        if path.is_file() { read_json(&path).map(Some) } else { Ok(None) }
    }
}

/// The manifest. Written when a run begins (without shards) and again, complete, when it ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`SCHEMA_VERSION`] of the writer.
    pub schema_version: u32,
    /// Program and version that wrote it.
    pub created_by: String,
    /// Pairs for training, or a classification set for zero-shot evaluation.
    pub kind: Kind,
    /// Everything that the rows depend on besides the input: options, tagger, tokenizers, decoder.
    pub configuration: BTreeMap<String, String>,
    /// SHA-256 over schema version, `created_by` and configuration.
    pub configuration_sha256: String,
    /// The image columns, in file order.
    pub images: Vec<ImageColumn>,
    /// Names of the token columns.
    pub tokens: Vec<String>,
    /// Do rows carry part-of-speech tags?
    pub tagged: bool,
    /// Did a run end with every unit done?
    pub complete: bool,
    /// Finished units, in order.
    pub units: Vec<Unit>,
    /// The tags of the tokenizers' vocabularies, where a tagger ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vocabulary: Option<FileDigest>,
    /// The prompts of a classification set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompts: Option<FileDigest>,
    /// Sums over the units.
    pub totals: Ledger,
}

/// What a data set is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Image-text pairs.
    Pairs,
    /// Images with a class, and `prompts.parquet` beside them.
    Classes,
}

/// One finished unit in the manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unit {
    /// Its number.
    pub unit: u32,
    /// The input.
    pub source: Source,
    /// [`InputFile::digest_of`] what it was made from.
    pub made_from_blake3: String,
    /// The shard, where a sample was accepted.
    pub shard: Option<ShardDigest>,
}

impl Manifest {
    /// The manifest of a run that begins.
    pub fn begin(
        created_by: &str,
        kind: Kind,
        configuration: BTreeMap<String, String>,
        images: Vec<ImageColumn>,
        tokens: Vec<String>,
        tagged: bool,
    ) -> Manifest {
        let configuration_sha256 = configuration_hash(created_by, &configuration);
        Manifest {
            schema_version: SCHEMA_VERSION,
            created_by: created_by.to_owned(),
            kind,
            configuration,
            configuration_sha256,
            images,
            tokens,
            tagged,
            complete: false,
            units: Vec::new(),
            vocabulary: None,
            prompts: None,
            totals: Ledger::default(),
        }
    }

    /// Reads `dataset.json` of a data set's folder.
    ///
    /// # Errors
    /// [`Error::NotADataset`] where the folder has none or one of another schema version; [`Error::Corrupt`] where
    /// the file is damaged.
    pub fn read(dataset: &Path) -> Result<Manifest> {
        let path = dataset.join(MANIFEST);
        if !path.is_file() {
            let detail = if dataset.is_dir() {
                "not a clipa data set: the folder has no dataset.json".to_owned()
            } else {
                "no such folder".to_owned()
            };
            return Err(Error::NotADataset { path: dataset.into(), detail });
        }
        /// Read first, so that another version is not reported as a damaged file.
        #[derive(Deserialize)]
        struct Version {
            schema_version: u32,
        }
        let Version { schema_version } = read_json(&path)?;
        if schema_version != SCHEMA_VERSION {
            let detail = format!(
                "schema version {schema_version}, this program reads {SCHEMA_VERSION}: use the program that made \
                 it, or prepare the data again"
            );
            return Err(Error::NotADataset { path, detail });
        }
        let manifest: Manifest = read_json(&path)?;
        let expected = configuration_hash(&manifest.created_by, &manifest.configuration);
        if expected != manifest.configuration_sha256 {
            return Err(Error::corrupt(path, "the configuration does not match its hash"));
        }
        Ok(manifest)
    }

    /// Replaces `dataset.json`, whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, dataset: &Path) -> Result<()> {
        write_json(&dataset.join(MANIFEST), self).map(drop)
    }

    /// Takes over the finished units and sums their ledgers.
    pub fn finish(&mut self, entries: &[UnitEntry], complete: bool) {
        self.complete = complete;
        self.totals = Ledger::default();
        entries.iter().for_each(|entry| self.totals.add(&entry.ledger));
        self.units = entries
            .iter()
            .map(|entry| Unit {
                unit: entry.unit,
                source: entry.source.clone(),
                made_from_blake3: InputFile::digest_of(&entry.made_from),
                shard: entry.shard.clone(),
            })
            .collect();
    }

    /// The shards, in order.
    pub fn shards(&self) -> impl Iterator<Item = &ShardDigest> {
        self.units.iter().filter_map(|unit| unit.shard.as_ref())
    }

    /// Rows in all.
    pub fn rows(&self) -> u64 {
        self.shards().map(|shard| shard.rows).sum()
    }

    /// Differences of two configurations, one line each: `key: ours, theirs`.
    pub fn differences(&self, other: &Manifest) -> Vec<String> {
        let mut lines = Vec::new();
        if self.created_by != other.created_by {
            lines.push(format!("program: {} there, {} now", self.created_by, other.created_by));
        }
        let keys: std::collections::BTreeSet<&String> =
            self.configuration.keys().chain(other.configuration.keys()).collect();
        for key in keys {
            let value = |manifest: &Manifest| {
                manifest.configuration.get(key).cloned().unwrap_or_else(|| "(absent)".to_owned())
            };
            let (there, now) = (value(self), value(other));
            if there != now {
                lines.push(format!("{key}: {there} there, {now} now"));
            }
        }
        lines
    }
}

fn configuration_hash(created_by: &str, configuration: &BTreeMap<String, String>) -> String {
    let text = serde_json::to_string(&(SCHEMA_VERSION, created_by, configuration))
        .expect("strings and numbers always become JSON");
    sha256_hex(text.as_bytes())
}

/// Path of a unit's entry, the commit mark.
pub fn entry_path(dataset: &Path, unit: u32) -> PathBuf {
    dataset.join(SHARDS).join(unit_stem(unit) + ".json")
}

/// Reads every unit's entry, in order of their numbers.
///
/// # Errors
/// [`Error::Io`], [`Error::Corrupt`].
pub fn read_entries(dataset: &Path) -> Result<Vec<UnitEntry>> {
    let folder = dataset.join(SHARDS);
    let mut entries: Vec<UnitEntry> = Vec::new();
    for file in std::fs::read_dir(&folder).map_err(Error::io(&folder))? {
        let path = file.map_err(Error::io(&folder))?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && path.extension().is_some_and(|extension| extension == "json") {
            entries.push(read_json(&path)?);
        }
    }
    entries.sort_by_key(|entry| entry.unit);
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(threads: &str) -> Manifest {
        let configuration = BTreeMap::from([("max-aspect".to_owned(), threads.to_owned())]);
        Manifest::begin("clipa-prep 0.1.0", Kind::Pairs, configuration, vec![], vec![], true)
    }

    #[test]
    fn a_manifest_survives_the_disk_and_names_differences() {
        let folder = tempfile::tempdir().unwrap();
        let first = manifest("3");
        first.write(folder.path()).unwrap();
        assert_eq!(Manifest::read(folder.path()).unwrap(), first);
        let other = manifest("4");
        assert_ne!(first.configuration_sha256, other.configuration_sha256);
        assert_eq!(first.differences(&other), ["max-aspect: 3 there, 4 now"]);
    }

    #[test]
    fn another_version_or_no_manifest_is_said_plainly() {
        let folder = tempfile::tempdir().unwrap();
        let error = Manifest::read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("not a clipa data set"), "{error}");
        std::fs::write(folder.path().join(MANIFEST), r#"{"schema_version": 99}"#).unwrap();
        let error = Manifest::read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("schema version 99"), "{error}");
    }
}
