//! What makes a run this run, and how it began: `run.json`.

use std::{ffi::OsString, path::Path};

use clipa_schemas::{
    file::{json_text, sha256_hex},
    manifest::Manifest,
};
use serde::{Deserialize, Serialize};

use clipa_recipe::{Recipe, schedule::ScheduleKind};

/// Characters of a checksum that a message shows.
const SHOWN_DIGITS: usize = 12;

/// What makes a run this run: equal identities give equal losses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Name of the stage.
    pub stage: String,
    /// Seed of everything random.
    pub seed: u64,
    /// Hash of the recipe, as far as losses depend on it: [`what_losses_depend_on`].
    pub recipe_sha256: String,
    /// Hash over the data set's shards.
    pub dataset_sha256: String,
    /// Hash of the data set's manifest.
    pub manifest_sha256: String,
    /// Samples of the data set.
    pub samples_per_epoch: u64,
    /// BLAKE3 of the file with the weights that it began with; absent where it began with random ones.
    pub weights_blake3: Option<String>,
    /// BLAKE3 of the file with the optimizer's moments that it began with; absent where they began at zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moments_blake3: Option<String>,
}

/// How a run began. A continuation may have other paths and another command line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Beginning {
    /// Program and version.
    pub program: String,
    /// The command line.
    pub command: Vec<String>,
    /// The data set's folder.
    pub data: String,
    /// The file with the weights that it began with.
    pub weights: Option<String>,
}

/// The content of `run.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRecord {
    /// What a continuation must repeat.
    pub identity: Identity,
    /// How it began.
    pub beginning: Beginning,
}

impl Identity {
    /// The identity of a stage of a recipe on a data set, with random weights.
    pub fn new(recipe: &Recipe, stage: &str, seed: u64, manifest: &Manifest) -> Identity {
        let digests: Vec<&str> =
            manifest.shards().map(|shard| shard.file.blake3.as_str()).collect();
        let manifest_text = json_text(manifest).expect("a manifest always becomes JSON");
        Identity {
            stage: stage.to_owned(),
            seed,
            recipe_sha256: what_losses_depend_on(recipe, stage).hash(),
            dataset_sha256: sha256_hex(digests.join("\n").as_bytes()),
            manifest_sha256: sha256_hex(&manifest_text),
            samples_per_epoch: manifest.rows(),
            weights_blake3: None,
            moments_blake3: None,
        }
    }
}

impl Beginning {
    /// With the process's own command line.
    pub fn now(data: &Path, weights: Option<&Path>) -> Beginning {
        let words = std::env::args_os().map(|word: OsString| word.to_string_lossy().into_owned());
        Beginning {
            program: format!("clipa-train {}", env!("CARGO_PKG_VERSION")),
            command: words.collect(),
            data: data.display().to_string(),
            weights: weights.map(|file| file.display().to_string()),
        }
    }
}

impl RunRecord {
    /// In what a continuation differs, a phrase each; `there` is this record, and each comes with its recipe.
    pub(super) fn differences(
        &self,
        there_recipe: &Recipe,
        now: &RunRecord,
        now_recipe: &Recipe,
    ) -> Vec<String> {
        let (there, is) = (&self.identity, &now.identity);
        let mut differences = Vec::new();
        let mut differ = |what: &str, there: String, now: String| {
            if there != now {
                differences.push(format!("{what}: {there} there, {now} now"));
            }
        };
        differ("stage", there.stage.clone(), is.stage.clone());
        differ("seed", there.seed.to_string(), is.seed.to_string());
        let samples = [there, is].map(|identity| identity.samples_per_epoch.to_string());
        let [samples_there, samples_now] = samples;
        differ("samples of the data set", samples_there, samples_now);
        if there.weights_blake3 != is.weights_blake3 {
            differ("--from", self.weights(), now.weights());
        }
        let moments = [there, is].map(|identity| match &identity.moments_blake3 {
            Some(digest) => format!("moments kept ({})", shown(digest)),
            None => "moments from zero".to_owned(),
        });
        let [moments_there, moments_now] = moments;
        differ("--keep-moments", moments_there, moments_now);
        if there.dataset_sha256 != is.dataset_sha256 {
            differ(
                "shards of --data",
                self.data(&there.dataset_sha256),
                now.data(&is.dataset_sha256),
            );
        } else if there.manifest_sha256 != is.manifest_sha256 {
            let [there, is] = [self.data(&there.manifest_sha256), now.data(&is.manifest_sha256)];
            differ("dataset.json of --data, whose shards are the same", there, is);
        }
        if there.recipe_sha256 != is.recipe_sha256 {
            let there = what_losses_depend_on(there_recipe, &there.stage).to_toml();
            let is = what_losses_depend_on(now_recipe, &is.stage).to_toml();
            differences.extend(changed_lines(&there, &is));
        }
        differences
    }

