//! `results.jsonl`: what evaluations found while a run trained, one record a line.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use clipa_talk::figures;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::RunError;

/// Name of the file in a run's folder.
pub const RESULTS: &str = "results.jsonl";

/// What was found on one set, at one length.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResultRecord {
    /// Steps that were done.
    pub step: u64,
    /// Samples that the stage had used.
    pub samples: u64,
    /// The data set's name, as in the names of metrics.
    pub set: String,
    /// Its folder.
    pub data: String,
    /// `stage`: at the lengths of the stage that trains; `full`: at those of the recipe's last stage.
    pub lengths: String,
    /// Side of the images in pixels.
    pub image_size: i64,
    /// Tokens of prompts or captions.
    pub context_length: i64,
    /// Images that were looked at.
    pub images: u64,
    /// Metrics by CLIP_benchmark's names, in `[0, 1]`.
    pub metrics: Map<String, Value>,
    /// Seconds that the training waited.
    pub seconds: f64,
}

impl fmt::Display for ResultRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = [
            "acc1",
            "mean_per_class_recall",
            "image_retrieval_recall@1",
            "text_retrieval_recall@1",
        ];
        write!(
            f,
            "evaluated   step {}, {}",
            figures::count(self.step),
            clipa_talk::printable(&self.set)
        )?;
        write!(f, " at {} px and {} text tokens:", self.image_size, self.context_length)?;
        for name in shown {
            if let Some(value) = self.metrics.get(name).and_then(Value::as_f64) {
                write!(f, "  {name} {:.1} %", 100.0 * value)?;
            }
        }
        let pause = Duration::from_secs_f64(self.seconds.clamp(0.0, 1e9));
        write!(f, "  (the training waited {})", figures::time(pause))
    }
}

/// The file that the records go to.
#[derive(Debug)]
pub(super) struct ResultsFile {
    file: File,
    path: PathBuf,
}

impl ResultsFile {
    /// Opens the file of a run to append to it, cut back to the records of the first `steps` steps: a continued run writes
    /// the later ones again. A torn last line goes, too.
    ///
    /// # Errors
    /// [`RunError::Io`].
    pub(super) fn open(run: &Path, steps: u64) -> Result<ResultsFile, RunError> {
        let path = run.join(RESULTS);
        if path.is_file() {
            let text = fs::read_to_string(&path).map_err(RunError::io(&path))?;
            let is_kept = |line: &&str| {
                let record = serde_json::from_str::<ResultRecord>(line);
                line.ends_with('\n') && record.is_ok_and(|record| record.step <= steps)
            };
            let kept: String = text.split_inclusive('\n').filter(is_kept).collect();
            if kept != text {
                let mut file = clipa_schemas::file::AtomicFile::create(&path)?;
                file.write_all(kept.as_bytes()).map_err(RunError::io(&path))?;
                file.commit(RESULTS)?;
            }
        }
        let file = OpenOptions::new().create(true).append(true).open(&path);
        Ok(ResultsFile { file: file.map_err(RunError::io(&path))?, path })
    }

    /// Adds a record.
    ///
    /// # Errors
    /// [`RunError::Io`].
    pub(super) fn append(&mut self, record: &ResultRecord) -> Result<(), RunError> {
        let line = serde_json::to_string(record).expect("numbers always become JSON");
        self.file.write_all(format!("{line}\n").as_bytes()).map_err(RunError::io(&self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(step: u64) -> ResultRecord {
        let metrics = [("acc1", 0.25), ("main_metric", 0.25)];
        let metrics = metrics.map(|(name, value)| (name.to_owned(), value.into()));
        ResultRecord {
            step,
            samples: step * 32,
            set: "shapes".to_owned(),
            data: "sets/shapes".to_owned(),
            lengths: "stage".to_owned(),
            image_size: 64,
            context_length: 16,
            images: 192,
            metrics: Map::from_iter(metrics),
            seconds: 2.5,
        }
    }

    #[test]
    fn a_result_in_one_line_says_how_long_the_training_waited() {
        let line = "evaluated   step 40, shapes at 64 px and 16 text tokens:  acc1 25.0 %  (the training waited 2.50 s)";
        assert_eq!(record(40).to_string(), line);
    }

    #[test]
    fn a_continued_run_cuts_the_results_back_to_its_checkpoint() {
        let run = tempfile::tempdir().unwrap();
        let mut file = ResultsFile::open(run.path(), 0).unwrap();
        (1..=4).for_each(|step| file.append(&record(step)).unwrap());
        let path = run.path().join(RESULTS);
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{whole}{{\"step\":5,")).unwrap();
        ResultsFile::open(run.path(), 2).unwrap().append(&record(3)).unwrap();
        let kept = fs::read_to_string(&path).unwrap();
        let kept: Vec<u64> = kept
            .lines()
            .map(|line| serde_json::from_str::<ResultRecord>(line).unwrap().step)
            .collect();
        assert_eq!(kept, [1, 2, 3]);
    }
}
