//! The lengths that a model is evaluated at, and the positions that go with them.

use clipa_recipe::{Recipe, RecipeError, Stage, model::config::VisionPositions};
use clipa_schemas::reduction::text::TextReduction;

/// How a model read a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lengths {
    /// Side of the images in pixels.
    pub image_size: i64,
    /// Tokens of prompts or captions.
    pub context_length: i64,
    /// How those that are longer were reduced.
    pub text_reduction: TextReduction,
}

/// What was asked for in place of the lengths that the weights were trained at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Another stage of the recipe.
    pub stage: Option<String>,
    /// Another side of the images in pixels.
    pub image_size: Option<i64>,
    /// Another number of text tokens.
    pub context_length: Option<i64>,
    /// Texts are cut only where the context ends, whatever the stage says.
    pub full_texts: bool,
    /// BERT's rows as open_clip makes them, whatever the stage says.
    pub strip_sep_token: bool,
}

impl Asked {
    /// The stage as which weights are evaluated that were trained in stage `trained`, with its `positions` set.
    ///
    /// # Errors
    /// A stage that the recipe does not have; a tokenizer without a `[SEP]`.
    pub fn stage(&self, recipe: &Recipe, trained: &str) -> Result<Stage, RecipeError> {
        let trained = recipe.stage(trained)?;
        let asked = self.stage.as_deref().map(|name| recipe.stage(name)).transpose()?;
        let mut stage = asked.unwrap_or(trained).clone();
        stage.image_size = self.image_size.unwrap_or(stage.image_size);
        stage.context_length = self.context_length.unwrap_or(stage.context_length);
        if self.full_texts {
            stage.text_reduction = TextReduction::Truncate;
        }
        if self.strip_sep_token {
            stage.strip_sep_token = true;
            recipe.check_tokenizer(&stage)?;
        }
        stage.positions = Some(positions_of(recipe, trained, asked, stage.image_size));
        Ok(stage)
    }
}

/// Where the image tower's positions come from when weights of stage `trained` are evaluated at `image_size`: from where the
/// stage would take them that goes on with these weights. That is the stage that was asked for, else the next one of this
/// size, else the next one; so a fixed table of pre-training is interpolated where fine-tuning interpolates it, and
/// computed where that computes it.
pub fn positions_of(
    recipe: &Recipe,
    trained: &Stage,
    asked: Option<&Stage>,
    image_size: i64,
) -> VisionPositions {
    let of = |stage: &Stage| stage.model(&recipe.model).vision.positions;
    // What was trained is never replaced by a table.
    if of(trained) == VisionPositions::Learnable {
        return VisionPositions::Learnable;
    }
    if let Some(asked) = asked {
        return of(asked);
    }
    if image_size == trained.image_size {
        return of(trained);
    }
    let later = || recipe.stages.iter().skip_while(|stage| stage.name != trained.name).skip(1);
    let next = later().find(|stage| stage.image_size == image_size).or_else(|| later().next());
    of(next.unwrap_or(trained))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn positions(
        set: &[&str],
        trained: &str,
        asked: Option<&str>,
        image_size: i64,
    ) -> VisionPositions {
        let set: Vec<String> = set.iter().map(|&set| set.to_owned()).collect();
        let recipe = Recipe::load("tiny-i17-t8", &set, None).unwrap();
        let asked = Asked {
            stage: asked.map(str::to_owned),
            image_size: Some(image_size),
            ..Asked::default()
        };
        asked.stage(&recipe, trained).unwrap().positions.unwrap()
    }

    #[test]
    fn positions_are_those_that_the_next_stage_would_begin_with() {
        let fixed = VisionPositions::SinCos2d;
        let pretrain =
            ["stage.pretrain.positions=sin-cos-2d", "stage.finetune.positions=learnable"];
        let learnable = VisionPositions::Learnable;
        for (asked, size, expected) in [
            (None, 32, fixed),
            (None, 64, learnable),
            (None, 48, learnable),
            (Some("finetune"), 64, learnable),
            (Some("pretrain"), 64, fixed),
        ] {
            assert_eq!(positions(&pretrain, "pretrain", asked, size), expected, "{asked:?} {size}");
        }
        let both = ["stage.pretrain.positions=sin-cos-2d", "stage.finetune.positions=sin-cos-2d"];
        for (trained, asked, size) in
            [("pretrain", None, 64), ("pretrain", Some("finetune"), 64), ("finetune", None, 96)]
        {
            assert_eq!(positions(&both, trained, asked, size), fixed);
        }
        // What was trained is interpolated, even for a stage that would compute a table.
        let last = ["stage.pretrain.positions=learnable", "stage.finetune.positions=sin-cos-2d"];
        assert_eq!(positions(&last, "pretrain", Some("finetune"), 64), learnable);
    }
}
