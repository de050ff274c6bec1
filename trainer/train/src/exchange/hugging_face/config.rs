//! `config.json` and `preprocessor_config.json` of a `CLIPModel`.

use std::{fs, path::Path};

use clipa_recipe::{
    augment::{Filter, ResizeMode},
    model::{
        InputSizes, ModelConfig,
        config::{
            Gelu, Loss, PixelStatistics, TextConfig, TextPool, Tokenizer, VisionConfig, VisionPool,
            VisionPositions,
        },
    },
};
use clipa_schemas::reduction::text::TextReduction;
use clipa_talk::printable;
use serde_json::{Map, Value, json};

use crate::{exchange::error::ExchangeError, facts::Configuration};

/// The model's configuration.
pub(in crate::exchange) const CONFIG: &str = "config.json";
/// How images are prepared.
pub(in crate::exchange) const PREPROCESSOR: &str = "preprocessor_config.json";
/// Longest configuration that is read, in bytes.
const MAX_CONFIG_BYTES: u64 = 1 << 20;
/// The end token of CLIP's byte pairs, its greatest id; the start token stands before it.
const END: i64 = 49_407;
/// Older configurations name this end token and mean the greatest id of a row.
const OLD_END: i64 = 2;
/// Pillow's numbers of its filters.
const BILINEAR: i64 = 2;
const BICUBIC: i64 = 3;
/// How far a mean or deviation may be from the known one.
const PIXEL_TOLERANCE: f64 = 1e-3;

/// The model that a folder of Hugging Face's describes.
///
/// # Errors
/// Another model than `CLIPModel`, or one whose towers differ in what is one thing here.
pub(in crate::exchange) fn configuration(
    config: &Path,
    preprocessor: Option<&Path>,
) -> Result<Configuration, ExchangeError> {
    let whole = parsed(config)?;
    let refuse = |what: String| ExchangeError::unsupported(config, what, None);
    let kind = whole.get("model_type").and_then(Value::as_str).unwrap_or("none");
    if kind != "clip" {
        return Err(refuse(format!("model_type = {}: only `clip` is built here", printable(kind))));
    }
    let empty = Map::new();
    let section = |key: &str| whole.get(key).and_then(Value::as_object).unwrap_or(&empty);
    let tower = |key: &'static str| Section { path: config, name: key, keys: section(key) };
    let (image, text) = (tower("vision_config"), tower("text_config"));
    let [image_act, text_act] =
        [image.text("hidden_act", "quick_gelu"), text.text("hidden_act", "quick_gelu")];
    let kind = |act: &str| match act {
        "quick_gelu" => Ok(Gelu::Quick),
        "gelu" => Ok(Gelu::Erf),
        "gelu_pytorch_tanh" | "gelu_new" => Ok(Gelu::Tanh),
        other => Err(refuse(format!("hidden_act = {}", printable(other)))),
    };
    let (gelu, text_gelu) = (kind(&image_act)?, kind(&text_act)?);
    let [image_eps, text_eps] =
        [image.number("layer_norm_eps", 1e-5)?, text.number("layer_norm_eps", 1e-5)?];
    if image_eps != text_eps {
        return Err(refuse(format!(
            "layer_norm_eps = {image_eps} in one tower and {text_eps} in the other"
        )));
    }
    let vocab_size = text.whole("vocab_size", 49_408)?;
    let end = text.whole("eos_token_id", END)?;
    if end != OLD_END && end != greatest(vocab_size) {
        return Err(refuse(format!(
            "text_config.eos_token_id = {end}: a caption is pooled at its greatest id here, which is {}",
            greatest(vocab_size)
        )));
    }
    let outer = Section { path: config, name: "", keys: whole.as_object().unwrap_or(&empty) };
    let model = ModelConfig {
        embed_dim: outer.whole("projection_dim", 512)?,
        gelu,
        ln_eps: image_eps,
        pixels: PixelStatistics::Openai,
        loss: Loss::Clip,
        vision: VisionConfig {
            width: image.whole("hidden_size", 768)?,
            layers: image.whole("num_hidden_layers", 12)?,
            heads: image.whole("num_attention_heads", 12)?,
            mlp_width: image.whole("intermediate_size", 3072)?,
            patch_size: image.whole("patch_size", 32)?,
            ln_pre: true,
            pool: VisionPool::Cls,
            final_ln_after_pool: false,
            positions: VisionPositions::Learnable,
        },
        text: TextConfig {
            width: text.whole("hidden_size", 512)?,
            layers: text.whole("num_hidden_layers", 12)?,
            heads: text.whole("num_attention_heads", 8)?,
            mlp_width: text.whole("intermediate_size", 2048)?,
            vocab_size,
            tokenizer: Tokenizer::ClipBpe,
            causal: true,
            pool: TextPool::Argmax,
            gelu: (text_gelu != gelu).then_some(text_gelu),
        },
    };
    let sizes = InputSizes {
        image_size: image.whole("image_size", 224)?,
        context_length: text.whole("max_position_embeddings", 77)?,
    };
    model
        .check()
        .and_then(|()| model.check_sizes(sizes))
        .map_err(|error| refuse(error.to_string()))?;
    let mut configuration = Configuration {
        model,
        sizes,
        filter: Filter::Bicubic,
        resize_mode: ResizeMode::Shortest,
        text_reduction: TextReduction::Truncate,
        strip_sep_token: false,
        notes: Vec::new(),
    };
    match preprocessor {
        Some(path) => prepared(path, &parsed(path)?, &mut configuration)?,
        None => configuration.notes.push(format!(
            "no {PREPROCESSOR} beside {}: images are prepared as OpenAI's",
            config.display()
        )),
    }
    Ok(configuration)
}

