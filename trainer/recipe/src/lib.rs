//! Recipes: a model and the stages that train it, in one TOML file.
//!
//! ```
//! use clipa_recipe::Recipe;
//! let set = ["stage.lr=1e-4".to_owned()];
//! let recipe = Recipe::load("b16-i50-t16", &set, Some("finetune")).unwrap();
//! assert_eq!(recipe.stage("finetune").unwrap().peak_lr(), 1e-4);
//! assert_eq!(recipe.stage("pretrain").unwrap().peak_lr(), 2.048e-3);
//! ```

pub mod augment;
mod built_in;
mod captions;
mod document;
mod error;
mod given;
mod keys;
pub mod memory;
pub mod model;
mod open_clip_keys;
mod optimizer;
mod overrides;
pub mod schedule;
mod stage;
#[cfg(test)]
mod tests;
mod tree;
mod whole;

use std::{fs, path::Path};

use serde::{Deserialize, Serialize};

use self::document::Document;
pub use self::{
    built_in::{BUILT_IN, BuiltIn},
    captions::Captions,
    error::RecipeError,
    given::gives,
    optimizer::{AdamWConfig, Decay},
    stage::{BASE_BATCH, Precision, Stage},
};
use crate::model::ModelConfig;

/// A model and its stages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Its name.
    pub name: String,
    /// One line about it.
    pub about: String,
    /// The model, the same in all stages but for its two lengths.
    pub model: ModelConfig,
    /// The stages, in their order.
    #[serde(rename = "stage")]
    pub stages: Vec<Stage>,
}

impl Recipe {
    /// Loads a built-in recipe by name or a file by path, applies `--set` changes and checks all of it.
    ///
    /// `running` is the stage that `stage.KEY` means.
    ///
    /// # Errors
    /// The first thing that is wrong, with its key.
    pub fn load(name: &str, set: &[String], running: Option<&str>) -> Result<Recipe, RecipeError> {
        Recipe::parse(&text_of(name)?, name, set, running)
    }

    /// The same from TOML text; `origin` names it in messages.
    ///
    /// # Errors
    /// As [`Recipe::load`].
    pub fn parse(
        text: &str,
        origin: &str,
        set: &[String],
        running: Option<&str>,
    ) -> Result<Recipe, RecipeError> {
        Document { text, origin, set, running }.read()?.checked()
    }

    /// The stage of this name.
    ///
    /// # Errors
    /// [`RecipeError::NoStage`], with the names that there are.
    pub fn stage(&self, name: &str) -> Result<&Stage, RecipeError> {
        self.stages.iter().find(|stage| stage.name == name).ok_or_else(|| {
            let known: Vec<&str> = self.stages.iter().map(|stage| stage.name.as_str()).collect();
            RecipeError::NoStage {
                recipe: self.name.clone(),
                wanted: name.to_owned(),
                known: known.join(", "),
            }
        })
    }

    /// Checks a stage against the size of a data set.
    ///
    /// # Errors
    /// A batch larger than the stage, or a warm-up that is longer than it.
    pub fn check_length(&self, stage: &Stage, samples_per_epoch: u64) -> Result<(), RecipeError> {
        stage.check_length(samples_per_epoch).map_err(|bad| self.bad_value(stage, bad))
    }

    /// Checks that a stage asks for nothing that the model's tokenizer does not have.
    ///
    /// # Errors
    /// [`RecipeError::Value`] for `strip_sep_token` where there is no `[SEP]`.
    pub fn check_tokenizer(&self, stage: &Stage) -> Result<(), RecipeError> {
        let checked = stage.check_tokenizer(self.model.text.tokenizer);
        checked.map_err(|bad| self.bad_value(stage, bad))
    }

    /// The recipe as TOML, every value written out.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a recipe holds only tables, numbers and strings")
    }

    /// SHA-256 of [`Recipe::to_toml`], in hexadecimal.
    pub fn hash(&self) -> String {
        clipa_schemas::file::sha256_hex(self.to_toml().as_bytes())
    }

    fn checked(self) -> Result<Recipe, RecipeError> {
        let model_error = |source| RecipeError::Model { recipe: self.name.clone(), source };
        self.model.check().map_err(model_error)?;
        self.model.check_vocabulary().map_err(model_error)?;
        for stage in &self.stages {
            stage.check().map_err(|bad| self.bad_value(stage, bad))?;
            self.model.check_sizes(stage.sizes()).map_err(model_error)?;
            self.check_tokenizer(stage)?;
        }
        Ok(self)
    }

    fn bad_value(&self, stage: &Stage, (key, value, why): stage::BadValue) -> RecipeError {
        let (recipe, stage) = (self.name.clone(), stage.name.clone());
        RecipeError::Value { recipe, stage, key, value, why }
    }
}

/// The TOML of a built-in recipe, or of a file.
fn text_of(name: &str) -> Result<String, RecipeError> {
    match built_in::find(name) {
        Some(recipe) => Ok(recipe.text.to_owned()),
        None => read_file(name),
    }
}

fn read_file(name: &str) -> Result<String, RecipeError> {
    let path = Path::new(name);
    if !path.exists() && path.extension().is_none() {
        let names = BUILT_IN.iter().map(|recipe| recipe.name);
        let suggestion = keys::nearest(name, names).unwrap_or_default();
        return Err(RecipeError::Unknown { name: name.to_owned(), suggestion });
    }
    fs::read_to_string(path)
        .map_err(|source| RecipeError::Unreadable { path: path.to_owned(), source })
}
