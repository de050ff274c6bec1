//! `clipa-train recipes`, and how a model's costs are said.

use anyhow::Result;
use clipa_recipe::model::cost::Cost;
use clipa_recipe::{BUILT_IN, Recipe, Stage};
use clipa_talk::{
    Outcome, Printer,
    figures::{count, scaled},
    printable,
};
use serde_json::json;

use super::arguments::{RecipesArguments, RecipesCommand};

pub(super) fn recipes(arguments: &RecipesArguments, printer: &Printer) -> Result<Outcome> {
    match &arguments.command {
        Some(RecipesCommand::Show { recipe, set }) => show(recipe, set, printer)?,
        None => list(arguments.json, printer)?,
    }
    Ok(Outcome::Fine)
}

/// Parameters of a model: exact, and tower by tower.
pub(super) fn model_line(cost: &Cost) -> String {
    let [all, image, text] = [cost.parameters(), cost.vision_parameters, cost.text_parameters]
        .map(|parameters| count(parameters.unsigned_abs()));
    format!("{all} parameters (image {image}, text {text})")
}

/// Lengths of a stage and operations of a sample.
pub(super) fn stage_line(recipe: &Recipe, stage: &Stage) -> String {
    let cost = stage_cost(recipe, stage);
    let training = cost.training_flops(recipe.model.embed_dim, stage.batch as i64);
    format!(
        "{} px, {} image and {} text tokens ({}); forward {} image + {} text, training {}",
        stage.image_size,
        cost.image_tokens,
        cost.text_tokens,
        stage.text_reduction,
        scaled(cost.image_flops, "FLOP"),
        scaled(cost.text_flops, "FLOP"),
        scaled(training, "FLOP"),
    )
}

fn stage_cost(recipe: &Recipe, stage: &Stage) -> Cost {
    Cost::new(&recipe.model, stage.sizes(), stage.kept_patches(&recipe.model))
}

fn list(as_json: bool, printer: &Printer) -> Result<()> {
    let recipes = BUILT_IN.iter().map(|built_in| Recipe::load(built_in.name, &[], None));
    let recipes = recipes.collect::<Result<Vec<Recipe>, _>>()?;
    let names = longest(recipes.iter().map(|recipe| recipe.name.as_str()));
    let stages = recipes.iter().flat_map(|recipe| &recipe.stages);
    let stages = longest(stages.map(|stage| stage.name.as_str()));
    let mut rows = Vec::new();
    for recipe in recipes {
        if as_json {
            let stages = recipe.stages.iter().map(|stage| {
                let cost = stage_cost(&recipe, stage);
                json!({ "stage": stage, "cost": cost, "parameters": cost.parameters() })
            });
            let stages: Vec<_> = stages.collect();
            rows.push(json!({ "name": recipe.name, "about": recipe.about, "stages": stages }));
            continue;
        }
        printer.data(format!("{:<names$} {}", recipe.name, recipe.about));
        for stage in &recipe.stages {
            printer.data(format!("    {:<stages$} {}", stage.name, stage_line(&recipe, stage)));
        }
    }
    if as_json {
        printer.json(&rows)?;
    }
    Ok(())
}

/// The width of a column of words.
fn longest<'w>(words: impl Iterator<Item = &'w str>) -> usize {
    words.map(|word| word.chars().count()).max().unwrap_or_default()
}

/// The recipe as it was written where nothing is changed: its comments are worth reading.
fn show(name: &str, set: &[String], printer: &Printer) -> Result<()> {
    let recipe = Recipe::load(name, set, None)?;
    for stage in &recipe.stages {
        let (name, model) = (printable(&stage.name), model_line(&stage_cost(&recipe, stage)));
        printer.data(format!("# {name}: {model}"));
        printer.data(format!("#   {}", stage_line(&recipe, stage)));
    }
    let built_in = BUILT_IN.iter().find(|built_in| built_in.name == name && set.is_empty());
    match built_in {
        Some(built_in) => printer.data(built_in.text.trim_end()),
        None => printer.data(recipe.to_toml().trim_end()),
    }
    Ok(())
}
