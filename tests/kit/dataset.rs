//! Small data sets, written unit by unit by the writer that `clipa-prep` uses, without a program.

use clipa_schemas::file::write_json;
use clipa_schemas::ledger::{Ledger, Source, UnitEntry, unit_file};
use clipa_schemas::manifest::{Manifest, REJECTS, SHARDS, entry_path};
use clipa_schemas::rejects::{self, Reject};
use clipa_schemas::sample::Sample;
use clipa_schemas::shard::{ShardLayout, ShardWriter};
use std::path::{Path, PathBuf};

/// Length in bytes that the entries name for the tars that never were.
const TAR_BYTES: u64 = 10_240;

/// A data set under construction.
pub struct DataSet {
    folder: PathBuf,
    /// As it was begun; a test may add what lies beside the shards before [`DataSet::finish`].
    pub manifest: Manifest,
    entries: Vec<UnitEntry>,
}

/// A unit under construction.
pub struct Unit {
    number: u32,
    shard: ShardWriter,
    ledger: Ledger,
    rejects: Vec<Reject>,
}

impl DataSet {
    /// Begins a data set with the columns that the manifest names.
    pub fn begin(folder: &Path, manifest: Manifest) -> Self {
        for part in [SHARDS, REJECTS] {
            std::fs::create_dir_all(folder.join(part)).expect("a folder can be made");
        }
        Self { folder: folder.to_owned(), manifest, entries: Vec::new() }
    }

    /// Begins the next unit.
    pub fn unit(&self) -> Unit {
        let number = u32::try_from(self.entries.len()).expect("few units");
        let layout = ShardLayout {
            images: self.manifest.images.clone(),
            tokens: self.manifest.tokens.clone(),
        };
        let path = self.folder.join(SHARDS).join(unit_file(number, 0));
        let shard = ShardWriter::create(&path, &layout).expect("a shard can be begun");
        Unit { number, shard, ledger: Ledger::default(), rejects: Vec::new() }
    }

    /// Writes the unit's files and its entry.
    pub fn commit(&mut self, unit: Unit) {
        let file = unit_file(unit.number, 0);
        let shard = unit.shard.finish(format!("{SHARDS}/{file}")).expect("a shard can be written");
        let rejects = (!unit.rejects.is_empty()).then(|| {
            let name = format!("{REJECTS}/{file}");
            rejects::write(&self.folder.join(&name), &name, &unit.rejects)
                .expect("rejects can be written")
        });
        let entry = UnitEntry {
            unit: unit.number,
            source: Source { path: format!("{:05}.tar", unit.number), bytes: TAR_BYTES },
            made_from: Vec::new(),
            configuration_sha256: self.manifest.configuration_sha256.clone(),
            shard: Some(shard),
            rejects,
            ledger: unit.ledger,
            problems: Vec::new(),
        };
        write_json(&entry_path(&self.folder, unit.number), &entry)
            .expect("an entry can be written");
        self.entries.push(entry);
    }

    /// Writes the manifest of a finished run.
    pub fn finish(mut self) {
        self.manifest.finish(&self.entries, true);
        self.manifest.write(&self.folder).expect("the manifest can be written");
    }
}

impl Unit {
    /// Adds a row, and counts what was repaired in it.
    pub fn accept<'a>(&mut self, sample: &Sample, repairs: impl IntoIterator<Item = &'a str>) {
        self.shard.append(sample).expect("a sample of the manifest's columns");
        self.ledger.accept(repairs);
    }

    /// Adds a rejected sample.
    pub fn reject(&mut self, reject: Reject) {
        self.ledger.reject(&reject.reason);
        self.rejects.push(reject);
    }
}

/// Writes a data set with shards of so many rows and no rejects; `sample` makes each row from its number in the data set.
pub fn write_shards(
    folder: &Path,
    manifest: Manifest,
    shards: &[u32],
    mut sample: impl FnMut(u32) -> Sample,
) {
    let mut set = DataSet::begin(folder, manifest);
    let mut first = 0;
    for &rows in shards {
        let mut unit = set.unit();
        (first..first + rows).for_each(|row| unit.accept(&sample(row), []));
        first += rows;
        set.commit(unit);
    }
    set.finish();
}
