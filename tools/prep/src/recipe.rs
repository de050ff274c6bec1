//! Which image columns a training recipe reads: the only thing that preparation wants to know of it.

use anyhow::{Context, Result, anyhow};
use clipa_schemas::image_column::{ImageColumn, ImageEncoding, MAX_SIDE_PX};
use serde::Deserialize;

use clipa_talk::Failure;

/// The recipes that come with the trainer, by name. A test holds the list against the folder.
const BUILT_IN: [(&str, &str); 5] = [
    ("b16-i50-t16", include_str!("../../../trainer/recipe/recipes/b16-i50-t16.toml")),
    ("l16-i17-t16", include_str!("../../../trainer/recipe/recipes/l16-i17-t16.toml")),
    ("l16-i37-t8", include_str!("../../../trainer/recipe/recipes/l16-i37-t8.toml")),
    ("tiny-i17-t8", include_str!("../../../trainer/recipe/recipes/tiny-i17-t8.toml")),
    ("tiny-photos", include_str!("../../../trainer/recipe/recipes/tiny-photos.toml")),
];

/// Raw pixels up to this short side, JPEG above: beyond it raw columns cost more disk than decoding costs cores.
const LARGEST_RAW_SIDE_PX: u32 = 180;

/// The part of a recipe that is read here; the trainer checks the rest.
#[derive(Deserialize)]
struct Recipe {
    stage: Vec<Stage>,
}

#[derive(Deserialize)]
struct Stage {
    image_size: u32,
    #[serde(default)]
    augment: Augment,
}

#[derive(Default, Deserialize)]
struct Augment {
    crop_scale: Option<[f64; 2]>,
}

/// The columns for a recipe's name or TOML file: for each stage the side at which its random crops never up-sample,
/// image size / √(least crop area), aspect kept.
///
/// # Errors
/// No such recipe or file, or not a recipe.
pub fn image_columns(recipe: &str) -> Result<Vec<ImageColumn>> {
    let text = match BUILT_IN.iter().find(|(name, _)| *name == recipe) {
        Some((_, text)) => (*text).to_owned(),
        None if recipe.ends_with(".toml") => std::fs::read_to_string(recipe)
            .with_context(|| format!("cannot read recipe {recipe}"))?,
        None => {
            let names: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
            let hint = format!("choose {}, or name a .toml file", names.join(", "));
            return Err(Failure::new(anyhow!("unknown recipe `{recipe}`"), hint).into());
        }
    };
    let recipe: Recipe = toml::from_str(&text).with_context(|| format!("recipe {recipe}"))?;
    let mut columns: Vec<ImageColumn> = recipe.stage.iter().map(column).collect::<Result<_>>()?;
    columns.sort_by_key(|column| column.side);
    columns.dedup();
    Ok(columns)
}

fn column(stage: &Stage) -> Result<ImageColumn> {
    let least_area = stage.augment.crop_scale.map_or(1.0, |scale| scale[0]).clamp(0.01, 1.0);
    let side = (f64::from(stage.image_size) / least_area.sqrt()).ceil() as u32;
    anyhow::ensure!((1..=MAX_SIDE_PX).contains(&side), "image size {} px", stage.image_size);
    let encoding =
        if side <= LARGEST_RAW_SIDE_PX { ImageEncoding::Rgb8 } else { ImageEncoding::Jpeg };
    Ok(ImageColumn { side, encoding })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(recipe: &str) -> Vec<String> {
        image_columns(recipe).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn crops_of_the_published_recipes_never_up_sample() {
        assert_eq!(names("b16-i50-t16"), ["178:rgb8", "355:jpeg"]);
        assert_eq!(names("l16-i17-t16"), ["102:rgb8", "355:jpeg"]);
        assert_eq!(names("l16-i37-t8"), ["152:rgb8", "355:jpeg"]);
    }

    #[test]
    fn every_recipe_of_the_trainer_is_known() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../trainer/recipe/recipes");
        let mut found: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        found.sort();
        assert_eq!(found, BUILT_IN.map(|(name, _)| name));
    }

    #[test]
    fn an_unknown_recipe_is_an_error() {
        assert!(image_columns("b16").is_err());
        assert!(image_columns("missing.toml").is_err());
    }
}
