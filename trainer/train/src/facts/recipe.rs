//! A recipe for weights that come with open_clip's configuration and no recipe of ours: what it says of the model, and one
//! stage that reads images and texts as it says.

use std::path::Path;

use clipa_recipe::{
    Recipe,
    model::config::{Tokenizer, VisionPositions},
};

use super::{FactError, open_clip_configuration};

/// Name of the stage.
pub const STAGE: &str = "open_clip";

/// The recipe of a configuration, and what a person should know. Positions are those of the weights, and resized as
/// open_clip does; a BERT tokenizer needs `strip_sep_token`, because rows with a `[SEP]` are not built.
///
/// # Errors
/// A file that is no configuration, or of a model that is not built here.
pub fn recipe_of(config: &Path) -> Result<(Recipe, Vec<String>), FactError> {
    let configuration = open_clip_configuration(config)?;
    let tokenizer = configuration.model.text.tokenizer;
    if tokenizer == Tokenizer::BertWordpiece && !configuration.strip_sep_token {
        let key = "text_cfg.tokenizer_kwargs.strip_sep_token";
        let detail = format!("{key} is not true: rows with a [SEP]");
        return Err(FactError::Unsupported { path: config.to_owned(), detail });
    }
    let notes = configuration.notes.clone();
    let configuration = configuration.with_positions(VisionPositions::Learnable);
    Ok((configuration.recipe(STAGE), notes))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clipa_recipe::augment::{Filter, ResizeMode};
    use clipa_recipe::model::config::{Gelu, PixelStatistics, TextPool};
    use clipa_schemas::reduction::text::TextReduction;

    use super::*;

    fn recipe(text: &str) -> Result<Recipe, FactError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("open_clip_config.json");
        fs::write(&path, text).unwrap();
        recipe_of(&path).map(|(recipe, _)| recipe)
    }

    #[test]
    fn openais_model_and_clipas_become_recipes() {
        let base = recipe(
            r#"{"embed_dim": 512, "quick_gelu": true,
                "vision_cfg": {"image_size": 224, "layers": 12, "width": 768, "patch_size": 32},
                "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 512, "heads": 8, "layers": 12}}"#,
        )
        .unwrap();
        let stage = base.stage(STAGE).unwrap();
        assert_eq!((base.model.vision.patch_size, base.model.gelu), (32, Gelu::Quick));
        assert_eq!((stage.image_size, stage.context_length), (224, 77));
        let large = recipe(
            r#"{"model_cfg": {"embed_dim": 768,
                "vision_cfg": {"image_size": 84, "layers": 24, "width": 1024, "patch_size": 14,
                    "no_ln_pre": true, "pool_type": "avg", "final_ln_after_pool": true},
                "text_cfg": {"context_length": 32, "vocab_size": 32000, "hf_tokenizer_name": "bert-base-uncased",
                    "tokenizer_kwargs": {"strip_sep_token": true}, "width": 768, "heads": 12, "layers": 12,
                    "pool_type": "last", "no_causal_mask": true}},
                "preprocess_cfg": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225],
                    "interpolation": "bilinear", "resize_mode": "squash"}}"#,
        )
        .unwrap();
        let stage = large.stage(STAGE).unwrap();
        assert!(!large.model.vision.ln_pre && large.model.vision.final_ln_after_pool);
        assert_eq!(
            (large.model.text.pool, large.model.pixels),
            (TextPool::Last, PixelStatistics::Imagenet)
        );
        assert!(stage.strip_sep_token && stage.augment.resize_mode == ResizeMode::Squash);
        assert_eq!((stage.augment.filter, stage.image_size), (Filter::Bilinear, 84));
    }

    #[test]
    fn a_tokenizer_that_is_not_read_here_is_refused_and_a_reduction_is_kept() {
        let of = |options: &str| {
            recipe(&format!(
                r#"{{"embed_dim": 64, "vision_cfg": {{}}, "text_cfg": {{"context_length": 8{options}}}}}"#
            ))
        };
        let error = of(r#", "hf_tokenizer_name": "bert-base-uncased", "vocab_size": 32000"#);
        assert!(error.unwrap_err().to_string().contains("strip_sep_token is not true"));
        let syntax = of(r#", "tokenizer_kwargs": {"reduction_mask": "syntax"}"#).unwrap();
        assert_eq!(syntax.stage(STAGE).unwrap().text_reduction, TextReduction::Syntax);
    }
}
