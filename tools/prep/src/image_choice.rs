//! Which image columns are stored for a training recipe.

use anyhow::{Result, ensure};
use clipa_recipe::{Recipe, RecipeError, Stage};
use clipa_schemas::image_column::{ImageColumn, ImageEncoding, MAX_SIDE_PX};
use clipa_talk::Failure;

/// Raw pixels up to this short side, JPEG above: beyond it raw columns cost more disk than decoding costs cores.
const LARGEST_RAW_SIDE_PX: u32 = 180;

/// The columns for a recipe, by the name of a built-in one or the path of a TOML file: for each stage the side at
/// which its crops never up-sample, aspect kept.
///
/// # Errors
/// No such recipe or file, not a recipe, or a stage that asks for a side that no column has.
pub fn image_columns(recipe: &str) -> Result<Vec<ImageColumn>> {
    let recipe = Recipe::load(recipe, &[], None).map_err(with_hint)?;
    let mut columns: Vec<ImageColumn> = recipe.stages.iter().map(column).collect::<Result<_>>()?;
    columns.sort_by_key(|column| column.side);
    columns.dedup();
    Ok(columns)
}

fn column(stage: &Stage) -> Result<ImageColumn> {
    let Stage { name, image_size, .. } = stage;
    let side = stage.augment.augment().wanted_side(u32::try_from(*image_size)?);
    ensure!(
        (1..=MAX_SIDE_PX).contains(&side),
        "stage {name} wants images of {side} px (image_size = {image_size} and its augment.crop_scale), not 1 to \
         {MAX_SIDE_PX} px"
    );
    let encoding =
        if side <= LARGEST_RAW_SIDE_PX { ImageEncoding::Rgb8 } else { ImageEncoding::Jpeg };
    Ok(ImageColumn { side, encoding })
}

fn with_hint(error: RecipeError) -> anyhow::Error {
    match error.hint() {
        Some(hint) => Failure::new(error, hint).into(),
        None => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use clipa_recipe::BUILT_IN;

    use super::*;

    fn names(recipe: &str) -> Vec<String> {
        image_columns(recipe).unwrap().iter().map(ToString::to_string).collect()
    }

    fn of_file(text: &str) -> Result<Vec<ImageColumn>> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mine.toml");
        std::fs::write(&file, text).unwrap();
        image_columns(file.to_str().unwrap())
    }

    #[test]
    fn crops_of_the_built_in_recipes_never_up_sample() {
        let expected = [
            ("b16-i50-t16", &["178:rgb8", "355:jpeg"][..]),
            ("l16-i17-t16", &["102:rgb8", "355:jpeg"]),
            ("l16-i37-t8", &["152:rgb8", "355:jpeg"]),
            ("l14-i37-t8", &["133:rgb8", "355:jpeg", "532:jpeg"]),
            ("h14-i26-t8", &["111:rgb8", "355:jpeg", "532:jpeg"]),
            ("h14-i37-t8", &["133:rgb8", "355:jpeg", "532:jpeg"]),
            ("bigg14-i26-t8", &["111:rgb8", "355:jpeg", "532:jpeg"]),
            ("bigg14-i37-t8", &["133:rgb8", "355:jpeg", "532:jpeg"]),
            ("openvision-b16", &["253:jpeg", "355:jpeg", "608:jpeg"]),
            ("openvision-l14", &["133:rgb8", "355:jpeg", "532:jpeg"]),
            ("datacomp-small", &["237:jpeg"]),
            ("tiny-i17-t8", &["35:rgb8", "70:rgb8"]),
            ("tiny-photos", &["26:rgb8", "51:rgb8"]),
        ];
        assert_eq!(BUILT_IN.map(|recipe| recipe.name), expected.map(|(name, _)| name));
        for (recipe, columns) in expected {
            assert_eq!(names(recipe), columns, "{recipe}");
        }
    }

    fn tiny() -> &'static str {
        BUILT_IN.iter().find(|recipe| recipe.name == "tiny-i17-t8").unwrap().text
    }

    #[test]
    fn what_a_recipe_leaves_out_is_what_the_trainer_assumes() {
        let text = tiny().replace("crop_scale = [0.85, 1.0]", "");
        let sides: Vec<u32> = of_file(&text).unwrap().iter().map(|column| column.side).collect();
        assert_eq!(sides, [51, 102]);
        let text = tiny().replace("crop_scale = [0.85, 1.0]", "crop = \"centre\"");
        let sides: Vec<u32> = of_file(&text).unwrap().iter().map(|column| column.side).collect();
        assert_eq!(sides, [32, 64]);
    }

    #[test]
    fn a_side_that_no_column_has_is_an_error_that_names_the_stage() {
        for least in ["0.0", "0.0005", "-1.0", "nan"] {
            let text = tiny().replace("[0.85, 1.0]", &format!("[{least}, 1.0]"));
            let error = of_file(&text).unwrap_err().to_string();
            assert!(error.contains("stage pretrain wants images of"), "{least}: {error}");
        }
    }

    #[test]
    fn an_unknown_recipe_is_an_error_with_the_known_ones() {
        let error = image_columns("b16").unwrap_err();
        assert_eq!(error.to_string(), "no recipe named `b16`");
        let printer_line = {
            let (printer, heard) = clipa_talk::Printer::captured();
            printer.error(&error);
            heard.talk()
        };
        assert!(printer_line.contains("\nhint: the built-in recipes are b16-i50-t16, "));
        let error = image_columns("missing.toml").unwrap_err().to_string();
        assert!(error.contains("missing.toml"), "{error}");
        let error = of_file("[[stage]]\nwarmpu = 3\n").unwrap_err().to_string();
        assert!(error.contains("unknown key `stage.warmpu`"), "{error}");
    }
}