/// A JSON file, within a limit.
fn parsed(path: &Path) -> Result<Value, ExchangeError> {
    let bytes = fs::metadata(path).map_err(ExchangeError::io(path))?.len();
    if bytes > MAX_CONFIG_BYTES {
        let detail = format!("{bytes} bytes, the limit is {MAX_CONFIG_BYTES}");
        return Err(ExchangeError::damaged(path, detail));
    }
    let text = fs::read(path).map_err(ExchangeError::io(path))?;
    serde_json::from_slice(&text).map_err(|error| ExchangeError::damaged(path, error.to_string()))
}

/// Takes over how images are prepared.
fn prepared(
    path: &Path,
    whole: &Value,
    configuration: &mut Configuration,
) -> Result<(), ExchangeError> {
    let refuse = |what: String| ExchangeError::unsupported(path, what, None);
    let numbers = |key: &str| -> Option<Vec<f64>> {
        Some(whole.get(key)?.as_array()?.iter().filter_map(Value::as_f64).collect())
    };
    if let (Some(mean), Some(std)) = (numbers("image_mean"), numbers("image_std")) {
        let near = |found: &[f64], known: [f64; 3]| {
            found.len() == 3
                && found.iter().zip(known).all(|(a, b)| (a - b).abs() < PIXEL_TOLERANCE)
        };
        let known = [PixelStatistics::Openai, PixelStatistics::Imagenet];
        let is = |known: &&PixelStatistics| near(&mean, known.mean()) && near(&std, known.std());
        let Some(pixels) = known.iter().find(is) else {
            return Err(refuse(format!("image_mean = {mean:?}, image_std = {std:?}")));
        };
        configuration.model.pixels = *pixels;
    }
    match whole.get("resample").and_then(Value::as_i64) {
        None | Some(BICUBIC) => {}
        Some(BILINEAR) => configuration.filter = Filter::Bilinear,
        Some(other) => configuration.notes.push(format!("resample = {other} is not done here")),
    }
    let crops = whole.get("do_center_crop").and_then(Value::as_bool).unwrap_or(true);
    let is_square = whole.get("size").is_some_and(|size| size.get("height").is_some());
    if is_square && !crops {
        configuration.resize_mode = ResizeMode::Squash;
    }
    Ok(())
}

