//! `clipa-train run`: all stages of a recipe, one after the other.

use std::path::PathBuf;

use anyhow::Result;
use clipa_recipe::Recipe;
use clipa_talk::{Outcome, Printer, printable};

use super::{
    arguments::TrainArguments,
    train::{Start, train},
};
use crate::run;

/// Trains every stage of the recipe, each in a run of its own below `--output`, each from the weights of the one before.
///
/// A stage that is finished is passed by when `--resume` is given, one that was stopped goes on, one that is not there begins.
pub(super) fn run(arguments: &TrainArguments, printer: &Printer) -> Result<Outcome> {
    let recipe = Recipe::load(&arguments.recipe, &[], None)?;
    let stages: Vec<&str> = recipe.stages.iter().map(|stage| stage.name.as_str()).collect();
    let mut from: Option<PathBuf> = None;
    for (number, stage) in stages.iter().enumerate() {
        printer.say(format!("stage {} of {}: {}", number + 1, stages.len(), printable(stage)));
        let output = arguments.output.join(stage);
        let resume = arguments.resume && output.join(run::IDENTITY).is_file();
        let of_stage = TrainArguments { output: output.clone(), resume, ..arguments.clone() };
        // A dry run has no weights to look at: the stage before made none.
        let start = from.as_deref().filter(|_| !arguments.dry_run);
        let start = start.map_or(Start::Random, Start::from_weights);
        match train(&of_stage, stage, start, printer)? {
            Outcome::Fine => from = Some(output),
            ended => return Ok(ended),
        }
    }
    Ok(Outcome::Fine)
}
