//! open_clip's configuration of a model, as facts.
//!
//! `open_clip_config.json` is `{"model_cfg": {...}, "preprocess_cfg": {...}}`; a file of open_clip's `model_configs` is what stands under `model_cfg`.
//! Where a key is left out, open_clip's own default holds.

#[cfg(test)]
mod tests;

use clipa_recipe::augment::{Filter, ResizeMode};
use clipa_recipe::model::config::PixelStatistics;
use clipa_talk::printable;
use serde_json::{Map, Value, json};

use super::Fact;

/// How far a mean or deviation may be from the known one.
const PIXEL_TOLERANCE: f64 = 1e-3;
/// open_clip's default of `norm_kwargs.eps`.
const LN_EPS: f64 = 1e-5;

/// What is not built here unless it is off, `false`, `null` or empty.
const NOT_BUILT: [&str; 22] = [
    "multimodal_cfg",
    "vision_cfg.timm_model_name",
    "vision_cfg.attentional_pool",
    "vision_cfg.attn_pooler_queries",
    "vision_cfg.input_patchnorm",
    "vision_cfg.ls_init_value",
    "vision_cfg.qk_norm",
    "vision_cfg.scaled_cosine_attn",
    "vision_cfg.scale_heads",
    "vision_cfg.scale_attn_inner",
    "vision_cfg.scale_attn",
    "vision_cfg.scale_fc",
    "text_cfg.hf_model_name",
    "text_cfg.embed_cls",
    "text_cfg.final_ln_after_pool",
    "text_cfg.ls_init_value",
    "text_cfg.proj_bias",
    "text_cfg.qk_norm",
    "text_cfg.scaled_cosine_attn",
    "text_cfg.scale_heads",
    "text_cfg.scale_attn_inner",
    "text_cfg.scale_fc",
];

/// What is read below, or says nothing of the function that the weights compute.
const KNOWN: [&str; 47] = [
    "embed_dim",
    "quick_gelu",
    "vision_cfg",
    "text_cfg",
    "custom_text",
    "init_logit_scale",
    "init_logit_bias",
    "nonscalar_logit_scale",
    "output_dict",
    "cast_dtype",
    "vision_cfg.image_size",
    "vision_cfg.layers",
    "vision_cfg.width",
    "vision_cfg.head_width",
    "vision_cfg.patch_size",
    "vision_cfg.mlp_ratio",
    "vision_cfg.pool_type",
    "vision_cfg.no_ln_pre",
    "vision_cfg.final_ln_after_pool",
    "vision_cfg.pos_embed_type",
    "vision_cfg.global_average_pool",
    "vision_cfg.patch_dropout",
    "vision_cfg.output_tokens",
    "vision_cfg.act_kwargs",
    "vision_cfg.norm_kwargs",
    "vision_cfg.image_mean",
    "vision_cfg.image_std",
    "vision_cfg.interpolation",
    "vision_cfg.resize_mode",
    "text_cfg.context_length",
    "text_cfg.vocab_size",
    "text_cfg.width",
    "text_cfg.heads",
    "text_cfg.layers",
    "text_cfg.mlp_ratio",
    "text_cfg.pool_type",
    "text_cfg.no_causal_mask",
    "text_cfg.hf_tokenizer_name",
    "text_cfg.tokenizer_kwargs",
    "text_cfg.tokenizer_mode",
    "text_cfg.act_kwargs",
    "text_cfg.norm_kwargs",
    "text_cfg.pad_id",
    "text_cfg.eos_id",
    "text_cfg.output_tokens",
    "text_cfg.text_mask",
    "text_cfg.proj_type",
];

/// What a configuration says.
#[derive(Debug, Default)]
pub(super) struct Described {
    pub(super) facts: Vec<Fact>,
    /// Are the image tower's positions a table, where it says so?
    pub(super) fixed_positions: Option<bool>,
    /// Side of the images that the weights were made for.
    pub(super) image_size: Option<i64>,
    /// How images are resized.
    pub(super) filter: Option<(String, Filter)>,
    /// How evaluation makes images square, where it says so.
    pub(super) resize_mode: Option<(String, ResizeMode)>,
    /// Tokens of the captions that the weights were made for.
    pub(super) context_length: Option<i64>,
    /// Does its tokenizer write nothing where BERT's `[SEP]` stood? `None` where it is not BERT's.
    pub(super) strip_sep_token: Option<bool>,
    /// How its tokenizer cuts captions, where it says so.
    pub(super) reduction_mask: Option<String>,
    /// Keys that are not understood, and what is done otherwise here.
    pub(super) notes: Vec<String>,
}

