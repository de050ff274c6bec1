//! What open_clip's configurations say, and what of them is refused.

use super::*;

fn described(text: &str) -> Described {
    describe(text).unwrap().unwrap()
}

fn value(described: &Described, key: &str) -> Value {
    described.facts.iter().find(|fact| fact.key == key).unwrap().values[0].clone()
}

#[test]
fn openais_base_model_is_read_with_open_clips_defaults() {
    let text = r#"{"embed_dim": 512, "quick_gelu": true,
        "vision_cfg": {"image_size": 224, "layers": 12, "width": 768, "patch_size": 32},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 512, "heads": 8, "layers": 12}}"#;
    let described = described(text);
    for (key, expected) in [
        ("model.gelu", json!("quick")),
        ("model.vision.heads", json!(12)),
        ("model.vision.mlp_width", json!(3072)),
        ("model.vision.pool", json!("cls")),
        ("model.text.causal", json!(true)),
        ("model.text.tokenizer", json!("clip-bpe")),
        ("model.ln_eps", json!(1e-5)),
    ] {
        assert_eq!(value(&described, key), expected, "{key}");
    }
    assert!(described.notes.is_empty(), "{:?}", described.notes);
}

#[test]
fn clipas_published_huge_model_is_read() {
    let text = r#"{"model_cfg": {"embed_dim": 1024,
        "vision_cfg": {"image_size": 336, "layers": 32, "width": 1280, "head_width": 80, "patch_size": 14,
            "no_ln_pre": true, "pool_type": "avg", "final_ln_after_pool": true},
        "text_cfg": {"context_length": 32, "vocab_size": 32000, "hf_tokenizer_name": "bert-base-uncased",
            "tokenizer_kwargs": {"strip_sep_token": true}, "width": 1024, "heads": 16, "layers": 24,
            "pool_type": "last", "no_causal_mask": true}},
        "preprocess_cfg": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225],
            "interpolation": "bilinear", "resize_mode": "squash"}}"#;
    let described = described(text);
    for (key, expected) in [
        ("model.vision.heads", json!(16)),
        ("model.vision.ln_pre", json!(false)),
        ("model.vision.final_ln_after_pool", json!(true)),
        ("model.text.causal", json!(false)),
        ("model.text.pool", json!("last")),
        ("model.text.tokenizer", json!("bert-wordpiece")),
        ("model.pixels", json!("imagenet")),
    ] {
        assert_eq!(value(&described, key), expected, "{key}");
    }
    assert_eq!(described.resize_mode, Some(("squash".to_owned(), ResizeMode::Squash)));
}

#[test]
fn openvisions_activations_and_clips_rows_are_read() {
    let of = |more: &str| {
        let caption = format!(r#""hf_tokenizer_name": "bert-base-uncased", {more}"#);
        describe(&format!(r#"{{"vision_cfg": {{}}, "text_cfg": {{{caption}}}}}"#)).unwrap()
    };
    let clips = r#""act_kwargs": {"approximate": "tanh"}, "tokenizer_mode": "clips""#;
    let described = of(clips).unwrap();
    assert_eq!(value(&described, "model.gelu"), json!("erf"));
    assert_eq!(value(&described, "model.text.gelu"), json!("tanh"));
    assert_eq!(value(&described, "model.text.tokenizer"), json!("bert-wordpiece-clips"));
    assert!(of(r#""tokenizer_mode": "other""#).unwrap_err().contains("tokenizer_mode"));
}

#[test]
fn a_bias_is_of_siglips_loss() {
    let of = |key: &str| described(&format!(r#"{{{key}"vision_cfg": {{}}, "text_cfg": {{}}}}"#));
    let with = of(r#""init_logit_bias": -10, "#);
    assert_eq!(value(&with, "model.loss"), json!("siglip"));
    for without in ["", r#""init_logit_bias": null, "#] {
        assert!(of(without).facts.iter().all(|fact| fact.key != "model.loss"), "{without}");
    }
}

#[test]
fn other_models_and_other_files_are_named() {
    let of = |vision: &str, rest: &str| {
        describe(&format!(r#"{{"vision_cfg": {{{vision}}}, "text_cfg": {{}}{rest}}}"#))
    };
    for (vision, rest, said) in [
        (r#""timm_model_name": "vit_base""#, "", "vision_cfg.timm_model_name"),
        (r#""layers": [3, 4, 6, 3]"#, "", "vision_cfg.layers = [3,4,6,3]"),
        (r#""ls_init_value": 0.1"#, "", "vision_cfg.ls_init_value = 0.1"),
        ("", r#", "multimodal_cfg": {"heads": 8}"#, "multimodal_cfg"),
        (
            "",
            r#", "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}"#,
            "mean = [0.5,0.5,0.5]",
        ),
    ] {
        let error = of(vision, rest).unwrap().unwrap_err();
        assert!(error.contains(said), "{error}");
    }
    assert!(
        of(r#""attentional_pool": false, "new": 3"#, "").unwrap().unwrap().notes[0]
            .contains("vision_cfg.new = 3")
    );
    assert!(describe("{}").is_err() && describe("[").is_err());
}
