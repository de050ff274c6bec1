//! The folder of a run: what is in it, and whether it may be used.
//!
//! ```text
//! RUN/
//!     run.json                 what a continuation must repeat, and how the run began: see [`super::RunRecord`]
//!     recipe.toml              the resolved recipe
//!     open_clip_config.json    the model as open_clip describes it
//!     metrics.jsonl            one line per logged step
//!     tensorboard/             event files: see [`crate::watch`]
//!     spikes/                  steps with a loss that was a spike or no number, and their batches
//!     micro_batch.json         where the batch goes through the model in parts: their size
//!     checkpoints/             see [`crate::checkpoint`]
//!     .lock                    locked by the process that writes
//! ```

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use clipa_schemas::file::{self, AtomicFile, LOCK, Locked};

use super::{
    Identity, RunError, RunRecord,
    identity::{changed_lines, only_prolongs},
    open_clip_config,
};
use crate::checkpoint;
use clipa_recipe::Recipe;

/// The resolved recipe.
pub const RECIPE: &str = "recipe.toml";
/// What a continuation must repeat.
pub const IDENTITY: &str = "run.json";
/// One line per logged step.
pub const METRICS: &str = "metrics.jsonl";
/// The model as open_clip describes it.
pub const OPEN_CLIP_CONFIG: &str = "open_clip_config.json";

/// The folder of a run that may be written, locked.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    lock: Locked,
}

impl RunFolder {
    /// Opens the folder of the same run, to continue it. `None` where there is no run: the folder is absent or empty,
    /// or the same run was killed while it made the folder. Nothing is written but the lock.
    ///
    /// # Errors
    /// A folder that holds something else, another run, a run that is not to be resumed, or one that another process
    /// writes.
    pub fn find(
        path: &Path,
        recipe: &Recipe,
        record: &RunRecord,
        resume: bool,
    ) -> Result<Option<RunFolder>, RunError> {
        if path.join(IDENTITY).is_file() {
            if !resume {
                return Err(RunError::Exists { path: path.into(), at: progress(path)? });
            }
            compare(path, recipe, record)?;
            return RunFolder::locked(path).map(Some);
        }
        if !is_empty_or_begun(path, recipe, &record.identity.stage)? {
            return Err(RunError::NotARun { path: path.into() });
        }
        Ok(None)
    }

    /// Makes a new run's folder, where [`RunFolder::find`] found none.
    ///
    /// # Errors
    /// Another process did so meanwhile; the disk.
    pub fn begin(path: &Path, recipe: &Recipe, record: &RunRecord) -> Result<RunFolder, RunError> {
        fs::create_dir_all(path).map_err(RunError::io(path))?;
        let folder = RunFolder::locked(path)?;
        // Again, now that nobody else can: two processes may have found nothing.
        RunFolder::find(path, recipe, record, false)?;
        let stage = recipe.stage(&record.identity.stage)?;
        write_text(&path.join(RECIPE), &recipe.to_toml())?;
        file::write_json(&path.join(OPEN_CLIP_CONFIG), &open_clip_config::describe(recipe, stage))?;
        // Last: this file says that the folder is a run.
        file::write_json(&path.join(IDENTITY), record)?;
        Ok(folder)
    }

    fn locked(path: &Path) -> Result<RunFolder, RunError> {
        match file::lock(path)? {
            Locked::Elsewhere => Err(RunError::InUse { path: path.into() }),
            lock => Ok(RunFolder { path: path.to_owned(), lock }),
        }
    }

    /// Why nobody is kept from writing to the folder at the same time, where the file system knows no locks.
    pub fn unlocked(&self) -> Option<&io::Error> {
        match &self.lock {
            Locked::Unsupported(error) => Some(error),
            Locked::Taken(_) | Locked::Elsewhere => None,
        }
    }

