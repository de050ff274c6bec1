//! What is evaluated: weights, and the recipe that says how their model reads images and texts.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use clipa_recipe::{Recipe, Stage, model::config::VisionPositions};
use serde_json::Value;
use tch::{Device, Tensor};

use super::{Asked, EvalError};
use crate::{
    checkpoint::{self, Fit, Origin, Snapshot, State, Weights},
    facts,
    model::Clip,
    run::{IDENTITY, OPEN_CLIP_CONFIG, RECIPE},
};

/// Weights in memory, and what they are of.
#[derive(Debug)]
pub struct Subject {
    /// As it was asked for.
    pub path: PathBuf,
    /// The file that the weights were read from.
    pub file: PathBuf,
    /// The model, and the stages that it can be evaluated as.
    pub recipe: Recipe,
    /// The stage that the weights were trained in.
    pub trained: String,
    /// How far their run was; `None` where they are of no run of ours.
    pub state: Option<State>,
    /// What a person should know.
    pub notes: Vec<String>,
    tensors: BTreeMap<String, Tensor>,
}

/// What lies beside weights: a recipe, the stage of it that they are of, and what should be known.
struct Description {
    recipe: Recipe,
    trained: String,
    notes: Vec<String>,
}

impl Subject {
    /// Reads what `path` names: a run (its newest checkpoint, also while it is under way), a checkpoint's folder, a
    /// `.safetensors` file with a run's `recipe.toml` or an `open_clip_config.json` beside it, or a folder of open_clip.
    ///
    /// # Errors
    /// Nothing that can be evaluated there; a damaged file; weights that nothing describes.
    pub fn open(path: &Path, kind: Weights) -> Result<Subject, EvalError> {
        let (file, state, tensors) = weights(path, kind)?;
        // Readers of other programs' folders (pickles, transformers) go here: each returns weights and a description.
        let Description { recipe, trained, notes } = description(&file, state.as_ref())?;
        Ok(Subject { path: path.to_owned(), file, recipe, trained, state, notes, tensors })
    }

    /// Steps that the weights were trained for, where that is known.
    pub fn step(&self) -> Option<u64> {
        self.state.as_ref().map(|state| state.step)
    }

    /// BLAKE3 of the file with the weights, in hexadecimal.
    ///
    /// # Errors
    /// A file of another program that went away.
    pub fn weights_blake3(&self) -> Result<String, EvalError> {
        let file = self.state.iter().flat_map(|state| &state.files);
        let name = self.file.file_name().unwrap_or_default().to_string_lossy();
        let known = file.into_iter().find(|digest| digest.file == name);
        match known {
            Some(digest) => Ok(digest.blake3.clone()),
            None => Ok(checkpoint::weights_blake3(&self.file)?),
        }
    }

    /// How far the run was, where it had not ended.
    pub fn progress(&self) -> Option<String> {
        let origin = Origin { state: self.state.clone()?, is_named: false };
        (!origin.is_finished()).then(|| origin.progress())
    }

    /// What becomes of the image tower's positions at another size than the weights were trained at.
    pub fn positions_line(&self, stage: &Stage) -> Option<String> {
        let trained = self.recipe.stage(&self.trained).ok()?.image_size;
        let now = stage.image_size;
        let positions = stage.model(&self.recipe.model).vision.positions;
        (now != trained).then(|| match positions {
            VisionPositions::Learnable => {
                format!("positions of {trained} px are interpolated for {now} px")
            }
            VisionPositions::SinCos2d | VisionPositions::SinCos2dJax => {
                format!("positions are a table, computed for {now} px")
            }
        })
    }

    /// The model at what was asked for, and the stage as which it reads.
    ///
    /// # Errors
    /// A stage that is not there, lengths that cannot be, weights of another model.
    pub fn model(&self, asked: &Asked, device: Device) -> Result<(Clip, Stage), EvalError> {
        let stage = asked.stage(&self.recipe, &self.trained)?;
        let config = stage.model(&self.recipe.model);
        let model = Clip::new(&config, stage.sizes(), 0, device)?;
        let tensors = self.tensors.iter();
        let tensors = tensors.map(|(name, tensor)| (name.clone(), tensor.shallow_clone()));
        checkpoint::load_model(&model, tensors.collect(), Fit::Resize, &self.file)?;
        Ok((model, stage))
    }
}

type Read = (PathBuf, Option<State>, BTreeMap<String, Tensor>);

fn weights(path: &Path, kind: Weights) -> Result<Read, EvalError> {
    let of_checkpoint = |read: Snapshot| (read.file, Some(read.state), read.tensors);
    let is_run = path.join(IDENTITY).is_file() && !path.join(checkpoint::MODEL).is_file();
    if is_run {
        return Ok(of_checkpoint(Snapshot::newest(path, kind)?));
    }
    let file = checkpoint::model_file(path)?;
    let folder = file.parent().unwrap_or(Path::new(""));
    let is_checkpoint =
        file.ends_with(checkpoint::MODEL) && folder.join(checkpoint::STATE).is_file();
    if is_checkpoint {
        return Ok(of_checkpoint(Snapshot::read(folder, kind)?));
    }
    let file = kind.file(file)?;
    let tensors = checkpoint::tensors::read(&file)?;
    Ok((file, None, tensors))
}

fn description(file: &Path, state: Option<&State>) -> Result<Description, EvalError> {
    let folders = facts::beside(file);
    let find =
        |name: &str| folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file());
    if let Some(path) = find(RECIPE) {
        let text = fs::read_to_string(&path)
            .map_err(|source| EvalError::Unreadable { path: path.clone(), source })?;
        let recipe = Recipe::parse(&text, &path.display().to_string(), &[], None)?;
        let trained = state.map(|state| state.stage.clone()).or_else(|| stage_of_run(&path));
        let only = match recipe.stages.as_slice() {
            [only] => Some(only.name.clone()),
            _ => None,
        };
        let trained =
            trained.or(only).ok_or_else(|| EvalError::WhichStage { path: file.into() })?;
        let notes = facts::advice(file, &recipe, recipe.stage(&trained)?, |_| false)?.notes;
        return Ok(Description { recipe, trained, notes });
    }
    let config = find(OPEN_CLIP_CONFIG);
    let config = config.ok_or_else(|| EvalError::NoDescription { path: file.into() })?;
    let (recipe, notes) = facts::recipe_of(&config)?;
    Ok(Description { recipe, trained: facts::STAGE.to_owned(), notes })
}

/// The stage that `run.json` beside a recipe names.
fn stage_of_run(recipe: &Path) -> Option<String> {
    let text = fs::read_to_string(recipe.with_file_name(IDENTITY)).ok()?;
    let run: Value = serde_json::from_str(&text).ok()?;
    run["identity"]["stage"].as_str().map(str::to_owned)
}