/// Reads a configuration.
///
/// # Errors
/// A sentence about what is no configuration (`Ok(Err)`: what is of a model that is not built here).
pub(super) fn describe(text: &str) -> Result<Result<Described, String>, String> {
    let whole: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let model = whole.get("model_cfg").unwrap_or(&whole);
    let Some(model) = model.as_object() else { return Err("no object `model_cfg`".to_owned()) };
    if !model.contains_key("vision_cfg") || !model.contains_key("text_cfg") {
        return Err("no `vision_cfg` and `text_cfg` in it".to_owned());
    }
    let (image, caption) = (section(model, "vision_cfg")?, section(model, "text_cfg")?);
    let mut described = Described::default();
    for (prefix, keys) in [("", model), ("vision_cfg.", image), ("text_cfg.", caption)] {
        for (key, value) in keys.iter().filter(|(_, value)| !is_off(value)) {
            let key = format!("{prefix}{key}");
            if NOT_BUILT.contains(&key.as_str()) {
                return Ok(Err(said(&key, value)));
            }
            if !KNOWN.contains(&key.as_str()) {
                described.notes.push(format!("{} is not understood", said(&key, value)));
            }
        }
    }
    let read = towers(image, caption, &mut described)
        .and_then(|()| shared(model, image, caption, &mut described))
        .and_then(|()| preprocessing(&whole, image, &mut described));
    Ok(read.map(|()| described))
}

fn section<'v>(model: &'v Map<String, Value>, key: &str) -> Result<&'v Map<String, Value>, String> {
    model.get(key).and_then(Value::as_object).ok_or_else(|| format!("`{key}` is no object"))
}

