//! A model as the configuration beside its weights describes it, with no recipe to compare.

use std::path::{Path, PathBuf};

use clipa_recipe::{
    Recipe, Stage,
    augment::{Filter, ResizeMode},
    model::{
        InputSizes, ModelConfig,
        config::{Tokenizer, VisionPositions},
    },
};
use clipa_schemas::reduction::text::TextReduction;
use serde_json::{Map, Value};

use super::{FactError, beside::read, open_clip};

/// open_clip's defaults of what a configuration leaves out.
const IMAGE_SIZE: i64 = 224;
const CONTEXT_LENGTH: i64 = 77;
/// The recipe that lends [`Configuration::recipe`] what only training needs.
const LENDER: &str = "tiny-photos";

/// A model, and how images and captions are prepared for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Configuration {
    /// The model.
    pub model: ModelConfig,
    /// The lengths that its weights are for.
    pub sizes: InputSizes,
    /// The kernel that images are scaled with.
    pub filter: Filter,
    /// How evaluation makes images square.
    pub resize_mode: ResizeMode,
    /// How captions are cut.
    pub text_reduction: TextReduction,
    /// Are BERT's rows open_clip's, one piece shorter?
    pub strip_sep_token: bool,
    /// What a person should know of it.
    pub notes: Vec<String>,
}

/// Reads open_clip's configuration of a model.
///
/// # Errors
/// [`FactError::Unreadable`]; [`FactError::Unsupported`] for a model that is not built here.
pub fn open_clip_configuration(path: &Path) -> Result<Configuration, FactError> {
    let path_of = || PathBuf::from(path);
    let described = open_clip::describe(&read(path)?)
        .map_err(|detail| FactError::Unreadable { path: path_of(), detail })?
        .map_err(|detail| FactError::Unsupported { path: path_of(), detail })?;
    let mut model = Map::new();
    for fact in &described.facts {
        put(&mut model, fact.key, fact.values[0].clone());
    }
    if described.fixed_positions == Some(true) {
        put(&mut model, "model.vision.positions", "sin-cos-2d".into());
    }
    let mut model: ModelConfig = model
        .remove("model")
        .ok_or_else(|| "no model".to_owned())
        .and_then(|model| serde_json::from_value(model).map_err(|error| error.to_string()))
        .map_err(|detail| FactError::Unreadable { path: path_of(), detail })?;
    // Both towers' one activation is the model's.
    model.text.gelu = model.text.gelu.filter(|&gelu| gelu != model.gelu);
    let sizes = InputSizes {
        image_size: described.image_size.unwrap_or(IMAGE_SIZE),
        context_length: described.context_length.unwrap_or(CONTEXT_LENGTH),
    };
    model
        .check()
        .and_then(|()| model.check_sizes(sizes))
        .map_err(|error| FactError::Unsupported { path: path_of(), detail: error.to_string() })?;
    let reduction = described.reduction_mask.as_deref();
    let text_reduction = match reduction {
        None => TextReduction::Truncate,
        Some("syntax") => TextReduction::Syntax,
        Some("random") => TextReduction::Random,
        Some("simple") => TextReduction::Block,
        Some(other) => {
            let other = clipa_talk::printable(other);
            let detail = format!("text_cfg.tokenizer_kwargs.reduction_mask = {other}");
            return Err(FactError::Unsupported { path: path_of(), detail });
        }
    };
    Ok(Configuration {
        model,
        sizes,
        filter: described.filter.map_or(Filter::Bicubic, |(_, filter)| filter),
        resize_mode: described.resize_mode.map_or(ResizeMode::Shortest, |(_, mode)| mode),
        text_reduction,
        strip_sep_token: described.strip_sep_token.unwrap_or(false),
        notes: described.notes,
    })
}

impl Configuration {
    /// That of a stage of ours.
    pub fn of_stage(recipe: &Recipe, stage: &Stage) -> Configuration {
        Configuration {
            model: stage.model(&recipe.model),
            sizes: stage.sizes(),
            filter: stage.augment.filter,
            resize_mode: stage.augment.resize_mode,
            text_reduction: stage.text_reduction,
            strip_sep_token: stage.strip_sep_token,
            notes: Vec::new(),
        }
    }

    /// The same as a recipe of one stage of this name, for what reads recipes: evaluation, and the writers of configurations.
    ///
    /// Batch, learning rates and lengths of training are those of another recipe and mean nothing.
    pub fn recipe(&self, name: &str) -> Recipe {
        let mut recipe = Recipe::load(LENDER, &[], None).expect("a built-in recipe is whole");
        recipe.name = name.to_owned();
        recipe.about = "weights that were not trained here".to_owned();
        recipe.model = self.model.clone();
        recipe.stages.truncate(1);
        for stage in &mut recipe.stages {
            stage.name = name.to_owned();
            stage.image_size = self.sizes.image_size;
            stage.context_length = self.sizes.context_length;
            stage.positions = None;
            stage.text_reduction = self.text_reduction;
            stage.strip_sep_token =
                self.strip_sep_token && self.model.text.tokenizer == Tokenizer::BertWordpiece;
            stage.augment.filter = self.filter;
            stage.augment.resize_mode = self.resize_mode;
        }
        recipe
    }

    /// Takes the image tower's positions as trained ones, whatever they were.
    pub fn with_positions(mut self, positions: VisionPositions) -> Configuration {
        self.model.vision.positions = positions;
        self
    }
}

/// Puts a value at a place such as `model.vision.width`.
fn put(tree: &mut Map<String, Value>, key: &str, value: Value) {
    match key.split_once('.') {
        None => drop(tree.insert(key.to_owned(), value)),
        Some((table, rest)) => {
            let below = tree.entry(table).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(below) = below {
                put(below, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::open_clip_config;

    fn written_and_read(recipe: &Recipe, stage: &str) -> Configuration {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("open_clip_config.json");
        let described = open_clip_config(recipe, recipe.stage(stage).unwrap());
        std::fs::write(&path, described.to_string()).unwrap();
        open_clip_configuration(&path).unwrap()
    }

    #[test]
    fn what_open_clip_can_say_of_our_recipes_is_read_again() {
        for (name, stage) in [
            ("b16-i50-t16", "finetune"),
            ("datacomp-small", "pretrain"),
            ("l14-i37-t8", "finetune"),
            ("h14-i37-t8", "finetune-336"),
            ("bigg14-i37-t8", "finetune"),
        ] {
            let recipe = Recipe::load(name, &[], None).unwrap();
            let expected = Configuration::of_stage(&recipe, recipe.stage(stage).unwrap());
            let read = written_and_read(&recipe, stage);
            // Which of the two tables it is, open_clip does not say.
            let read = read.with_positions(expected.model.vision.positions);
            assert_eq!(read, expected, "{name}");
            let again = read.recipe("imported");
            assert_eq!(Configuration::of_stage(&again, &again.stages[0]), expected, "{name}");
        }
    }

    #[test]
    fn the_width_of_an_mlp_survives_open_clips_ratio() {
        for (width, mlp) in [(96, 392), (1408, 6144), (1664, 8192), (368, 1640), (1000, 2001)] {
            let set = [
                format!("model.vision.width={width}"),
                format!("model.vision.mlp_width={mlp}"),
                format!("model.vision.heads={}", width / 8),
                format!("model.text.mlp_width={}", mlp + 1),
            ];
            let recipe = Recipe::load("b16-i50-t16", &set, None).unwrap();
            let read = written_and_read(&recipe, "finetune");
            assert_eq!((read.model.vision.mlp_width, read.model.text.mlp_width), (mlp, mlp + 1));
        }
    }
}