    /// Replaces the recipe of a continued run by that of the continuation, and returns what differs. Only what no loss so
    /// far depends on can: [`RunFolder::find`] refuses the rest.
    ///
    /// # Errors
    /// The disk.
    pub fn keep_recipe(&self, recipe: &Recipe, now: &Identity) -> Result<Vec<String>, RunError> {
        let (path, text) = (self.path.join(RECIPE), recipe.to_toml());
        let there = fs::read_to_string(&path).map_err(RunError::io(&path))?;
        if there != text {
            write_text(&path, &text)?;
        }
        // After the recipe: killed between the two, the run is prolonged by what is there already.
        let record = record_of(&self.path)?;
        if record.identity != *now {
            let record = RunRecord { identity: now.clone(), ..record };
            file::write_json(&self.path.join(IDENTITY), &record)?;
        }
        Ok(changed_lines(&there, &text))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// How far a run's checkpoints go, in words.
fn progress(run: &Path) -> Result<String, RunError> {
    let Some(folder) = checkpoint::latest(run)? else {
        return Ok("without a checkpoint".to_owned());
    };
    let state = checkpoint::State::read(&folder.join(checkpoint::STATE))?;
    Ok(format!("{} at step {} of {}", state.stage, state.step, state.total_steps))
}

fn compare(path: &Path, recipe: &Recipe, now: &RunRecord) -> Result<(), RunError> {
    let there = record_of(path)?;
    if there.identity == now.identity {
        return Ok(());
    }
    let there_recipe = recipe_of(path)?;
    let mut differences = there.differences(&there_recipe, now, recipe);
    match only_prolongs((&there, &there_recipe), (now, recipe), steps_done(path)?) {
        Ok(true) => return Ok(()),
        Ok(false) => {}
        Err(why) => differences.push(why),
    }
    Err(RunError::OtherRun { path: path.into(), differences: differences.join("; ") })
}

/// Steps of a run's newest checkpoint.
fn steps_done(run: &Path) -> Result<u64, RunError> {
    Ok(checkpoint::list(run)?.pop().map_or(0, |(step, _)| step))
}

/// Reads what a run is and how it began.
///
/// # Errors
/// A folder that is no run.
pub fn record_of(run: &Path) -> Result<RunRecord, RunError> {
    Ok(file::read_json(&run.join(IDENTITY))?)
}

/// Reads the recipe of a run.
///
/// # Errors
/// A folder that is no run.
pub fn recipe_of(run: &Path) -> Result<Recipe, RunError> {
    let path = run.join(RECIPE);
    let text = fs::read_to_string(&path).map_err(RunError::io(&path))?;
    Ok(Recipe::parse(&text, &path.display().to_string(), &[], None)?)
}

/// Does the folder hold nothing but what this very run leaves when it is killed before `run.json` is there? A file of
/// another content may be someone's own, even under the same name.
fn is_empty_or_begun(path: &Path, recipe: &Recipe, stage: &str) -> Result<bool, RunError> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        entries => entries.map_err(RunError::io(path))?,
    };
    for entry in entries {
        let file = entry.map_err(RunError::io(path))?.path();
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let is_ours = match &*name {
            RECIPE => fs::read(&file).map_err(RunError::io(&file))? == recipe.to_toml().as_bytes(),
            OPEN_CLIP_CONFIG => {
                let there = file::read_json::<serde_json::Value>(&file).ok();
                there == Some(open_clip_config::describe(recipe, recipe.stage(stage)?))
            }
            LOCK => fs::metadata(&file).map_err(RunError::io(&file))?.len() == 0,
            _ => [RECIPE, OPEN_CLIP_CONFIG, IDENTITY]
                .iter()
                .any(|whole| *name == format!(".{whole}.tmp")),
        };
        if !is_ours {
            return Ok(false);
        }
    }
    Ok(true)
}

