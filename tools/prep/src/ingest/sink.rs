//! Where the verdicts of one unit come together again, in the order of its source, and become files.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use clipa_schemas::{
    Result,
    ledger::{Ledger, Source, UnitEntry, unit_stem},
    manifest::{REJECTS, SHARDS, entry_path},
    rejects::{self, Reject},
    shard::{ShardBuffers, ShardLayout, ShardWriter},
};

use super::{account::Account, sample::Verdict};

/// Collects a unit's chunks, finished in any order by any thread, and writes them in order.
///
/// Whichever thread brings the next chunk in order writes it and what is parked behind it; the others only park
/// theirs and go on. So nobody waits for the disk but the one who writes.
pub(super) struct UnitSink {
    state: Mutex<State>,
}

struct State {
    /// Index of the next chunk to be written.
    next: usize,
    parked: BTreeMap<usize, Vec<Verdict>>,
    /// Absent while a thread writes.
    files: Option<UnitFiles>,
    /// The unit was given up: what comes is dropped.
    abandoned: bool,
}

/// The files of a unit under construction.
pub(super) struct UnitFiles {
    dataset: PathBuf,
    unit: u32,
    layout: ShardLayout,
    shard: Option<ShardWriter>,
    /// For the shard, until it is begun.
    buffers: ShardBuffers,
    rejects: Vec<Reject>,
    ledger: Ledger,
    chunks_left: usize,
}

/// What a finished unit leaves: its entry, and memory for the next one.
pub(super) struct Committed {
    pub(super) entry: UnitEntry,
    pub(super) buffers: ShardBuffers,
}

/// What [`UnitSink::deliver`] did with a chunk.
pub(super) enum Delivered {
    /// It was parked, or written, together with this many others; the unit is not done.
    Written(usize),
    /// It was the last one: the unit's files are complete but for the commit.
    Last(usize, Box<UnitFiles>),
}

impl UnitSink {
    /// A sink for a unit of `chunks` chunks, at least one.
    pub(super) fn new(files: UnitFiles) -> UnitSink {
        let (next, parked, files) = (0, BTreeMap::new(), Some(files));
        UnitSink { state: Mutex::new(State { next, parked, files, abandoned: false }) }
    }

    /// Brings a chunk; gives how many chunks were written meanwhile.
    ///
    /// # Errors
    /// Those of [`ShardWriter::append`].
    pub(super) fn deliver(&self, chunk: usize, verdicts: Vec<Verdict>) -> Result<Delivered> {
        let mut state = self.lock();
        if state.abandoned {
            return Ok(Delivered::Written(1));
        }
        state.parked.insert(chunk, verdicts);
        let Some(mut files) = state.files.take() else { return Ok(Delivered::Written(0)) };
        let mut written = 0;
        loop {
            let next = state.next;
            let Some(verdicts) = state.parked.remove(&next) else {
                state.files = Some(files);
                return Ok(Delivered::Written(written));
            };
            state.next += 1;
            drop(state);
            files.append(verdicts)?;
            written += 1;
            if files.chunks_left == 0 {
                return Ok(Delivered::Last(written, Box::new(files)));
            }
            state = self.lock();
            if state.abandoned {
                return Ok(Delivered::Written(written));
            }
        }
    }

    /// Gives the unit up: drops what was brought, leaves no file. Gives the number of chunks that were parked.
    pub(super) fn abandon(&self) -> usize {
        let mut state = self.lock();
        state.abandoned = true;
        state.files = None;
        std::mem::take(&mut state.parked).len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // a thread that panicked while it held the lock ends the whole run; what it left is not used
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UnitFiles {
    /// The files of unit number `unit`, none of them begun.
    pub(super) fn new(
        dataset: &Path,
        unit: u32,
        layout: &ShardLayout,
        buffers: ShardBuffers,
        chunks: usize,
    ) -> UnitFiles {
        UnitFiles {
            dataset: dataset.to_owned(),
            unit,
            layout: layout.clone(),
            shard: None,
            buffers,
            rejects: Vec::new(),
            ledger: Ledger::default(),
            chunks_left: chunks,
        }
    }

    fn append(&mut self, verdicts: Vec<Verdict>) -> Result<()> {
        for verdict in verdicts {
            match verdict {
                Verdict::Accepted(sample, repairs) => {
                    self.shard()?.append(&sample)?;
                    self.ledger.accept(repairs);
                }
                Verdict::Rejected(reject) => {
                    self.ledger.reject(&reject.reason);
                    self.rejects.push(*reject);
                }
            }
        }
        self.chunks_left -= 1;
        Ok(())
    }

    fn shard(&mut self) -> Result<&mut ShardWriter> {
        let writer = match self.shard.take() {
            Some(writer) => writer,
            None => {
                let file = unit_stem(self.unit) + ".parquet";
                let path = self.dataset.join(SHARDS).join(file);
                ShardWriter::create_with(&path, &self.layout, std::mem::take(&mut self.buffers))?
            }
        };
        Ok(self.shard.insert(writer))
    }

    /// Makes the unit durable: shard, rejects, and last the entry, which is the commit mark.
    ///
    /// # Errors
    /// [`clipa_schemas::Error::Io`]; a run that continues does the unit again.
    pub(super) fn commit(
        self,
        source: Source,
        configuration_sha256: &str,
        account: Account,
    ) -> Result<Committed> {
        let file = unit_stem(self.unit) + ".parquet";
        let (shard, buffers) = match self.shard {
            Some(writer) => {
                let (digest, buffers) = writer.finish_with(format!("{SHARDS}/{file}"))?;
                (Some(digest), buffers)
            }
            None => (None, self.buffers),
        };
        let rejects = match self.rejects.as_slice() {
            [] => None,
            rejects => {
                let path = self.dataset.join(REJECTS).join(&file);
                Some(rejects::write(&path, &format!("{REJECTS}/{file}"), rejects)?)
            }
        };
        let entry = UnitEntry {
            unit: self.unit,
            source,
            configuration_sha256: configuration_sha256.to_owned(),
            shard,
            rejects,
            ledger: Ledger { not_downloaded: account.not_downloaded, ..self.ledger },
            problems: account.problems,
        };
        clipa_schemas::file::write_json(&entry_path(&self.dataset, self.unit), &entry)?;
        Ok(Committed { entry, buffers })
    }
}
