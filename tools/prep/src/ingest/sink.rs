//! Where the verdicts of one unit come together again, in the order of its source, and become files.

use std::{
    collections::BTreeMap,
    ops::Range,
    path::{Path, PathBuf},
    sync::Mutex,
};

use clipa_pool::{Permit, lock};
use clipa_schemas::{
    Result,
    input_file::InputFile,
    ledger::{Ledger, Source, UnitEntry, unit_stem},
    manifest::{REJECTS, SHARDS, entry_path},
    rejects::{self, Reject},
    shard::{ShardBuffers, ShardLayout, ShardWriter},
};

use super::{
    account::Account,
    in_work::InWork,
    sample::{Noted, Verdict},
    timing::Stage,
};

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
    parked: BTreeMap<usize, Chunk>,
    /// Absent while a thread writes.
    files: Option<UnitFiles>,
    /// The unit was given up: what comes is dropped.
    abandoned: bool,
}

/// The verdicts on a few consecutive samples of the unit.
pub(super) struct Chunk {
    /// Its place among the unit's chunks.
    pub(super) number: usize,
    /// Its samples, at least one, by their indices in the source.
    pub(super) samples: Range<usize>,
    /// One for each sample, in order.
    pub(super) verdicts: Vec<Verdict>,
    /// Returns itself when the chunk is written or dropped.
    pub(super) permit: Permit,
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

impl UnitSink {
    /// A sink for a unit of `chunks` chunks, at least one.
    pub(super) fn new(files: UnitFiles) -> UnitSink {
        let (next, parked, files) = (0, BTreeMap::new(), Some(files));
        UnitSink { state: Mutex::new(State { next, parked, files, abandoned: false }) }
    }

    /// Brings a chunk: parks it, or writes it with those that waited for it. Returns the unit's files when the last one
    /// is written: they are complete but for the commit.
    ///
    /// `in_work` names the samples that are being written.
    ///
    /// # Errors
    /// Those of [`ShardWriter::append`].
    pub(super) fn deliver(
        &self,
        chunk: Chunk,
        in_work: &mut InWork,
    ) -> Result<Option<Box<UnitFiles>>> {
        let mut state = lock(&self.state);
        if state.abandoned {
            return Ok(None);
        }
        state.parked.insert(chunk.number, chunk);
        let Some(mut files) = state.files.take() else { return Ok(None) };
        loop {
            let next = state.next;
            let Some(chunk) = state.parked.remove(&next) else {
                state.files = Some(files);
                return Ok(None);
            };
            state.next += 1;
            drop(state);
            in_work.samples(Stage::Write, chunk.samples.start, chunk.samples.end - 1);
            files.append(chunk.verdicts)?;
            drop(chunk.permit);
            if files.chunks_left == 0 {
                return Ok(Some(Box::new(files)));
            }
            state = lock(&self.state);
            if state.abandoned {
                return Ok(None);
            }
        }
    }