    fn weights(&self) -> String {
        match (&self.identity.weights_blake3, &self.beginning.weights) {
            (Some(digest), Some(file)) => format!("{file} ({})", shown(digest)),
            (Some(digest), None) => shown(digest).to_owned(),
            (None, _) => "none".to_owned(),
        }
    }

    fn data(&self, digest: &str) -> String {
        format!("{} ({})", self.beginning.data, shown(digest))
    }
}

fn shown(digest: &str) -> &str {
    digest.get(..SHOWN_DIGITS).unwrap_or(digest)
}

/// The part of a recipe that a stage's losses depend on: the model and that stage, without what only says how often it
/// logs and what it keeps. All else may change when a run is continued.
pub fn what_losses_depend_on(recipe: &Recipe, stage: &str) -> Recipe {
    let mut recipe = recipe.clone();
    recipe.name.clear();
    recipe.about.clear();
    recipe.stages.retain(|other| other.name == stage);
    for stage in &mut recipe.stages {
        (stage.log_steps, stage.checkpoint_steps, stage.keep_checkpoints) = (1, 1, 1);
        (stage.keep_every_samples, stage.keep_best) = (None, None);
    }
    recipe
}

/// The same without what says how long the stage is and how its learning rate goes on after the warm-up.
fn without_course(recipe: &Recipe, stage: &str) -> Recipe {
    let mut recipe = what_losses_depend_on(recipe, stage);
    for stage in &mut recipe.stages {
        (stage.epochs, stage.samples) = (None, None);
        stage.schedule = ScheduleKind::default();
        (stage.cooldown_samples, stage.cooldown_power, stage.cooldown_end_lr) = (None, None, None);
    }
    recipe
}

/// Is a continuation after `done` steps the same run but for another length or another course of the learning rate, and
/// were the learning rates so far the same? Then it has the losses of a run that began so: a constant learning rate can
/// be prolonged, and turned into a cooldown.
///
/// Otherwise the reason, where such a change is all that there is.
pub(super) fn only_prolongs(
    there: (&RunRecord, &Recipe),
    now: (&RunRecord, &Recipe),
    done: u64,
) -> Result<bool, String> {
    let recipe_sha256 = now.0.identity.recipe_sha256.clone();
    let stage = &now.0.identity.stage;
    let is_same = Identity { recipe_sha256, ..there.0.identity.clone() } == now.0.identity
        && without_course(there.1, stage) == without_course(now.1, stage);
    if !is_same {
        return Ok(false);
    }
    let schedule = |(record, recipe): (&RunRecord, &Recipe)| {
        let stage = recipe.stages.iter().find(|other| other.name == *stage);
        stage.map(|stage| stage.schedule(record.identity.samples_per_epoch))
    };
    let (Some(there), Some(now)) = (schedule(there), schedule(now)) else { return Ok(false) };
    if now.total_steps < done {
        return Err(format!("{done} steps are done, and it has {} now", now.total_steps));
    }
    match (0..done).find(|&step| there.lr(step) != now.lr(step)) {
        Some(step) => Err(format!(
            "the learning rate of step {} was {:.4e} and is {:.4e} now",
            step + 1,
            there.lr(step),
            now.lr(step),
        )),
        None => Ok(true),
    }
}

/// Lines of the recipe that changed; both texts come from one serializer, so that lines correspond.
pub(super) fn changed_lines(there: &str, now: &str) -> Vec<String> {
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
