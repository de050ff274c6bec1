//! The output folder: locked, guarded against another configuration, and asked what is already done.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::{Context, Result, anyhow, bail};
use clipa_schemas::{
    ledger::UnitEntry,
    manifest::{MANIFEST, Manifest, PendingTakedown, REJECTS, SHARDS, entry_path, read_entries},
    vocabulary,
};

use super::{
    lock::{LOCK, lock},
    rowless::remove_rowless,
    settle::{self, remove_replaced_files, remove_temporary_files, settle},
};
use clipa_talk::{Failure, Printer, shell};
use clipa_text::TextParts;

/// An output folder that this run may write to.
#[derive(Debug)]
pub struct Output {
    dataset: PathBuf,
    manifest: Manifest,
    done: BTreeMap<u32, UnitEntry>,
    _lock: Option<File>,
}

impl Output {
    /// Opens or begins the data set in `dataset`.
    ///
    /// # Errors
    /// The folder holds something else, or data of another configuration (with the differences), or another run is
    /// writing to it, or the system refuses.
    pub fn open(dataset: &Path, manifest: Manifest, printer: &Printer) -> Result<Output> {
        refuse_foreign_folder(dataset)?;
        for folder in [SHARDS, REJECTS] {
            let folder = dataset.join(folder);
            fs::create_dir_all(&folder)
                .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        }
        let lock = lock(dataset, printer)?;
        remove_rowless(dataset)?;
        let mut done = BTreeMap::new();
        if dataset.join(MANIFEST).exists() {
            refuse_other_configuration(dataset, &manifest)?;
            done = read_entries(dataset)?.into_iter().map(|entry| (entry.unit, entry)).collect();
        } else {
            manifest.write(dataset)?;
        }
        refuse_pending_takedown(dataset)?;
        settle(dataset, &done)?;
        if let Some(entry) =
            done.values().find(|entry| entry.configuration_sha256 != manifest.configuration_sha256)
        {
            bail!("{}: unit {} was made with another configuration", dataset.display(), entry.unit);
        }
        remove_temporary_files(dataset)?;
        Ok(Output { dataset: dataset.to_owned(), manifest, done, _lock: lock })
    }

    /// Opens a data set that is there, to take rows out of it.
    ///
    /// # Errors
    /// The folder holds no data set, another run is writing to it, or the system refuses.
    pub fn reopen(dataset: &Path, printer: &Printer) -> Result<Output> {
        Manifest::read(dataset)?;
        let lock = lock(dataset, printer)?;
        let entries = read_entries(dataset)?;
        let done = entries.into_iter().map(|entry| (entry.unit, entry)).collect();
        settle(dataset, &done)?;
        remove_temporary_files(dataset)?;
        let manifest = Manifest::read(dataset)?;
        Ok(Output { dataset: dataset.to_owned(), manifest, done, _lock: lock })
    }

    /// Did a run end with every unit done, and has no unit come or gone since?
    pub fn is_complete(&self) -> bool {
        settle::is_complete(&self.manifest, &self.done)
    }

    /// The folder.
    pub fn dataset(&self) -> &Path {
        &self.dataset
    }

    /// Writes what the tagger says of the tokenizers' vocabularies, where an earlier run did not.
    ///
    /// # Errors
    /// The file or the manifest cannot be written.
    pub fn keep_vocabulary(&mut self, text: &TextParts, threads: usize) -> Result<()> {
        let there = Manifest::read(&self.dataset)?;
        self.manifest.vocabulary = there.vocabulary.clone();
        if self.manifest.vocabulary.is_some() || !there.tagged {
            return Ok(());
        }
        let written = vocabulary::write(&self.dataset, &text.vocabularies(threads))?;
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

    /// When the entry of a unit was written, by the file system: what has not changed since is what the unit was made
    /// from. `None` where the entry was replaced since the unit was made, or the time is not known.
    pub fn written(&self, entry: &UnitEntry) -> Option<SystemTime> {
        if entry.revision() > 0 {
            return None;
        }
        fs::metadata(entry_path(&self.dataset, entry.unit)).and_then(|file| file.modified()).ok()
    }

    /// Forgets finished units, so that they are made anew: first the manifest names them no longer, then their entries
    /// go. Their shards stay until others take their place.
    ///
    /// # Errors
    /// Manifest or entries cannot be replaced.
    pub fn forget(&mut self, units: &[u32]) -> Result<()> {
        if units.is_empty() {
            return Ok(());
        }
        units.iter().for_each(|unit| drop(self.done.remove(unit)));
        let mut manifest = Manifest::read(&self.dataset)?;
        let left: Vec<UnitEntry> = self.done.values().cloned().collect();
        manifest.finish(&left, false);
        manifest.write(&self.dataset)?;
        for &unit in units {
            let path = entry_path(&self.dataset, unit);
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
        Ok(())
    }

    /// Takes over entries of units that were finished, or from which rows were taken out.
    pub fn record(&mut self, entries: impl IntoIterator<Item = UnitEntry>) {
        self.done.extend(entries.into_iter().map(|entry| (entry.unit, entry)));
    }

    /// Writes the manifest over all finished units, where that changes anything, and removes files that were
    /// replaced.
    ///
    /// # Errors
    /// The manifest cannot be written.
    pub fn finish(mut self, complete: bool) -> Result<Manifest> {
        let entries: Vec<UnitEntry> = self.done.into_values().collect();
        self.manifest.finish(&entries, complete);
        let there = Manifest::read(&self.dataset)?;
        self.manifest.prompts = there.prompts.clone();
        if there != self.manifest {
            self.manifest.write(&self.dataset)?;
        }
        remove_replaced_files(&self.dataset, entries.iter())?;
        Ok(self.manifest)
    }
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
            return Err(Failure::new(error, "name a new or empty folder").into());
        }
    }
    Ok(())
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
    Err(Failure::new(error, "use the same options as before, or another --output").into())
}

/// Refuses a data set in which a takedown has not ended.
///
/// # Errors
/// There is one (with the lists that end it), or the system refuses.
pub fn refuse_pending_takedown(dataset: &Path) -> Result<()> {
    let Some(pending) = PendingTakedown::of(dataset)? else { return Ok(()) };
    let error = anyhow!("a takedown in {} was interrupted", dataset.display());
    let hint = format!(
        "end it first: clipa-prep takedown {} --deny FILE, with the list of SHA-256 {}",
        shell::quoted(dataset),
        pending.lists_sha256.join(", ")
    );
    Err(Failure::new(error, hint).into())
}
