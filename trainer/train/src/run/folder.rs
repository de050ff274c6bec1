//! The folder of a run: what is in it, and whether it may be used.
//!
//! ```text
//! RUN/
//!     run.json                 stage, seed, hashes of recipe and data set: what a continuation must repeat
//!     recipe.toml              the resolved recipe
//!     open_clip_config.json    the model as open_clip describes it
//!     metrics.jsonl            one line per logged step
//!     micro_batch.json         where the batch goes through the model in parts: their size
//!     checkpoints/             see [`crate::checkpoint`]
//! ```

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use clipa_schemas::{
    file::{self, AtomicFile},
    manifest::Manifest,
};
use serde::{Deserialize, Serialize};

use super::{RunError, open_clip_config};
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

/// What makes a run this run: equal identities give equal losses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Name of the stage.
    pub stage: String,
    /// Seed of everything random.
    pub seed: u64,
    /// Hash of the resolved recipe.
    pub recipe_sha256: String,
    /// Hash over the data set's shards.
    pub dataset_sha256: String,
    /// Samples of the data set.
    pub samples_per_epoch: u64,
}

impl Identity {
    /// The identity of a stage of a recipe on a data set.
    pub fn new(recipe: &Recipe, stage: &str, seed: u64, manifest: &Manifest) -> Identity {
        let digests: Vec<&str> =
            manifest.shards().map(|shard| shard.file.blake3.as_str()).collect();
        Identity {
            stage: stage.to_owned(),
            seed,
            recipe_sha256: recipe.hash(),
            dataset_sha256: file::sha256_hex(digests.join("\n").as_bytes()),
            samples_per_epoch: manifest.rows(),
        }
    }
}

