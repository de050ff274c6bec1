//! The built-in recipes are those of the papers and their scripts.

use super::{cost, load};
use crate::*;

#[test]
fn every_built_in_recipe_is_sound_and_survives_being_written() {
    for built_in in BUILT_IN {
        let recipe = load(built_in.name);
        assert_eq!(recipe.name, built_in.name);
        let again = Recipe::parse(&recipe.to_toml(), "again", &[], None).unwrap();
        assert_eq!(again, recipe);
        assert_eq!(again.hash(), recipe.hash());
    }
}

/// Run folders hold this text and are compared with it, so that no byte of it may change.
#[test]
fn the_built_in_recipes_are_written_as_ever() {
    let golden = [
        ("b16-i50-t16", "2df9e10e4ad8194cdb3935fa2b0785e0efe60772dd47d639e8a15e1529e92322"),
        ("l16-i17-t16", "2969a6671946f87d68d5a4978e5880f4d0fd549b42362d2e36c1557ae80565e1"),
        ("l16-i37-t8", "c622257ed41bc37b5a9957c67e830dd94dfd4840fc4dda07a2e32d543701b0d8"),
        ("tiny-i17-t8", "1ac27f0d6a2b05c1997fc88df00f33554ac4a9e63879d0d420619ba1d4643ffc"),
        ("tiny-photos", "21a0ef0a8cd9cf2c91fb1f4f1ef86ae9337456406c61b0d52b325642171853f1"),
    ];
    for (name, hash) in golden {
        assert_eq!(load(name).hash(), hash, "{name}");
    }
}

/// Exact counts of the published models at 224 px, made by building them in open_clip (`cargo xtask peers model`).
#[test]
fn parameters_of_the_published_models() {
    let counts = |name| {
        let cost = cost(&load(name), "finetune");
        (cost.parameters(), cost.vision_parameters, cost.text_parameters)
    };
    assert_eq!(counts("b16-i50-t16"), (149_589_505, 86_192_640, 63_396_864));
    assert_eq!(counts("l16-i17-t16"), (427_692_545, 304_089_088, 123_603_456));
    assert_eq!(counts("l16-i37-t8"), (427_704_833, 304_089_088, 123_615_744));
    // ViT-L-16-CL8-Syntax-GAP is counted with a 224 px image tower and 8 text tokens.
    let set = ["stage.finetune.context_length=8".to_owned()];
    let recipe = Recipe::load("l16-i37-t8", &set, None).unwrap();
    assert_eq!(cost(&recipe, "finetune").parameters(), 427_686_401);
}

/// Exact counts of ViT-{L,H,bigG}-14-CLIPA and their -336 in open_clip.
#[test]
fn parameters_of_the_second_version() {
    for (name, at_224, at_336) in [
        ("l14-i37-t8", 414_210_561, 414_538_241),
        ("h14-i26-t8", 968_235_009, 968_644_609),
        ("h14-i37-t8", 968_235_009, 968_644_609),
        ("bigg14-i26-t8", 2_517_223_937, 2_517_756_417),
        ("bigg14-i37-t8", 2_517_223_937, 2_517_756_417),
    ] {
        let recipe = load(name);
        assert_eq!(cost(&recipe, "finetune").parameters(), at_224, "{name}");
        assert_eq!(cost(&recipe, "finetune-336").parameters(), at_336, "{name}");
    }
}

/// What distinguishes the second version: its switches, its masks, its rates and lengths.
#[test]
fn the_second_version_is_that_of_its_configurations() {
    use crate::{augment::ResizeMode, optimizer::Decay};
    for (name, rows) in [
        (
            "h14-i37-t8",
            [
                (65_536, 2.048e-3, 3_200, 195_490, 36, 8),
                (32_768, 5.12e-5, 800, 16_000, 179, 32),
                (16_384, 6.4e-6, 1_600, 8_000, 345, 32),
            ],
        ),
        (
            "h14-i26-t8",
            [
                (65_536, 2.048e-3, 3_200, 195_490, 25, 8),
                (32_768, 5.12e-5, 800, 16_000, 179, 32),
                (16_384, 6.4e-6, 1_600, 8_000, 345, 32),
            ],
        ),
        (
            "l14-i37-t8",
            [
                (65_536, 2.048e-3, 3_200, 195_490, 36, 8),
                (32_768, 5.12e-5, 800, 16_000, 179, 32),
                (16_384, 6.4e-6, 1_600, 8_000, 345, 32),
            ],
        ),
        (
            "bigg14-i37-t8",
            [
                (65_536, 1.024e-3, 3_200, 195_490, 36, 8),
                (16_384, 2.56e-5, 0, 32_000, 153, 32),
                (16_384, 6.4e-6, 1_600, 8_000, 345, 32),
            ],
        ),
    ] {
        let recipe = load(name);
        let (vision, text) = (&recipe.model.vision, &recipe.model.text);
        assert!(!vision.ln_pre && vision.final_ln_after_pool && !text.causal, "{name}");
        assert_eq!(recipe.stages.len(), 3);
        for (stage, (batch, peak, warmup, steps, patches, context)) in
            recipe.stages.iter().zip(rows)
        {
            let schedule = stage.schedule(1_000_000_000);
            assert_eq!((stage.batch, stage.context_length), (batch, context), "{name}");
            assert!((schedule.peak / peak - 1.0).abs() < 1e-9, "{name} {}", schedule.peak);
            assert_eq!((schedule.warmup_steps, schedule.total_steps), (warmup, steps), "{name}");
            assert_eq!(stage.kept_patches(&recipe.model), patches, "{name} {}", stage.name);
            assert_eq!(stage.decay, Decay::Kernels);
            let squashed = stage.augment.resize_mode == ResizeMode::Squash;
            assert_eq!(squashed, stage.name != "pretrain", "{name} {}", stage.name);
            recipe.check_length(stage, 1_000_000_000).unwrap();
        }
    }
}

