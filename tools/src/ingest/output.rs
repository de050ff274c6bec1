//! The output folder: locked, guarded against another configuration, and asked what is already done.

use std::{
    collections::BTreeMap,
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, bail};
use clipa_schemas::{
    ledger::{Source, UnitEntry},
    manifest::{MANIFEST, Manifest, REJECTS, SHARDS, read_entries},
    vocabulary,
};

use crate::{printer::Hinted, text::TextParts};

/// Held while a run writes to a folder; the system drops it with the process, so a crash leaves none behind.
const LOCK: &str = ".lock";

/// An output folder that this run may write to.
#[derive(Debug)]
pub struct Output {
    dataset: PathBuf,
    manifest: Manifest,
    done: BTreeMap<u32, UnitEntry>,
    _lock: File,
}

impl Output {
    /// Opens or begins the data set in `dataset`.
    ///
    /// # Errors
    /// The folder holds something else, or data of another configuration (with the differences), or another run is
    /// writing to it, or the system refuses.
    pub fn open(dataset: &Path, manifest: Manifest) -> Result<Output> {
        refuse_foreign_folder(dataset)?;
        for folder in [SHARDS, REJECTS] {
            let folder = dataset.join(folder);
            fs::create_dir_all(&folder)
                .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        }
        let lock = lock(dataset)?;
        let mut done = BTreeMap::new();
        if dataset.join(MANIFEST).exists() {
            refuse_other_configuration(dataset, &manifest)?;
            done = read_entries(dataset)?.into_iter().map(|entry| (entry.unit, entry)).collect();
        } else {
            manifest.write(dataset)?;
        }
        if let Some(entry) =
            done.values().find(|entry| entry.configuration_sha256 != manifest.configuration_sha256)
        {
            bail!("{}: unit {} was made with another configuration", dataset.display(), entry.unit);
        }
        remove_temporary_files(dataset)?;
        Ok(Output { dataset: dataset.to_owned(), manifest, done, _lock: lock })
    }

    /// The folder.
    pub fn dataset(&self) -> &Path {
        &self.dataset
    }

    /// Writes what the tagger says of the tokenizers' vocabularies, where an earlier run did not.
    ///
    /// # Errors
    /// The file or the manifest cannot be written.
    pub fn keep_vocabulary(&mut self, text: &TextParts) -> Result<()> {
        let there = Manifest::read(&self.dataset)?;
        self.manifest.vocabulary = there.vocabulary.clone();
        if self.manifest.vocabulary.is_some() || !there.tagged {
            return Ok(());
        }
        let written = vocabulary::write(&self.dataset, &text.vocabularies())?;
        self.manifest.vocabulary = Some(written.clone());
        Manifest { vocabulary: Some(written), ..there }.write(&self.dataset)?;
        Ok(())
    }

    /// Hash of the configuration that every entry carries.
    pub fn configuration_sha256(&self) -> &str {
        &self.manifest.configuration_sha256
    }

    /// Units that are finished.
    pub fn done(&self) -> &BTreeMap<u32, UnitEntry> {
        &self.done
    }

    /// Is the unit finished? An error where it was made from another input than now.
    ///
    /// # Errors
    /// Name or size of the input differ from those in the entry.
    pub fn is_done(&self, unit: u32, source: &Source) -> Result<bool> {
        let Some(entry) = self.done.get(&unit) else { return Ok(false) };
        if file_name(&entry.source.path) == file_name(&source.path)
            && entry.source.bytes == source.bytes
        {
            return Ok(true);
        }
        let error = anyhow!(
            "unit {unit} in {} was made from {} ({} bytes), and is now to be made from {} ({} bytes)",
            self.dataset.display(),
            entry.source.path,
            entry.source.bytes,
            source.path,
            source.bytes
        );
        let hint = format!(
            "name the same inputs as before, or another --output; to make this unit again delete {SHARDS}/{unit:05}.json \
             there"
        );
        Err(Hinted::new(error, hint).into())
    }

    /// Writes the manifest over all finished units, where that changes anything.
    ///
    /// # Errors
    /// The manifest cannot be written.
    pub fn finish(mut self, new: Vec<UnitEntry>, complete: bool) -> Result<Manifest> {
        self.done.extend(new.into_iter().map(|entry| (entry.unit, entry)));
        let entries: Vec<UnitEntry> = self.done.into_values().collect();
        self.manifest.finish(&entries, complete);
        let there = Manifest::read(&self.dataset)?;
        self.manifest.prompts = there.prompts.clone();
        if there != self.manifest {
            self.manifest.write(&self.dataset)?;
        }
        Ok(self.manifest)
    }
}

fn file_name(path: &str) -> Option<&std::ffi::OsStr> {
    Path::new(path).file_name()
}

fn refuse_foreign_folder(dataset: &Path) -> Result<()> {
    if dataset.join(MANIFEST).exists() || !dataset.exists() {
        return Ok(());
    }
    if !dataset.is_dir() {
        bail!("--output {} is a file, not a folder", dataset.display());
    }
    let ours = [SHARDS, REJECTS, LOCK].map(std::ffi::OsString::from);
    let entries =
        fs::read_dir(dataset).with_context(|| format!("cannot look into {}", dataset.display()))?;
    for entry in entries {
        let name = entry?.file_name();
        if !ours.contains(&name) && !name.to_string_lossy().starts_with(".dataset.json") {
            let error = anyhow!(
                "--output {} is not empty and holds no clipa data set (found `{}`)",
                dataset.display(),
                name.to_string_lossy()
            );
            return Err(Hinted::new(error, "name a new or empty folder").into());
        }
    }
    Ok(())
}

fn lock(dataset: &Path) -> Result<File> {
    let path = dataset.join(LOCK);
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let error = anyhow!("another run is writing to {}", dataset.display());
            Err(Hinted::new(error, "wait for it, or name another --output").into())
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

fn refuse_other_configuration(dataset: &Path, now: &Manifest) -> Result<()> {
    let there = Manifest::read(dataset)?;
    if there.configuration_sha256 == now.configuration_sha256 && there.kind == now.kind {
        return Ok(());
    }
    let mut differences = there.differences(now);
    if there.kind != now.kind {
        differences.push(format!("kind: {:?} there, {:?} now", there.kind, now.kind));
    }
    let error = anyhow!(
        "--output {} holds data of another configuration: {}",
        dataset.display(),
        differences.join("; ")
    );
    Err(Hinted::new(error, "use the same options as before, or another --output").into())
}

/// What an interrupted run left under temporary names.
fn remove_temporary_files(dataset: &Path) -> Result<()> {
    for folder in [dataset.to_owned(), dataset.join(SHARDS), dataset.join(REJECTS)] {
        for entry in fs::read_dir(&folder)
            .with_context(|| format!("cannot look into {}", folder.display()))?
        {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with('.') && name.ends_with(".tmp") {
                fs::remove_file(entry.path())
                    .with_context(|| format!("cannot remove {}", entry.path().display()))?;
            }
        }
    }
    Ok(())
}