fn is_off(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(on) => !on,
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

fn said(key: &str, value: &Value) -> String {
    let text: String = value.to_string().chars().take(60).collect();
    format!("{} = {}", printable(key), printable(&text))
}

/// A number of a tower, open_clip's default where it is not given.
fn number(
    tower: &Map<String, Value>,
    name: &str,
    key: &str,
    default: f64,
) -> Result<(f64, String), String> {
    let key = format!("{name}.{key}");
    let value =
        tower.get(key.rsplit('.').next().unwrap_or_default()).filter(|value| !value.is_null());
    match value {
        None => Ok((default, format!("{key} = {default} (open_clip's default)"))),
        Some(value) => match value.as_f64() {
            Some(number) => Ok((number, said(&key, value))),
            None => Err(said(&key, value)),
        },
    }
}

fn towers(
    image: &Map<String, Value>,
    caption: &Map<String, Value>,
    described: &mut Described,
) -> Result<(), String> {
    let vision = |key, default| number(image, "vision_cfg", key, default);
    let text = |key, default| number(caption, "text_cfg", key, default);
    let mut fact = |says: String, key, value: f64| {
        described.facts.push(Fact::new(says, key, value.round() as i64));
    };
    let (width, says) = vision("width", 768.0)?;
    fact(says, "model.vision.width", width);
    let (layers, says) = vision("layers", 12.0)?;
    fact(says, "model.vision.layers", layers);
    let (head_width, says) = vision("head_width", 64.0)?;
    let heads = (width / head_width.max(1.0)).floor();
    fact(format!("{says}, so {heads} heads"), "model.vision.heads", heads);
    let (ratio, says) = vision("mlp_ratio", 4.0)?;
    fact(says, "model.vision.mlp_width", (width * ratio).floor());
    let (patch, says) = vision("patch_size", 16.0)?;
    fact(says, "model.vision.patch_size", patch);
    let (width, says) = text("width", 512.0)?;
    fact(says, "model.text.width", width);
    let (layers, says) = text("layers", 12.0)?;
    fact(says, "model.text.layers", layers);
    let (heads, says) = text("heads", 8.0)?;
    fact(says, "model.text.heads", heads);
    let (ratio, says) = text("mlp_ratio", 4.0)?;
    fact(says, "model.text.mlp_width", (width * ratio).floor());
    let (rows, says) = text("vocab_size", 49_408.0)?;
    fact(says, "model.text.vocab_size", rows);
    let on = |tower: &Map<String, Value>, key| tower.get(key).is_some_and(|value| !is_off(value));
    let facts = &mut described.facts;
    let ln_pre = !on(image, "no_ln_pre");
    facts.push(Fact::new(
        format!("vision_cfg.no_ln_pre = {}", !ln_pre),
        "model.vision.ln_pre",
        ln_pre,
    ));
    let causal = !on(caption, "no_causal_mask");
    facts.push(Fact::new(
        format!("text_cfg.no_causal_mask = {}", !causal),
        "model.text.causal",
        causal,
    ));
    let gap = on(image, "global_average_pool");
    let pool =
        image.get("pool_type").and_then(Value::as_str).unwrap_or(if gap { "avg" } else { "tok" });
    let says = if gap {
        "vision_cfg.global_average_pool = true".to_owned()
    } else {
        format!("vision_cfg.pool_type = {}", printable(pool))
    };
    let values = match pool {
        "tok" if !gap => vec![json!("cls")],
        // The older key's mean is over all tokens, the class token's among them.
        "tok" | "avg" if gap => vec![json!("avg-all"), json!("avg-patches")],
        "avg" => vec![json!("avg-patches"), json!("avg-all")],
        _ => return Err(says),
    };
    if values.len() > 1 {
        let after = on(image, "final_ln_after_pool");
        let says = format!("vision_cfg.final_ln_after_pool = {after}");
        // The norm after the pool is the older global_average_pool's own.
        if !gap {
            facts.push(Fact::new(says, "model.vision.final_ln_after_pool", after));
        }
    }
    facts.push(Fact { says, key: "model.vision.pool", values });
    let pool = caption.get("pool_type").and_then(Value::as_str).unwrap_or("argmax");
    let says = format!("text_cfg.pool_type = {}", printable(pool));
    if !["argmax", "last", "first"].contains(&pool) {
        return Err(says);
    }
    facts.push(Fact::new(says, "model.text.pool", pool));
    let positions = image.get("pos_embed_type").and_then(Value::as_str);
    described.fixed_positions = match positions {
        None => None,
        Some("learnable") => Some(false),
        Some("sin_cos_2d") => Some(true),
        Some(other) => return Err(format!("vision_cfg.pos_embed_type = {}", printable(other))),
    };
    described.image_size = image.get("image_size").and_then(Value::as_i64);
    described.context_length = caption.get("context_length").and_then(Value::as_i64);
    Ok(())
}

/// What both towers share here: width of the embedding, tokenizer, activation, layer norm's epsilon.
fn shared(
    model: &Map<String, Value>,
    image: &Map<String, Value>,
    caption: &Map<String, Value>,
    described: &mut Described,
) -> Result<(), String> {
    let facts = &mut described.facts;
    if let Some(width) = model.get("embed_dim") {
        facts.push(Fact::new(said("embed_dim", width), "model.embed_dim", width.clone()));
    }
    // Only SigLIP's loss has a bias. Without one a model may be trained on with either loss.
    if let Some(bias) = model.get("init_logit_bias").filter(|value| !is_off(value)) {
        facts.push(Fact::new(said("init_logit_bias", bias), "model.loss", "siglip"));
    }
    let tokenizer = caption.get("hf_tokenizer_name").filter(|value| !is_off(value));
    let clips = caption.get("tokenizer_mode").filter(|value| !is_off(value));
    let (says, values) = match (tokenizer, clips) {
        (None, _) => {
            let says = "text_cfg.hf_tokenizer_name is absent, so CLIP's tokenizer".to_owned();
            (says, vec!["clip-bpe"])
        }
        (Some(_), Some(mode)) if mode == "clips" => {
            (said("text_cfg.tokenizer_mode", mode), vec!["bert-wordpiece-clips"])
        }
        (Some(_), Some(mode)) => return Err(said("text_cfg.tokenizer_mode", mode)),
        (Some(name), None)
            if name
                .as_str()
                .is_some_and(|name| name.to_lowercase().contains("bert-base-uncased")) =>
        {
            // OpenVision's released configurations say no more, and were trained with the rows of CLIPS.
            let values = vec!["bert-wordpiece", "bert-wordpiece-clips"];
            (said("text_cfg.hf_tokenizer_name", name), values)
        }
        (Some(other), None) => return Err(said("text_cfg.hf_tokenizer_name", other)),
    };
    let is_bert = values[0] == "bert-wordpiece";
    let values = values.into_iter().map(Value::from).collect();
    facts.push(Fact { says, key: "model.text.tokenizer", values });
    let options = caption.get("tokenizer_kwargs").and_then(Value::as_object);
    let option = |key: &str| options.and_then(|options| options.get(key));
    let strips = option("strip_sep_token").and_then(Value::as_bool).unwrap_or(false);
    described.strip_sep_token = is_bert.then_some(strips);
    described.reduction_mask = option("reduction_mask").and_then(Value::as_str).map(str::to_owned);
    let quick = model.get("quick_gelu").is_some_and(|value| !is_off(value));
    let tanh = |tower: &Map<String, Value>| {
        tower
            .get("act_kwargs")
            .and_then(|options| options.get("approximate"))
            .and_then(Value::as_str)
            == Some("tanh")
    };
    for (tower, key, config) in
        [("vision_cfg", "model.gelu", image), ("text_cfg", "model.text.gelu", caption)]
    {
        let (says, value) = match (quick, tanh(config)) {
            (true, _) => ("quick_gelu = true".to_owned(), "quick"),
            (false, true) => (format!("{tower}.act_kwargs.approximate = tanh"), "tanh"),
            (false, false) => ("quick_gelu = false".to_owned(), "erf"),
        };
        facts.push(Fact::new(says, key, value));
    }
    let eps = |tower: &Map<String, Value>| {
        tower
            .get("norm_kwargs")
            .and_then(|options| options.get("eps"))
            .and_then(Value::as_f64)
            .unwrap_or(LN_EPS)
    };
    if eps(image) != eps(caption) {
        return Err(format!(
            "norm_kwargs.eps = {} in one tower and {} in the other",
            eps(image),
            eps(caption)
        ));
    }
    facts.push(Fact::new(format!("norm_kwargs.eps = {}", eps(image)), "model.ln_eps", eps(image)));
    Ok(())
}

fn preprocessing(
    whole: &Value,
    image: &Map<String, Value>,
    described: &mut Described,
) -> Result<(), String> {
    let options = whole.get("preprocess_cfg").and_then(Value::as_object);
    let option = |key: &str, in_tower: &str| {
        let given = options.and_then(|options| options.get(key)).or_else(|| image.get(in_tower));
        given.filter(|value| !value.is_null())
    };
    if let (Some(mean), Some(std)) = (option("mean", "image_mean"), option("std", "image_std")) {
        let says = format!("preprocess_cfg.mean = {mean}, std = {std}");
        let is = |value: &Value, known: [f64; 3]| {
            let numbers: Vec<f64> =
                value.as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
            numbers.len() == 3
                && numbers
                    .iter()
                    .zip(known)
                    .all(|(one, other)| (one - other).abs() < PIXEL_TOLERANCE)
        };
        let known = [(PixelStatistics::Openai, "openai"), (PixelStatistics::Imagenet, "imagenet")];
        let found = known.iter().find(|(known, _)| is(mean, known.mean()) && is(std, known.std()));
        let Some((_, name)) = found else { return Err(printable(&says).into_owned()) };
        described.facts.push(Fact::new(says, "model.pixels", *name));
    }
    if let Some(filter) = option("interpolation", "interpolation").and_then(Value::as_str) {
        let ours = match filter {
            "bicubic" => Some(Filter::Bicubic),
            "bilinear" => Some(Filter::Bilinear),
            _ => None,
        };
        described.filter = ours.map(|ours| (filter.to_owned(), ours));
        if ours.is_none() {
            described.notes.push(format!(
                "preprocess_cfg.interpolation = {} is not done here",
                printable(filter)
            ));
        }
    }
    if let Some(mode) = option("resize_mode", "resize_mode").and_then(Value::as_str) {
        let ours = match mode {
            "shortest" => Some(ResizeMode::Shortest),
            "squash" => Some(ResizeMode::Squash),
            _ => None,
        };
        described.resize_mode = ours.map(|ours| (mode.to_owned(), ours));
        if ours.is_none() {
            described
                .notes
                .push(format!("preprocess_cfg.resize_mode = {} is not done here", printable(mode)));
        }
    }
    Ok(())
}