/// The folder of a run that may be written.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Makes a new run's folder, or opens that of the same run where `resume` allows it. A folder that is absent or
    /// empty, or where the same run was killed while it made the folder, becomes a new run in both cases.
    ///
    /// # Errors
    /// A folder that holds something else, another run, or a run that is not to be resumed.
    pub fn open(
        path: &Path,
        recipe: &Recipe,
        identity: &Identity,
        resume: bool,
    ) -> Result<RunFolder, RunError> {
        let folder = RunFolder { path: path.to_owned() };
        if RunFolder::is_there(path, recipe, identity, resume)? {
            return Ok(folder);
        }
        fs::create_dir_all(path).map_err(RunError::io(path))?;
        let stage = recipe.stage(&identity.stage)?;
        write_text(&path.join(RECIPE), &recipe.to_toml())?;
        file::write_json(&path.join(OPEN_CLIP_CONFIG), &open_clip_config::describe(recipe, stage))?;
        // Last: this file says that the folder is a run.
        file::write_json(&path.join(IDENTITY), identity)?;
        Ok(folder)
    }

    /// Is the same run there, to be continued? Writes nothing.
    ///
    /// # Errors
    /// A folder that holds something else, another run, or a run that is not to be resumed.
    pub fn is_there(
        path: &Path,
        recipe: &Recipe,
        identity: &Identity,
        resume: bool,
    ) -> Result<bool, RunError> {
        let folder = RunFolder { path: path.to_owned() };
        if path.join(IDENTITY).is_file() {
            if !resume {
                return Err(RunError::Exists { path: path.into(), at: folder.progress()? });
            }
            folder.compare(recipe, identity)?;
            return Ok(true);
        }
        if !is_empty_or_begun(path, recipe, &identity.stage)? {
            return Err(RunError::NotARun { path: path.into() });
        }
        Ok(false)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where its metrics are.
    pub fn metrics(&self) -> PathBuf {
        self.path.join(METRICS)
    }

    /// How far its checkpoints go, in words.
    fn progress(&self) -> Result<String, RunError> {
        let Some(folder) = checkpoint::latest(&self.path)? else {
            return Ok("without a checkpoint".to_owned());
        };
        let state = checkpoint::State::read(&folder.join(checkpoint::STATE))?;
        Ok(format!("{} at step {} of {}", state.stage, state.step, state.total_steps))
    }

    fn compare(&self, recipe: &Recipe, now: &Identity) -> Result<(), RunError> {
        let there: Identity = file::read_json(&self.path.join(IDENTITY))?;
        if there == *now {
            return Ok(());
        }
        let mut differences = Vec::new();
        let mut differ = |what: &str, there: &dyn ToString, now: &dyn ToString| {
            let (there, now) = (there.to_string(), now.to_string());
            if there != now {
                differences.push(format!("{what}: {there} there, {now} now"));
            }
        };
        differ("stage", &there.stage, &now.stage);
        differ("seed", &there.seed, &now.seed);
        differ("samples of the data set", &there.samples_per_epoch, &now.samples_per_epoch);
        if there.dataset_sha256 != now.dataset_sha256 {
            differences.push("the data set's shards".to_owned());
        }
        if there.recipe_sha256 != now.recipe_sha256 {
            let path = self.path.join(RECIPE);
            let stored = fs::read_to_string(&path).map_err(RunError::io(&path))?;
            differences.extend(changed_lines(&stored, &recipe.to_toml()));
        }
        let (path, differences) = (self.path.clone(), differences.join("; "));
        Err(RunError::OtherRun { path, differences })
    }
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

/// Lines of the recipe that changed; both texts come from one serializer, so that lines correspond.
fn changed_lines(there: &str, now: &str) -> Vec<String> {
    let (there_lines, now_lines): (Vec<&str>, Vec<&str>) =
        (there.lines().collect(), now.lines().collect());
    let only_in = |lines: &[&str], other: &[&str]| {
        let only = lines.iter().filter(|line| !other.contains(line) && !line.is_empty());
        only.map(|line| (*line).to_owned()).collect::<Vec<_>>()
    };
    let there = only_in(&there_lines, &now_lines).into_iter().map(|line| format!("`{line}` there"));
    let now = only_in(&now_lines, &there_lines).into_iter().map(|line| format!("`{line}` now"));
    there.chain(now).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(set: &[&str]) -> Recipe {
        let set: Vec<String> = set.iter().map(|&set| set.to_owned()).collect();
        Recipe::load("tiny-i17-t8", &set, Some("pretrain")).unwrap()
    }

    fn identity(recipe: &Recipe, seed: u64) -> Identity {
        Identity {
            stage: "pretrain".to_owned(),
            seed,
            recipe_sha256: recipe.hash(),
            dataset_sha256: "d".to_owned(),
            samples_per_epoch: 10,
        }
    }

    #[test]
    fn a_run_is_continued_only_on_request_and_only_as_itself() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let first = recipe(&[]);
        RunFolder::open(&path, &first, &identity(&first, 1), true).unwrap();
        assert_eq!(recipe_of(&path).unwrap(), first);
        let again = RunFolder::open(&path, &first, &identity(&first, 1), false).unwrap_err();
        assert!(again.to_string().ends_with("without a checkpoint"), "{again}");
        assert!(again.hint().is_some_and(|hint| hint.contains("--resume")), "{again}");
        RunFolder::open(&path, &first, &identity(&first, 1), true).unwrap();
        let other = recipe(&["stage.lr=3e-4"]);
        let error =
            RunFolder::open(&path, &other, &identity(&other, 2), true).unwrap_err().to_string();
        assert!(error.contains("seed: 1 there, 2 now"), "{error}");
        assert!(error.contains("`lr = 0.0003` now"), "{error}");
    }

    #[test]
    fn a_folder_with_something_else_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.tex"), "x").unwrap();
        let recipe = recipe(&[]);
        for resume in [false, true] {
            let error = RunFolder::open(folder.path(), &recipe, &identity(&recipe, 1), resume);
            assert!(matches!(error, Err(RunError::NotARun { .. })));
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_killed_beginning_leaves_is_begun_again_and_another_recipe_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (path, first) = (folder.path().join("run"), recipe(&[]));
        RunFolder::open(&path, &first, &identity(&first, 1), false).unwrap();
        fs::rename(path.join(IDENTITY), path.join(".run.json.tmp")).unwrap();
        let other = recipe(&["stage.lr=3e-4"]);
        for resume in [false, true] {
            let error = RunFolder::open(&path, &other, &identity(&other, 1), resume);
            assert!(matches!(error, Err(RunError::NotARun { .. })));
        }
        RunFolder::open(&path, &first, &identity(&first, 1), true).unwrap();
        assert!(path.join(IDENTITY).is_file());
        assert_eq!(fs::read_dir(&path).unwrap().count(), 3);
    }
}