/// What of a model `CLIPModel` cannot hold, a phrase each.
pub(in crate::exchange) fn unsayable(model: &ModelConfig) -> Vec<String> {
    let (vision, text) = (&model.vision, &model.text);
    let mut found = Vec::new();
    let mut refuse = |is: bool, what: &str| {
        if is {
            found.push(what.to_owned());
        }
    };
    refuse(
        vision.pool == VisionPool::AvgPatches,
        "model.vision.pool = avg-patches (it pools the class token)",
    );
    refuse(
        vision.pool == VisionPool::AvgAll,
        "model.vision.pool = avg-all (it pools the class token)",
    );
    refuse(!vision.ln_pre, "model.vision.ln_pre = false (it always has that layer norm)");
    refuse(!text.causal, "model.text.causal = false (its text is causal)");
    refuse(text.pool != TextPool::Argmax, "model.text.pool is not argmax (it pools the end token)");
    refuse(
        text.tokenizer != Tokenizer::ClipBpe,
        "model.text.tokenizer is not clip-bpe (its end token is that of CLIP's byte pairs)",
    );
    refuse(model.loss == Loss::Siglip, "model.loss = siglip (it has no bias)");
    found
}

/// `config.json` of a model that [`unsayable`] has nothing against.
pub(in crate::exchange) fn described(configuration: &Configuration) -> Value {
    let Configuration { model, sizes, .. } = configuration;
    let (vision, text) = (&model.vision, &model.text);
    let act = |gelu: Gelu| match gelu {
        Gelu::Erf => "gelu",
        Gelu::Tanh => "gelu_pytorch_tanh",
        Gelu::Quick => "quick_gelu",
    };
    json!({
        "architectures": ["CLIPModel"],
        "model_type": "clip",
        "projection_dim": model.embed_dim,
        "logit_scale_init_value": crate::model::INITIAL_LOGIT_SCALE,
        "torch_dtype": "float32",
        "vision_config": {
            "model_type": "clip_vision_model",
            "hidden_size": vision.width,
            "intermediate_size": vision.mlp_width,
            "num_hidden_layers": vision.layers,
            "num_attention_heads": vision.heads,
            "image_size": sizes.image_size,
            "patch_size": vision.patch_size,
            "projection_dim": model.embed_dim,
            "hidden_act": act(model.gelu),
            "layer_norm_eps": model.ln_eps,
        },
        "text_config": {
            "model_type": "clip_text_model",
            "vocab_size": text.vocab_size,
            "hidden_size": text.width,
            "intermediate_size": text.mlp_width,
            "num_hidden_layers": text.layers,
            "num_attention_heads": text.heads,
            "max_position_embeddings": sizes.context_length,
            "projection_dim": model.embed_dim,
            "hidden_act": act(model.text_gelu()),
            "layer_norm_eps": model.ln_eps,
            // A row is pooled at the first of these, which is where its greatest id stands.
            "eos_token_id": greatest(text.vocab_size),
            "bos_token_id": greatest(text.vocab_size) - 1,
            "pad_token_id": 0,
        },
    })
}

/// The end token: the tokenizer's, or the greatest id of a smaller vocabulary.
fn greatest(vocab_size: i64) -> i64 {
    END.min(vocab_size - 1)
}

/// `preprocessor_config.json`.
pub(in crate::exchange) fn preprocessor(configuration: &Configuration) -> Value {
    let size = configuration.sizes.image_size;
    let squash = configuration.resize_mode == ResizeMode::Squash;
    json!({
        "image_processor_type": "CLIPImageProcessor",
        "do_convert_rgb": true,
        "do_resize": true,
        "size": if squash { json!({"height": size, "width": size}) } else { json!({"shortest_edge": size}) },
        "resample": match configuration.filter {
            Filter::Bicubic => BICUBIC,
            Filter::Bilinear => BILINEAR,
        },
        "do_center_crop": !squash,
        "crop_size": {"height": size, "width": size},
        "do_rescale": true,
        "rescale_factor": 1.0 / 255.0,
        "do_normalize": true,
        "image_mean": configuration.model.pixels.mean(),
        "image_std": configuration.model.pixels.std(),
    })
}

/// A part of `config.json`, whose numbers may be left out.
struct Section<'c> {
    path: &'c Path,
    name: &'static str,
    keys: &'c Map<String, Value>,
}

