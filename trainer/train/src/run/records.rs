//! A file of a run with a JSON record a line, each of a step: `metrics.jsonl` and `results.jsonl`.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    marker::PhantomData,
    path::{Path, PathBuf},
};

use clipa_schemas::file::AtomicFile;
use serde::{Serialize, de::DeserializeOwned};

use super::RunError;

/// What is recorded of a step.
pub trait OfStep: Serialize + DeserializeOwned {
    /// Steps that were done.
    fn step(&self) -> u64;
}

/// The file that the records go to.
#[derive(Debug)]
pub struct RecordsFile<R> {
    file: File,
    path: PathBuf,
    /// Step of the last record.
    last_step: Option<u64>,
    records: PhantomData<fn(&R)>,
}

impl<R: OfStep> RecordsFile<R> {
    /// Opens the file to append to it, cut back to the records of the first `steps` steps: a continued run writes the
    /// later ones again. A torn last line goes, too.
    ///
    /// # Errors
    /// [`RunError::Io`].
    pub fn open(path: &Path, steps: u64) -> Result<RecordsFile<R>, RunError> {
        let mut last_step = None;
        if path.is_file() {
            let text = fs::read_to_string(path).map_err(RunError::io(path))?;
            let step_of = |line: &str| {
                let step = serde_json::from_str::<R>(line).ok()?.step();
                (line.ends_with('\n') && step <= steps).then_some(step)
            };
            let mut kept = String::new();
            for line in text.split_inclusive('\n') {
                if let Some(step) = step_of(line) {
                    last_step = Some(step);
                    kept.push_str(line);
                }
            }
            if kept != text {
                let mut file = AtomicFile::create(path)?;
                file.write_all(kept.as_bytes()).map_err(RunError::io(path))?;
                file.commit(path.file_name().unwrap_or_default().to_string_lossy())?;
            }
        }
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file = file.map_err(RunError::io(path))?;
        Ok(RecordsFile { file, path: path.to_owned(), last_step, records: PhantomData })
    }

    /// Is the last record of this step?
    pub fn has(&self, step: u64) -> bool {
        self.last_step == Some(step)
    }

    /// Adds records of one step, all at once.
    ///
    /// # Errors
    /// [`RunError::Io`].
    pub fn append(&mut self, records: &[R]) -> Result<(), RunError> {
        let line = |record| serde_json::to_string(record).expect("numbers always become JSON");
        let lines: String = records.iter().map(|record| format!("{}\n", line(record))).collect();
        self.file.write_all(lines.as_bytes()).map_err(RunError::io(&self.path))?;
        self.last_step = records.last().map_or(self.last_step, |record| Some(record.step()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Record {
        step: u64,
        loss: f64,
    }

    impl OfStep for Record {
        fn step(&self) -> u64 {
            self.step
        }
    }

    fn steps(path: &Path) -> Vec<u64> {
        let text = fs::read_to_string(path).unwrap();
        text.lines().map(|line| serde_json::from_str::<Record>(line).unwrap().step).collect()
    }

    #[test]
    fn a_continued_run_cuts_the_file_back_to_its_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.jsonl");
        let mut file = RecordsFile::open(&path, 0).unwrap();
        assert!(!file.has(0));
        (1..=4).for_each(|step| file.append(&[Record { step, loss: 0.5 }]).unwrap());
        assert!(file.has(4));
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{whole}{{\"step\":5,\"loss")).unwrap();
        // A line that is whole but for its end is torn as well.
        let mut file = RecordsFile::<Record>::open(&path, 9).unwrap();
        assert_eq!((steps(&path), file.has(4)), (vec![1, 2, 3, 4], true));
        file.append(&[Record { step: 5, loss: 0.5 }]).unwrap();
        let mut file = RecordsFile::open(&path, 2).unwrap();
        assert!(file.has(2) && !file.has(4));
        file.append(&[Record { step: 3, loss: 1.5 }]).unwrap();
        assert_eq!(steps(&path), [1, 2, 3]);
    }
}
