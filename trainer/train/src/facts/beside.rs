//! Finds what lies beside weights, and compares.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clipa_recipe::{Recipe, Stage, model::config::VisionPositions};
use serde_json::Value;

use super::{Fact, FactError, open_clip};
use crate::checkpoint::CHECKPOINTS;
use crate::run;

/// Longest configuration that is read, in bytes.
const MAX_CONFIG_BYTES: u64 = 1 << 20;
/// Configurations of Hugging Face's transformers, which are not read.
const HUGGING_FACE: [&str; 2] = ["config.json", "preprocessor_config.json"];
const GELU: &str = "model.gelu";
const TEXT_GELU: &str = "model.text.gelu";
/// What a run's recipe says and no tensor's shape shows. Of the rest the tensors tell by name.
const SHAPELESS: [&str; 11] = [
    GELU,
    TEXT_GELU,
    "model.ln_eps",
    "model.pixels",
    "model.vision.heads",
    "model.vision.pool",
    "model.vision.final_ln_after_pool",
    "model.text.heads",
    "model.text.tokenizer",
    "model.text.causal",
    "model.text.pool",
];

/// What the facts beside weights ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advice {
    /// Changes, `KEY=VALUE`, of what the recipe leaves open.
    pub set: Vec<String>,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// Compares a recipe with what lies beside a weights file: `open_clip_config.json`, and the recipe of the run that wrote it. `is_open` says
/// whether the recipe leaves a key to its default.
///
/// # Errors
/// [`FactError`] where a file cannot be read, is of a model that is not built here, or contradicts the recipe.
pub fn advice(
    weights: &Path,
    recipe: &Recipe,
    stage: &Stage,
    is_open: impl Fn(&str) -> bool,
) -> Result<Advice, FactError> {
    let mut advice = Advice::default();
    let folders = beside(weights);
    let find =
        |name: &str| folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file());
    let own = find(run::RECIPE);
    if let Some(path) = &own {
        compare_own(path, recipe, stage, &is_open, &mut advice)?;
    }
    let config = find(run::OPEN_CLIP_CONFIG);
    if let Some(path) = &config {
        let may_count = |key: &str| own.is_none() || SHAPELESS.contains(&key);
        compare_open_clip(path, (recipe, stage), may_count, &is_open, &mut advice)?;
    }
    if let Some(path) = HUGGING_FACE.iter().find_map(|name| find(name))
        && own.is_none()
    {
        let instead = match config {
            Some(config) => format!("what {} says counts", config.display()),
            None => "the recipe alone says how these weights are used".to_owned(),
        };
        advice
            .notes
            .push(format!("{} is Hugging Face's and is not read: {instead}", path.display()));
    }
    Ok(advice)
}

/// The weights' folder, and that of the run whose checkpoint it is. A link (Hugging Face's cache) is not followed: the names lie beside the link.
pub fn beside(weights: &Path) -> Vec<PathBuf> {
    let parent = match weights.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    // The path may be relative and begin within the run.
    let whole = std::path::absolute(&parent).unwrap_or_else(|_| parent.clone());
    let run =
        whole.parent().filter(|above| above.file_name().is_some_and(|name| name == CHECKPOINTS));
    let run = run.and_then(Path::parent).map(Path::to_owned);
    std::iter::once(parent).chain(run).collect()
}

fn compare_own(
    path: &Path,
    recipe: &Recipe,
    stage: &Stage,
    is_open: &impl Fn(&str) -> bool,
    advice: &mut Advice,
) -> Result<(), FactError> {
    let unreadable = |detail: String| FactError::Unreadable { path: path.to_owned(), detail };
    let theirs = read(path)?;
    let theirs = Recipe::parse(&theirs, run::RECIPE, &[], None)
        .map_err(|error| unreadable(error.to_string()))?;
    let model = model_of(&theirs);
    let facts = SHAPELESS.iter().filter_map(|&key| {
        let value = at(&model, key)?.clone();
        let says = format!("{key} = {}", shown(&value));
        Some(Fact { says, key, values: vec![value] })
    });
    // Which of its stages the weights are of is written beside the recipe.
    let trained = fs::read_to_string(path.with_file_name(run::IDENTITY)).ok();
    let trained = trained.and_then(|text| serde_json::from_str::<Value>(&text).ok());
    let trained =
        trained.and_then(|run| theirs.stage(run["identity"]["stage"].as_str()?).ok().cloned());
    let positions = trained.map(|stage| stage.model(&theirs.model).vision.positions);
    let wanted = stage.model(&recipe.model).vision.positions;
    let mut differences = Differences::default();
    if let Some(positions) = positions
        && wanted != VisionPositions::Learnable
        && positions != wanted
    {
        let [theirs, ours] = [positions, wanted].map(|positions| shown(&as_json(&positions)));
        differences.add(
            format!("positions = {theirs}"),
            &ours,
            format!("stage.positions={theirs}"),
        );
    }
    differences.compare(facts.collect(), recipe, is_open, path, advice);
    differences.refuse(path)
}

