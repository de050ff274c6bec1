//! `open_clip_config.json`: a stage's model in open_clip's words.

use clipa_schemas::reduction::text::TextReduction;
use serde_json::{Map, Value, json};

use crate::model::{INITIAL_LOGIT_BIAS, INITIAL_SIGLIP_SCALE};
use clipa_recipe::augment::{Filter, ResizeMode};
use clipa_recipe::model::config::{Gelu, Loss, TextPool, Tokenizer, VisionPool, VisionPositions};
use clipa_recipe::{Recipe, Stage};

/// The configuration, from which open_clip builds the model that a checkpoint's `model.safetensors` fits.
///
/// open_clip has no word for the mean over all tokens ([`VisionPool::AvgAll`]): its `avg` leaves the class token out,
/// and features differ slightly. What else it has no word for, an export says ([`crate::exchange`]). BERT's rows come out as
/// trained where the tokenizer is the one that an export writes; the Hub's `bert-base-uncased` ends them in `[SEP]` unless
/// `strip_sep_token` is set.
pub fn describe(recipe: &Recipe, stage: &Stage) -> Value {
    let (vision, text) = (&recipe.model.vision, &recipe.model.text);
    let mut image = json!({
        "image_size": stage.image_size,
        "layers": vision.layers,
        "width": vision.width,
        "head_width": vision.width / vision.heads,
        "patch_size": vision.patch_size,
        "mlp_ratio": mlp_ratio(vision.width, vision.mlp_width),
        "pool_type": match vision.pool {
            VisionPool::Cls => "tok",
            VisionPool::AvgPatches | VisionPool::AvgAll => "avg",
        },
    });
    let mut caption = json!({
        "context_length": stage.context_length,
        "vocab_size": text.vocab_size,
        "width": text.width,
        "heads": text.heads,
        "layers": text.layers,
        "mlp_ratio": mlp_ratio(text.width, text.mlp_width),
        "pool_type": match text.pool {
            TextPool::Argmax => "argmax",
            TextPool::Last => "last",
            TextPool::First => "first",
        },
    });
    let mut add = |to_image: bool, wanted: bool, key: &str, value: Value| {
        let target = if to_image { &mut image } else { &mut caption };
        if wanted && let Some(target) = target.as_object_mut() {
            target.insert(key.to_owned(), value);
        }
    };
    add(true, !vision.ln_pre, "no_ln_pre", json!(true));
    add(true, vision.final_ln_after_pool, "final_ln_after_pool", json!(true));
    let positions = stage.positions.unwrap_or(vision.positions);
    add(true, positions != VisionPositions::Learnable, "pos_embed_type", json!("sin_cos_2d"));
    add(false, !text.causal, "no_causal_mask", json!(true));
    let bert = text.tokenizer != Tokenizer::ClipBpe;
    let clips = text.tokenizer == Tokenizer::BertWordpieceClips;
    add(false, bert, "hf_tokenizer_name", json!("bert-base-uncased"));
    let strips = json!({"strip_sep_token": stage.strip_sep_token});
    add(false, bert && !clips, "tokenizer_kwargs", strips);
    add(false, clips, "tokenizer_mode", json!("clips"));
    // Only open_clip's own tokenizer reduces; ours have no word there.
    let reduction = match stage.text_reduction {
        TextReduction::Random => Some("random"),
        TextReduction::Block => Some("simple"),
        TextReduction::Syntax => Some("syntax"),
        TextReduction::Truncate | TextReduction::SyntaxPieces | TextReduction::SyntaxVocab => None,
    };
    let reduces = !bert && reduction.is_some();
    add(false, reduces, "tokenizer_kwargs", json!({"reduction_mask": reduction}));
    for to_image in [true, false] {
        let gelu = if to_image { recipe.model.gelu } else { recipe.model.text_gelu() };
        let tanh = gelu == Gelu::Tanh;
        add(to_image, tanh, "act_kwargs", json!({"approximate": "tanh"}));
        let eps = recipe.model.ln_eps;
        add(to_image, eps != 1e-5, "norm_kwargs", json!({"eps": eps}));
    }
    let mut model = Map::new();
    model.insert("embed_dim".to_owned(), json!(recipe.model.embed_dim));
    if recipe.model.gelu == Gelu::Quick {
        model.insert("quick_gelu".to_owned(), json!(true));
    }
    if recipe.model.loss == Loss::Siglip {
        // Without them open_clip builds a model that has no bias.
        model.insert("init_logit_scale".to_owned(), json!(INITIAL_SIGLIP_SCALE));
        model.insert("init_logit_bias".to_owned(), json!(INITIAL_LOGIT_BIAS));
    }
    model.insert("vision_cfg".to_owned(), image);
    model.insert("text_cfg".to_owned(), caption);
    json!({
        "model_cfg": model,
        "preprocess_cfg": {
            "mean": recipe.model.pixels.mean(),
            "std": recipe.model.pixels.std(),
            "interpolation": match stage.augment.filter {
                Filter::Bicubic => "bicubic",
                Filter::Bilinear => "bilinear",
            },
            "resize_mode": match stage.augment.resize_mode {
                ResizeMode::Shortest => "shortest",
                ResizeMode::Squash => "squash",
            },
        },
    })
}