/// Towers as open_clip builds them from the repository's open_clip_config.json (`cargo xtask peers model`), and the script's
/// rates and lengths: an epoch is 1,281,167 samples.
#[test]
fn openvision_is_that_of_its_scripts() {
    use crate::model::config::{Gelu, Tokenizer};
    for (name, parameters, sizes) in [
        ("openvision-b16", [140_634_113, 140_707_841, 140_999_681], [160, 224, 384]),
        ("openvision-l14", [414_022_145, 414_247_425, 414_575_105], [84, 224, 336]),
    ] {
        let recipe = load(name);
        assert_eq!((recipe.model.gelu, recipe.model.text_gelu()), (Gelu::Erf, Gelu::Tanh));
        assert_eq!(recipe.model.text.tokenizer, Tokenizer::BertWordpieceClips);
        let rows = [
            (10_000, 40, 32_768, 8e-6 * 128.0),
            (800, 20, 16_384, 4e-7 * 64.0),
            (200, 0, 8_192, 1e-7 * 32.0),
        ];
        for (((stage, size), (epochs, warmup, batch, peak)), parameters) in
            recipe.stages.iter().zip(sizes).zip(rows).zip(parameters)
        {
            assert_eq!((stage.image_size, stage.context_length, stage.batch), (size, 80, batch));
            let schedule = stage.schedule(1_000_000_000);
            assert_eq!(schedule.total_steps, epochs * 1_281_167 / batch, "{name} {size}");
            assert_eq!(schedule.warmup_steps, warmup * 1_281_167 / batch, "{name} {size}");
            assert!((schedule.peak / peak - 1.0).abs() < 1e-9, "{name} {}", schedule.peak);
            assert_eq!(cost(&recipe, &stage.name).parameters(), parameters, "{name} {size}");
        }
    }
    let set = ["stage.strip_sep_token=true".to_owned()];
    let error = Recipe::load("openvision-b16", &set, Some("pretrain")).unwrap_err().to_string();
    assert!(error.contains("strip_sep_token") && error.contains("[CLS]"), "{error}");
}

/// Forward operations a sample in units of 10⁹, as computed beforehand from open_clip's model profile.
#[test]
fn operations_of_the_published_stages() {
    for (name, stage, tokens, image, text) in [
        ("b16-i50-t16", "pretrain", (50, 16), 8.64, 1.21),
        ("b16-i50-t16", "finetune", (197, 16), 35.13, 1.21),
        ("l16-i17-t16", "pretrain", (17, 16), 10.32, 2.73),
        ("l16-i17-t16", "finetune", (197, 16), 123.11, 2.73),
        ("l16-i37-t8", "pretrain", (37, 8), 22.54, 1.36),
        ("l16-i37-t8", "finetune", (197, 32), 123.11, 5.47),
    ] {
        let cost = cost(&load(name), stage);
        assert_eq!((cost.image_tokens, cost.text_tokens), tokens, "{name} {stage}");
        assert!((cost.image_flops / 1e9 - image).abs() < 0.006, "{name} {}", cost.image_flops);
        assert!((cost.text_flops / 1e9 - text).abs() < 0.006, "{name} {}", cost.text_flops);
    }
}

#[test]
fn peak_rates_batches_and_steps_of_the_published_stages() {
    // LAION-400M as CLIPA counted it.
    let rows = 407_332_084;
    for (name, stage, batch, peak, warmup, steps) in [
        ("b16-i50-t16", "pretrain", 65_536, 2.048e-3, 782, 37_292),
        ("b16-i50-t16", "finetune", 8_192, 2.56e-5, 3_072, 16_000),
        ("l16-i17-t16", "pretrain", 32_768, 1.024e-3, 1_563, 74_584),
        ("l16-i17-t16", "finetune", 7_168, 2.24e-5, 3_571, 18_285),
        ("l16-i37-t8", "pretrain", 32_768, 1.024e-3, 1_563, 74_584),
        ("l16-i37-t8", "finetune", 7_168, 2.24e-5, 3_571, 18_285),
    ] {
        let recipe = load(name);
        let stage = recipe.stage(stage).unwrap();
        let schedule = stage.schedule(rows);
        assert_eq!((stage.batch, schedule.warmup_steps), (batch, warmup), "{name}");
        assert!((schedule.peak / peak - 1.0).abs() < 1e-9, "{name} {}", schedule.peak);
        assert_eq!(schedule.total_steps, steps, "{name} {}", stage.name);
        recipe.check_length(stage, rows).unwrap();
    }
}