impl Section<'_> {
    fn number(&self, key: &str, default: f64) -> Result<f64, ExchangeError> {
        match self.keys.get(key) {
            None | Some(Value::Null) => Ok(default),
            Some(value) => value.as_f64().ok_or_else(|| {
                let text: String = value.to_string().chars().take(60).collect();
                let name = if self.name.is_empty() { "" } else { "." };
                let what = format!("{}{name}{key} = {}", self.name, printable(&text));
                ExchangeError::unsupported(self.path, what, None)
            }),
        }
    }

    fn whole(&self, key: &str, default: i64) -> Result<i64, ExchangeError> {
        let number = self.number(key, default as f64)?;
        if number.fract() != 0.0 || number.abs() > 1e15 {
            let what = format!("{}.{key} = {number}", self.name);
            return Err(ExchangeError::unsupported(self.path, what, None));
        }
        Ok(number as i64)
    }

    fn text(&self, key: &str, default: &str) -> String {
        self.keys.get(key).and_then(Value::as_str).unwrap_or(default).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use clipa_recipe::Recipe;

    use super::*;

    fn read(config: &Value, preprocessor: Option<&Value>) -> Result<Configuration, ExchangeError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(CONFIG);
        std::fs::write(&path, config.to_string()).unwrap();
        let beside = preprocessor.map(|value| {
            let path = folder.path().join(PREPROCESSOR);
            std::fs::write(&path, value.to_string()).unwrap();
            path
        });
        configuration(&path, beside.as_deref())
    }

    #[test]
    fn what_is_written_is_read_again() {
        let recipe = Recipe::load("b16-i50-t16", &[], None).unwrap();
        let mut expected = Configuration::of_stage(&recipe, recipe.stage("finetune").unwrap());
        for (gelu, text_gelu, resize_mode, filter) in [
            (Gelu::Erf, None, ResizeMode::Shortest, Filter::Bicubic),
            (Gelu::Tanh, Some(Gelu::Erf), ResizeMode::Squash, Filter::Bilinear),
            (Gelu::Quick, None, ResizeMode::Shortest, Filter::Bilinear),
        ] {
            expected.model.text.gelu = text_gelu;
            (expected.model.gelu, expected.resize_mode, expected.filter) =
                (gelu, resize_mode, filter);
            expected.model.pixels = PixelStatistics::Imagenet;
            let read = read(&described(&expected), Some(&preprocessor(&expected))).unwrap();
            assert_eq!(read, expected);
        }
        assert!(unsayable(&expected.model).is_empty());
    }

    #[test]
    fn an_empty_configuration_is_openais_base_model() {
        let read = read(&json!({"model_type": "clip"}), None).unwrap();
        let (vision, text) = (&read.model.vision, &read.model.text);
        assert_eq!((vision.width, vision.patch_size, text.width, text.heads), (768, 32, 512, 8));
        assert_eq!((read.model.gelu, read.sizes.context_length), (Gelu::Quick, 77));
        assert!(read.notes[0].contains(PREPROCESSOR), "{:?}", read.notes);
    }

    #[test]
    fn other_models_are_named_by_their_keys() {
        for (config, said) in [
            (json!({"model_type": "siglip"}), "model_type = siglip"),
            (json!({}), "model_type = none"),
            (
                json!({"model_type": "clip", "text_config": {"hidden_act": "relu"}}),
                "hidden_act = relu",
            ),
            (
                json!({"model_type": "clip", "text_config": {"eos_token_id": 7}}),
                "text_config.eos_token_id = 7",
            ),
            (
                json!({"model_type": "clip", "vision_config": {"hidden_size": "wide"}}),
                "vision_config.hidden_size = \"wide\"",
            ),
            (
                json!({"model_type": "clip", "vision_config": {"num_attention_heads": 7}}),
                "model.vision.heads = 7",
            ),
        ] {
            let error = read(&config, None).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn the_second_version_is_refused_key_by_key() {
        let recipe = Recipe::load("l14-i37-t8", &[], None).unwrap();
        let found = unsayable(&recipe.model).join("; ");
        for key in ["vision.pool = avg-patches", "ln_pre", "causal", "text.pool", "text.tokenizer"]
        {
            assert!(found.contains(key), "{found}");
        }
    }
}