/// A ratio from which open_clip's `int(width * ratio)` makes the MLP's width: for 3 % of all widths the quotient comes out one short.
fn mlp_ratio(width: i64, mlp_width: i64) -> f64 {
    let quotient = mlp_width as f64 / width as f64;
    let is_exact = (width as f64 * quotient) as i64 == mlp_width;
    if is_exact { quotient } else { (mlp_width as f64 + 0.5) / width as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_base_model_in_open_clips_words() {
        let recipe = Recipe::load("b16-i50-t16", &[], None).unwrap();
        let described = describe(&recipe, recipe.stage("finetune").unwrap());
        let expected = json!({
            "embed_dim": 512,
            "vision_cfg": {
                "image_size": 224, "layers": 12, "width": 768, "head_width": 64, "patch_size": 16,
                "mlp_ratio": 4.0, "pool_type": "tok",
            },
            "text_cfg": {
                "context_length": 16, "vocab_size": 49408, "width": 512, "heads": 8, "layers": 12,
                "mlp_ratio": 4.0, "pool_type": "argmax",
            },
        });
        assert_eq!(described["model_cfg"], expected);
        assert_eq!(described["preprocess_cfg"]["interpolation"], "bicubic");
        let recipe = Recipe::load("l16-i37-t8", &[], None).unwrap();
        let described = describe(&recipe, recipe.stage("pretrain").unwrap());
        let options = &described["model_cfg"]["text_cfg"]["tokenizer_kwargs"];
        assert_eq!(options, &json!({"reduction_mask": "syntax"}));
    }

    #[test]
    fn openvisions_text_tower_has_its_own_keys() {
        let recipe = Recipe::load("openvision-l14", &[], None).unwrap();
        let model = &describe(&recipe, recipe.stage("finetune-336").unwrap())["model_cfg"];
        let (image, caption) = (&model["vision_cfg"], &model["text_cfg"]);
        assert_eq!((&image["act_kwargs"], &image["image_size"]), (&Value::Null, &json!(336)));
        assert_eq!(caption["act_kwargs"], json!({"approximate": "tanh"}));
        assert_eq!(caption["tokenizer_mode"], "clips");
        assert_eq!(caption["tokenizer_kwargs"], Value::Null);
        assert_eq!(
            (&caption["context_length"], &caption["pool_type"]),
            (&json!(80), &json!("last"))
        );
    }

    #[test]
    fn the_second_versions_switches_have_their_keys() {
        let set = [
            "model.vision.ln_pre=false",
            "model.vision.final_ln_after_pool=true",
            "model.vision.pool=avg-patches",
            "model.text.causal=false",
            "model.text.pool=last",
            "model.text.tokenizer=bert-wordpiece",
            "model.gelu=tanh",
            "model.ln_eps=1e-6",
            "model.loss=siglip",
        ];
        let set: Vec<String> = set.iter().map(|&set| set.to_owned()).collect();
        let recipe = Recipe::load("l16-i37-t8", &set, None).unwrap();
        let model = &describe(&recipe, recipe.stage("pretrain").unwrap())["model_cfg"];
        let (image, caption) = (&model["vision_cfg"], &model["text_cfg"]);
        assert_eq!((&image["no_ln_pre"], &image["pool_type"]), (&json!(true), &json!("avg")));
        assert_eq!(image["pos_embed_type"], "sin_cos_2d");
        assert_eq!(
            (&caption["no_causal_mask"], &caption["pool_type"]),
            (&json!(true), &json!("last"))
        );
        assert_eq!(caption["tokenizer_kwargs"]["strip_sep_token"], false);
        assert_eq!(caption["act_kwargs"]["approximate"], "tanh");
        assert_eq!(image["norm_kwargs"]["eps"], 1e-6);
        assert_eq!(model["init_logit_bias"], -10.0);
    }
}
