//! The built-in recipes are those of the papers' scripts, and wrong recipes say what is wrong.

mod published;
mod written;

use super::*;
use crate::model::cost::Cost;

fn load(name: &str) -> Recipe {
    Recipe::load(name, &[], None).unwrap()
}

fn refused(set: &str) -> String {
    Recipe::load("tiny-i17-t8", &[set.to_owned()], Some("pretrain")).unwrap_err().to_string()
}

fn cost(recipe: &Recipe, stage: &str) -> Cost {
    let stage = recipe.stage(stage).unwrap();
    Cost::new(&recipe.model, stage.sizes(), stage.kept_patches(&recipe.model))
}