fn write_text(path: &Path, text: &str) -> Result<(), RunError> {
    use io::Write;
    let mut file = AtomicFile::create(path)?;
    file.write_all(text.as_bytes()).map_err(RunError::io(path))?;
    file.commit(RECIPE)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{Beginning, what_losses_depend_on};

    fn recipe(set: &[&str]) -> Recipe {
        let set: Vec<String> = set.iter().map(|&set| set.to_owned()).collect();
        Recipe::load("tiny-i17-t8", &set, Some("pretrain")).unwrap()
    }

    fn record(recipe: &Recipe, seed: u64) -> RunRecord {
        let identity = Identity {
            stage: "pretrain".to_owned(),
            seed,
            recipe_sha256: what_losses_depend_on(recipe, "pretrain").hash(),
            dataset_sha256: "d".to_owned(),
            manifest_sha256: "m".to_owned(),
            samples_per_epoch: 10,
            weights_blake3: Some("0123456789abcdef".to_owned()),
            moments_blake3: None,
        };
        let beginning = Beginning::now(Path::new("pairs"), Some(Path::new("first/model")));
        RunRecord { identity, beginning }
    }

    fn difference(path: &Path, recipe: &Recipe, record: &RunRecord) -> String {
        RunFolder::find(path, recipe, record, true).unwrap_err().to_string()
    }

    #[test]
    fn a_run_is_continued_only_on_request_and_only_as_itself() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let first = recipe(&[]);
        let whole = record(&first, 1);
        assert!(RunFolder::find(&path, &first, &whole, true).unwrap().is_none());
        assert!(!path.exists());
        drop(RunFolder::begin(&path, &first, &whole).unwrap());
        assert_eq!(recipe_of(&path).unwrap(), first);
        assert_eq!(record_of(&path).unwrap(), whole);
        let again = RunFolder::find(&path, &first, &whole, false).unwrap_err();
        assert!(again.to_string().ends_with("without a checkpoint"), "{again}");
        assert!(again.hint().is_some_and(|hint| hint.contains("--resume")), "{again}");
        assert!(RunFolder::begin(&path, &first, &whole).is_err());
        assert!(RunFolder::find(&path, &first, &whole, true).unwrap().is_some());
        let other = recipe(&["stage.lr=3e-4"]);
        let error = difference(&path, &other, &record(&other, 2));
        assert!(error.contains("seed: 1 there, 2 now"), "{error}");
        assert!(error.contains("`lr = 0.0003` now"), "{error}");
    }

    #[test]
    fn other_data_and_other_weights_are_named_with_their_paths() {
        let folder = tempfile::tempdir().unwrap();
        let (path, first) = (folder.path().join("run"), recipe(&[]));
        let whole = record(&first, 1);
        drop(RunFolder::begin(&path, &first, &whole).unwrap());
        let mut other = whole.clone();
        other.identity.weights_blake3 = Some("fedcba9876543210".to_owned());
        other.beginning.weights = Some("second/model".to_owned());
        let error = difference(&path, &first, &other);
        let said = "--from: first/model (0123456789ab) there, second/model (fedcba987654) now";
        assert!(error.ends_with(said), "{error}");
        other.identity.weights_blake3 = None;
        assert!(difference(&path, &first, &other).ends_with(") there, none now"));
        let mut other = whole.clone();
        other.identity.dataset_sha256 = "e".to_owned();
        other.beginning.data = "moved".to_owned();
        let error = difference(&path, &first, &other);
        assert!(error.ends_with("shards of --data: pairs (d) there, moved (e) now"), "{error}");
        let mut other = whole.clone();
        other.identity.manifest_sha256 = "n".to_owned();
        let error = difference(&path, &first, &other);
        assert!(error.contains("dataset.json of --data") && error.contains("(n) now"), "{error}");
        // The same data and weights may have moved, and the command line is another one anyway.
        let mut moved = whole;
        (moved.beginning.data, moved.beginning.weights) = ("moved".to_owned(), None);
        moved.beginning.command = vec!["another".to_owned()];
        assert!(RunFolder::find(&path, &first, &moved, true).unwrap().is_some());
    }

    #[test]
    fn what_no_loss_depends_on_may_change_and_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (path, first) = (folder.path().join("run"), recipe(&[]));
        drop(RunFolder::begin(&path, &first, &record(&first, 1)).unwrap());
        let other = recipe(&[
            "stage.log_steps=7",
            "stage.checkpoint_steps=11",
            "stage.keep_checkpoints=3",
            "stage.keep_every_samples=1000",
            "stage.keep_best=\"loss\"",
            "stage.finetune.weight_decay=0.3",
            "stage.finetune.eps=1e-7",
        ]);
        let now = record(&other, 1);
        let found = RunFolder::find(&path, &other, &now, true).unwrap().unwrap();
        let changed = found.keep_recipe(&other, &now.identity).unwrap();
        assert!(changed.contains(&"`log_steps = 7` now".to_owned()), "{changed:?}");
        assert_eq!(recipe_of(&path).unwrap(), other);
        assert!(found.keep_recipe(&other, &now.identity).unwrap().is_empty());
        drop(found);
        for refused in [
            "stage.lr=3e-4",
            "stage.batch=32",
            "stage.warmup_steps=3",
            "stage.precision=\"bf16\"",
            "stage.ema=0.999",
            "stage.augment.crop_scale=[0.5, 1.0]",
            "model.vision.layers=2",
        ] {
            let other = recipe(&[refused]);
            let error = difference(&path, &other, &record(&other, 1));
            let key = refused.split('=').next().unwrap().rsplit('.').next().unwrap();
            assert!(error.contains(&format!("`{key} = ")), "{refused}: {error}");
        }
    }

    #[test]
    fn two_processes_never_write_one_run() {
        let folder = tempfile::tempdir().unwrap();
        let (path, first) = (folder.path().join("run"), recipe(&[]));
        let whole = record(&first, 1);
        let writing = RunFolder::begin(&path, &first, &whole).unwrap();
        assert!(writing.unlocked().is_none());
        let second = RunFolder::find(&path, &first, &whole, true).unwrap_err();
        assert!(second.to_string().contains("another process writes to"), "{second}");
        assert!(second.hint().is_some(), "{second}");
        drop(writing);
        assert!(RunFolder::find(&path, &first, &whole, true).unwrap().is_some());
        // Both found an empty folder, one was first.
        let path = folder.path().join("race");
        assert!(RunFolder::find(&path, &first, &whole, false).unwrap().is_none());
        let writing = RunFolder::begin(&path, &first, &whole).unwrap();
        assert!(matches!(RunFolder::begin(&path, &first, &whole), Err(RunError::InUse { .. })));
        drop(writing);
    }

    #[test]
    fn a_folder_with_something_else_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.tex"), "x").unwrap();
        let recipe = recipe(&[]);
        for resume in [false, true] {
            let error = RunFolder::find(folder.path(), &recipe, &record(&recipe, 1), resume);
            assert!(matches!(error, Err(RunError::NotARun { .. })));
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_killed_beginning_leaves_is_begun_again_and_another_recipe_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (path, first) = (folder.path().join("run"), recipe(&[]));
        drop(RunFolder::begin(&path, &first, &record(&first, 1)).unwrap());
        fs::rename(path.join(IDENTITY), path.join(".run.json.tmp")).unwrap();
        let other = recipe(&["stage.lr=3e-4"]);
        for resume in [false, true] {
            let error = RunFolder::find(&path, &other, &record(&other, 1), resume);
            assert!(matches!(error, Err(RunError::NotARun { .. })));
        }
        assert!(RunFolder::find(&path, &first, &record(&first, 1), true).unwrap().is_none());
        drop(RunFolder::begin(&path, &first, &record(&first, 1)).unwrap());
        assert!(path.join(IDENTITY).is_file());
        assert_eq!(fs::read_dir(&path).unwrap().count(), 4); // with the lock
        // A lock of someone else's making may have content.
        let other = folder.path().join("other");
        fs::create_dir(&other).unwrap();
        fs::write(other.join(LOCK), b"4711").unwrap();
        let error = RunFolder::find(&other, &first, &record(&first, 1), true);
        assert!(matches!(error, Err(RunError::NotARun { .. })));
    }

    /// A run whose newest checkpoint is of so many steps.
    fn run_after(path: &Path, recipe: &Recipe, steps: u64) {
        drop(RunFolder::begin(path, recipe, &record(recipe, 1)).unwrap());
        fs::create_dir_all(path.join(format!("checkpoints/step-{steps:08}"))).unwrap();
    }

    /// 6,000 steps of 64 samples, of which the last 1,000 cool down.
    fn cooling(set: &[&str]) -> Recipe {
        let cooldown = ["stage.schedule=constant-cooldown", "stage.cooldown_samples=64000"];
        recipe(&[&cooldown, set].concat())
    }

    #[test]
    fn a_constant_learning_rate_is_prolonged_while_the_cooldown_has_not_begun() {
        let folder = tempfile::tempdir().unwrap();
        let longer = cooling(&["stage.samples=768000"]);
        let constant = recipe(&["stage.schedule=constant"]);
        for (steps, other, is_prolonged) in [
            (5000, &longer, true),
            (5002, &longer, false),
            (5000, &constant, true),
            (5002, &constant, false),
            (5000, &recipe(&[]), false),
            (5000, &cooling(&["stage.samples=256000", "stage.cooldown_samples=6400"]), false),
            (5000, &cooling(&["stage.samples=768000", "stage.lr=1e-3"]), false),
        ] {
            let path = folder.path().join(format!("{steps}-{}", other.hash()));
            run_after(&path, &cooling(&[]), steps);
            let now = record(other, 1);
            let found = RunFolder::find(&path, other, &now, true);
            assert_eq!(found.is_ok(), is_prolonged, "{steps}: {found:?}");
            let Ok(Some(found)) = found else { continue };
            assert!(!found.keep_recipe(other, &now.identity).unwrap().is_empty());
            assert_eq!(record_of(&path).unwrap().identity, now.identity);
            drop(found);
            assert!(RunFolder::find(&path, other, &now, true).unwrap().is_some());
        }
        let path = folder.path().join("late");
        run_after(&path, &cooling(&[]), 5500);
        let error = difference(&path, &longer, &record(&longer, 1));
        assert!(
            error.contains("the learning rate of step 5002 was 1.9980e-3 and is 2.0000e-3"),
            "{error}"
        );
        let shorter = cooling(&["stage.samples=256000", "stage.cooldown_samples=6400"]);
        let error = difference(&path, &shorter, &record(&shorter, 1));
        assert!(error.contains("5500 steps are done, and it has 4000 now"), "{error}");
    }
}