fn compare_open_clip(
    path: &Path,
    (recipe, stage): (&Recipe, &Stage),
    may_count: impl Fn(&str) -> bool,
    is_open: &impl Fn(&str) -> bool,
    advice: &mut Advice,
) -> Result<(), FactError> {
    let path = path.to_owned();
    let described = open_clip::describe(&read(&path)?)
        .map_err(|detail| FactError::Unreadable { path: path.clone(), detail })?
        .map_err(|detail| FactError::Unsupported { path: path.clone(), detail })?;
    let mut differences = Differences::default();
    let positions = stage.model(&recipe.model).vision.positions;
    if described.fixed_positions == Some(false) && positions != VisionPositions::Learnable {
        let says = "vision_cfg.pos_embed_type = learnable".to_owned();
        differences.add(says, &shown(&as_json(&positions)), "stage.positions=learnable".to_owned());
    }
    let notes = described.notes.iter().map(|note| format!("{}: {note}", path.display()));
    advice.notes.extend(notes);
    if let Some((theirs, mode)) = &described.resize_mode
        && *mode != stage.augment.resize_mode
    {
        advice.notes.push(format!(
            "{}: preprocess_cfg.resize_mode = {theirs}, and this stage evaluates otherwise (stage.augment.resize_mode)",
            path.display()
        ));
    }
    if let Some((theirs, filter)) = &described.filter
        && *filter != stage.augment.filter
    {
        advice.notes.push(format!(
            "{}: preprocess_cfg.interpolation = {theirs}, and this stage resizes otherwise (stage.augment.filter)",
            path.display()
        ));
    }
    if described.fixed_positions.is_none() && positions != VisionPositions::Learnable {
        advice.notes.push(format!(
            "{} does not say that positions are a table, and this stage computes one: positions in the weights are not used",
            path.display()
        ));
    }
    let facts = described.facts.into_iter().filter(|fact| may_count(fact.key)).collect();
    differences.compare(facts, recipe, is_open, &path, advice);
    differences.refuse(&path)
}

/// What a configuration says and the recipe says otherwise.
#[derive(Default)]
struct Differences {
    contradictions: Vec<String>,
    set: Vec<String>,
}

impl Differences {
    fn add(&mut self, says: String, ours: &str, set: String) {
        self.contradictions.push(format!("{says}, the recipe says {ours}"));
        self.set.push(set);
    }

    fn compare(
        &mut self,
        facts: Vec<Fact>,
        recipe: &Recipe,
        is_open: &impl Fn(&str) -> bool,
        path: &Path,
        advice: &mut Advice,
    ) {
        let model = model_of(recipe);
        let gelu = facts.iter().find(|fact| fact.key == GELU).map(|fact| fact.values.clone());
        for fact in facts {
            let follows = gelu.as_ref() == Some(&fact.values) && recipe.model.text.gelu.is_none();
            if fact.key == TEXT_GELU && follows {
                // Both towers have one activation, there and here: that of `model.gelu`.
                continue;
            }
            let Some(ours) = at(&model, fact.key) else { continue };
            if fact.agrees(ours) {
                continue;
            }
            let set = format!("{}={}", fact.key, shown(&fact.values[0]));
            if is_open(fact.key) && !advice.set.contains(&set) {
                advice.notes.push(format!("{} says {}: used, {set}", path.display(), fact.says));
                advice.set.push(set);
            } else if !advice.set.contains(&set) {
                let key = fact.key;
                self.add(fact.says, &format!("{key} = {}", shown(ours)), set);
            }
        }
    }

    fn refuse(self, path: &Path) -> Result<(), FactError> {
        if self.contradictions.is_empty() {
            return Ok(());
        }
        let Differences { contradictions, set } = self;
        Err(FactError::Contradiction { path: path.to_owned(), contradictions, set })
    }
}

fn as_json(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).expect("a recipe holds only tables, numbers and strings")
}

fn model_of(recipe: &Recipe) -> Value {
    let mut model = as_json(&recipe.model);
    // Not written where it is the default, and yet it can be contradicted.
    model["loss"] = as_json(&recipe.model.loss);
    model["text"]["gelu"] = as_json(&recipe.model.text_gelu());
    model
}

/// The value of a key that begins with `model.`.
fn at<'v>(model: &'v Value, key: &str) -> Option<&'v Value> {
    key.split('.').skip(1).try_fold(model, |value, part| value.get(part))
}

/// A value as a recipe writes it, strings without quotes.
pub(super) fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

pub(super) fn read(path: &Path) -> Result<String, FactError> {
    let unreadable = |detail: String| FactError::Unreadable { path: path.to_owned(), detail };
    let bytes = fs::metadata(path).map_err(|error| unreadable(error.to_string()))?.len();
    if bytes > MAX_CONFIG_BYTES {
        return Err(unreadable(format!("{bytes} bytes, the limit is {MAX_CONFIG_BYTES}")));
    }
    fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))
}