    /// Ends the work on the unit: drops what was brought, with its permits, and what is brought later; leaves no file.
    pub(super) fn abandon(&self) {
        let mut state = lock(&self.state);
        state.abandoned = true;
        state.files = None;
        state.parked.clear();
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
                Verdict::Accepted(sample, Noted { repairs, unfiltered }) => {
                    self.shard()?.append(&sample)?;
                    self.ledger.accept(repairs);
                    self.ledger.pass_unfiltered(unfiltered);
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
        made_from: Vec<InputFile>,
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
            made_from,
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

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, sync::Barrier, thread};

    use arrow::array::AsArray;
    use clipa_pool::Permits;
    use clipa_schemas::{sample::Sample, shard::ShardReader};
    use tempfile::TempDir;

    use super::*;

    /// Chunks of the unit, each of two samples: a row, and a reject.
    const CHUNKS: usize = 4;

    /// A unit's sink, and what bounds the chunks that are brought to it.
    struct Unit {
        folder: TempDir,
        sink: UnitSink,
        permits: Permits,
    }

    impl Unit {
        fn new() -> Unit {
            let folder = tempfile::tempdir().unwrap();
            for part in [SHARDS, REJECTS] {
                fs::create_dir(folder.path().join(part)).unwrap();
            }
            let layout = ShardLayout::default();
            let files = UnitFiles::new(folder.path(), 0, &layout, ShardBuffers::default(), CHUNKS);
            let permits = Permits::new(CHUNKS as u64);
            Unit { folder, sink: UnitSink::new(files), permits }
        }

        fn chunk(&self, number: usize) -> Chunk {
            let (row, reject) = (2 * number, 2 * number + 1);
            let row = Sample { key: row.to_string(), ..Sample::default() };
            let reject = Reject { key: reject.to_string(), ..Reject::default() };
            Chunk {
                number,
                samples: 2 * number..2 * number + 2,
                verdicts: vec![
                    Verdict::Accepted(Box::new(row), Noted::default()),
                    Verdict::Rejected(Box::new(reject)),
                ],
                permit: self.permits.take(1).unwrap(),
            }
        }

        fn deliver(&self, chunk: Chunk) -> Option<Box<UnitFiles>> {
            self.sink.deliver(chunk, &mut InWork::default()).unwrap()
        }

        /// Chunks that wait in the sink.
        fn parked(&self) -> u64 {
            CHUNKS as u64 - self.permits.free()
        }

        /// Commits, and reads the keys of rows and rejects as they were stored.
        fn stored(&self, files: UnitFiles) -> (Vec<String>, Vec<String>) {
            let source = Source { path: "a.tar".to_owned(), bytes: 1 };
            let entry = files.commit(source, Vec::new(), "", Account::default()).unwrap().entry;
            let shard = self.folder.path().join(entry.shard.unwrap().file.file);
            let rows = ShardReader::open(&shard).unwrap().columns(0, &["key"]).unwrap();
            let keys = rows.column(0).as_string::<i32>().iter().map(|key| key.unwrap().to_owned());
            let rejects = rejects::read(&self.folder.path().join(entry.rejects.unwrap().file));
            (keys.collect(), rejects.unwrap().into_iter().map(|reject| reject.key).collect())
        }

        fn files(&self) -> usize {
            let in_part = |part| fs::read_dir(self.folder.path().join(part)).unwrap().count();
            in_part(SHARDS) + in_part(REJECTS)
        }
    }

    fn keys<const N: usize>(keys: [&str; N]) -> Vec<String> {
        keys.map(str::to_owned).to_vec()
    }

    /// Every order in which `of` can come.
    fn permutations(of: &[usize]) -> Vec<Vec<usize>> {
        let Some((&first, rest)) = of.split_first() else { return vec![Vec::new()] };
        let longer = |shorter: Vec<usize>| {
            (0..=shorter.len()).map(move |place| {
                let mut longer = shorter.clone();
                longer.insert(place, first);
                longer
            })
        };
        permutations(rest).into_iter().flat_map(longer).collect()
    }

    #[test]
    fn chunks_in_any_order_are_written_in_order_and_hold_a_permit_until_then() {
        let orders = permutations(&[0, 1, 2, 3]);
        assert_eq!(orders.iter().collect::<BTreeSet<_>>().len(), 24);
        for order in orders {
            let unit = Unit::new();
            let (mut brought, mut complete) = (BTreeSet::new(), None);
            for &number in &order {
                assert!(complete.is_none(), "{order:?}");
                complete = unit.deliver(unit.chunk(number));
                brought.insert(number);
                let written = (0..CHUNKS).take_while(|number| brought.contains(number)).count();
                assert_eq!(unit.parked(), (brought.len() - written) as u64, "{order:?}");
            }
            let stored = unit.stored(*complete.expect("the last chunk completes the unit"));
            let expected = (keys(["0", "2", "4", "6"]), keys(["1", "3", "5", "7"]));
            assert_eq!(stored, expected, "{order:?}");
        }
    }

    #[test]
    fn chunks_of_several_threads_are_written_in_order() {
        for _ in 0..50 {
            let (unit, together) = (Unit::new(), Barrier::new(CHUNKS));
            let complete = Mutex::new(None);
            thread::scope(|scope| {
                for number in 0..CHUNKS {
                    let (unit, together, complete) = (&unit, &together, &complete);
                    scope.spawn(move || {
                        let chunk = unit.chunk(number);
                        together.wait();
                        if let Some(files) = unit.deliver(chunk) {
                            assert!(lock(complete).replace(files).is_none(), "complete twice");
                        }
                    });
                }
            });
            assert_eq!(unit.parked(), 0);
            let files = lock(&complete).take().expect("one of them completes the unit");
            assert_eq!(unit.stored(*files).0, keys(["0", "2", "4", "6"]));
        }
    }

    #[test]
    fn a_unit_given_up_releases_what_it_held_and_leaves_no_file() {
        let unit = Unit::new();
        assert!(unit.deliver(unit.chunk(0)).is_none());
        assert!(unit.files() > 0, "the shard is begun");
        let in_work = unit.chunk(1);
        for number in [2, 3] {
            assert!(unit.deliver(unit.chunk(number)).is_none());
        }
        assert_eq!(unit.permits.free(), 1);
        unit.sink.abandon();
        assert_eq!(unit.permits.free(), 3, "two were parked, one is still in work");
        assert_eq!(unit.files(), 0);
        assert!(unit.deliver(in_work).is_none());
        assert_eq!((unit.permits.free(), unit.files()), (4, 0), "what comes late is dropped");
    }
}
