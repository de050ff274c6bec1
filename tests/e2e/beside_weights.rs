//! What a run reads beside its data and weights before it begins: facts that contradict the recipe, and what is not
//! finished.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use clipa_tests::World;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// A run of four steps.
const PRETRAIN: &str = "pretrain --recipe recipe.toml --data pairs --output run --set stage.samples=128 --set stage.warmup_steps=1";
/// A stage on weights, as far as it would run.
const FINETUNE: &str = "finetune --recipe recipe.toml --data pairs --output run2 --dry-run --from";
/// Its checkpoint.
const CHECKPOINT: &str = "run/checkpoints/step-00000004";

/// A world with a finished run, and its weights alone in the folder `weights`.
fn trained() -> World {
    let world = World::new();
    world.succeeds(PRETRAIN);
    fs::create_dir(world.path("weights")).unwrap();
    let file = world.path(CHECKPOINT).join("model.safetensors");
    fs::copy(file, world.path("weights/model.safetensors")).unwrap();
    world
}

/// Puts the run's `open_clip_config.json`, changed, beside the weights.
fn describe(world: &World, change: impl FnOnce(&mut Value)) {
    let mut config = json(&world.path("run/open_clip_config.json"));
    change(&mut config);
    fs::write(world.path("weights/open_clip_config.json"), config.to_string()).unwrap();
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn a_configuration_that_contradicts_the_recipe_is_refused_by_name() {
    let world = trained();
    let finetune = format!("{FINETUNE} weights/model.safetensors");
    describe(&world, |_| ());
    world.succeeds(&finetune);
    let refused: [(&str, &str, Value, [&str; 2]); 6] = [
        ("text_cfg", "heads", json!(4), ["text_cfg.heads = 4", "model.text.heads = 2"]),
        (
            "vision_cfg",
            "head_width",
            json!(8),
            ["vision_cfg.head_width = 8, so 4 heads", "model.vision.heads = 2"],
        ),
        (
            "vision_cfg",
            "no_ln_pre",
            json!(true),
            ["vision_cfg.no_ln_pre = true", "--set model.vision.ln_pre=false"],
        ),
        (
            "text_cfg",
            "pool_type",
            json!("last"),
            ["text_cfg.pool_type = last", "model.text.pool = argmax"],
        ),
        (
            "text_cfg",
            "no_causal_mask",
            json!(true),
            ["text_cfg.no_causal_mask = true", "model.text.causal = true"],
        ),
        (
            "vision_cfg",
            "patch_size",
            json!(8),
            ["vision_cfg.patch_size = 8", "model.vision.patch_size = 4"],
        ),
    ];
    // What the recipe leaves open is taken from beside the weights; here it is given.
    let given =
        "--set model.vision.ln_pre=true --set model.text.pool=argmax --set model.text.causal=true";
    for (tower, key, value, said) in refused {
        describe(&world, |config| config["model_cfg"][tower][key] = value);
        world.fails(&format!("{finetune} {given}")).says(["open_clip_config.json"]).says(said);
    }
    describe(&world, |config| config["model_cfg"]["vision_cfg"]["timm_model_name"] = json!("vit"));
    world.fails(&finetune).says(["not built here", "vision_cfg.timm_model_name"]);
    fs::write(world.path("weights/open_clip_config.json"), "{\"model_cfg\": ").unwrap();
    world.fails(&finetune).says(["open_clip_config.json", "line 1"]);
    assert!(!world.path("run2").exists());
}

#[test]
fn what_the_recipe_leaves_open_is_taken_from_beside_the_weights() {
    let world = trained();
    describe(&world, |config| {
        config["model_cfg"]["quick_gelu"] = json!(true);
        config["preprocess_cfg"]["mean"] = json!([0.485, 0.456, 0.406]);
        config["preprocess_cfg"]["std"] = json!([0.229, 0.224, 0.225]);
    });
    let finetune = "finetune --recipe recipe.toml --data pairs --output run2 --from weights --set stage.samples=64 \
                    --set stage.warmup_steps=1";
    let both = format!("{finetune} --set model.gelu=erf");
    world.fails(&both).says(["quick_gelu = true", "model.gelu = erf", "--set model.gelu=quick"]);
    world.succeeds(finetune).says(["used, model.gelu=quick", "used, model.pixels=imagenet"]);
    let recipe = fs::read_to_string(world.path("run2/recipe.toml")).unwrap();
    assert!(
        recipe.contains("gelu = \"quick\"") && recipe.contains("pixels = \"imagenet\""),
        "{recipe}"
    );
    // And the next stage takes them from the run, whose own recipe says so.
    let third = finetune.replace("run2", "run3").replace("--from weights", "--from run2");
    world.succeeds(&third).says(["used, model.gelu=quick"]);
}

#[test]
fn a_runs_own_recipe_counts_wherever_its_weights_are_named() {
    let world = trained();
    for from in ["run", CHECKPOINT, &format!("{CHECKPOINT}/model.safetensors")] {
        let finetune = format!("{FINETUNE} {from}");
        world.succeeds(&finetune);
        let others: &[(&str, &str, &str)] = match from {
            "run" => &[
                ("model.gelu", "quick", "erf"),
                ("model.text.pool", "last", "argmax"),
                ("model.pixels", "imagenet", "openai"),
            ],
            _ => &[],
        };
        for (key, value, there) in others.iter().chain(&[("model.text.heads", "1", "2")]) {
            world.fails(&format!("{finetune} --set {key}={value}")).says([
                "recipe.toml beside the weights says",
                &format!("{key} = {there}, the recipe says {key} = {value}"),
            ]);
        }
    }
    world
        .fails(&format!("{FINETUNE} run --set stage.positions=sin-cos-2d"))
        .says(["positions = learnable, the recipe says sin-cos-2d"]);
    // The same holds for an evaluation, whose recipe is the run's.
    let mut config = json(&world.path("run/open_clip_config.json"));
    config["model_cfg"]["quick_gelu"] = json!(true);
    fs::write(world.path("run/open_clip_config.json"), config.to_string()).unwrap();
    world.fails("eval --run run --data classes").says(["quick_gelu = true", "model.gelu = erf"]);
}

#[test]
fn folders_of_the_hub_are_read_with_what_lies_in_them() {
    let world = trained();
    let revision = world.path("models--a--b/snapshots/0123");
    fs::create_dir_all(&revision).unwrap();
    fs::create_dir_all(world.path("models--a--b/refs")).unwrap();
    fs::write(world.path("models--a--b/refs/main"), "0123").unwrap();
    // As in the cache: names are links to blobs, beside which nothing lies.
    fs::create_dir(world.path("models--a--b/blobs")).unwrap();
    fs::rename(world.path("weights/model.safetensors"), world.path("models--a--b/blobs/ff"))
        .unwrap();
    std::os::unix::fs::symlink("../../blobs/ff", revision.join("open_clip_model.safetensors"))
        .unwrap();
    fs::write(revision.join("model.safetensors"), "of transformers").unwrap();
    fs::write(revision.join("config.json"), r#"{"model_type": "clip"}"#).unwrap();
    fs::copy(world.path("run/open_clip_config.json"), revision.join("open_clip_config.json"))
        .unwrap();
    for from in [
        "models--a--b",
        "models--a--b/snapshots/0123",
        "models--a--b/snapshots/0123/open_clip_model.safetensors",
    ] {
        world.succeeds(&format!("{FINETUNE} {from}")).says([
            "config.json is Hugging Face's and is not read",
            "open_clip_config.json says counts",
        ]);
        world
            .fails(&format!("{FINETUNE} {from} --set model.text.heads=1"))
            .says(["text_cfg.heads = 2", "model.text.heads = 1"]);
    }
    fs::remove_file(revision.join("open_clip_config.json")).unwrap();
    world.succeeds(&format!("{FINETUNE} models--a--b")).says(["the recipe alone says"]);
}

#[test]
fn data_that_a_stage_cannot_learn_from_is_refused_before_it_begins() {
    let world = World::new();
    for dry_run in ["", " --dry-run"] {
        let refused = |words: &str, said: [&str; 2]| {
            world.fails(&format!("{words}{dry_run}")).says(said);
            assert!(!world.path("run").exists(), "{words} left its folder");
        };
        let on = |data: &str| PRETRAIN.replace("--data pairs", &format!("--data {data}"));
        refused(&on("classes"), ["is a classification set", "clipa-prep laion ingest"]);
        refused(
            &format!("{PRETRAIN} --set stage.samples=1000 --set stage.batch=102"),
            ["stage.batch = 102", "101 samples"],
        );
        refused(
            &format!("{PRETRAIN} --set stage.context_length=2"),
            ["stage.context_length = 2", "at least 3"],
        );
        refused(
            &format!(
                "{PRETRAIN} --set model.text.tokenizer=bert-wordpiece --set stage.context_length=1"
            ),
            ["stage.context_length = 1", "at least 2"],
        );
    }
    let small = format!("{PRETRAIN} --dry-run --set stage.image_size=32");
    world.fails(&small).says(["is too small for 32 px", "would be enlarged"]);
    world.succeeds(&format!("{small} --allow-enlarging"));
    world.fails("eval --run run --data classes");
}

#[test]
fn what_is_not_finished_is_refused_unless_it_is_meant() {
    let world = World::new();
    let longer = PRETRAIN.replace("stage.samples=128", "stage.samples=288");
    // So slowly that the next checkpoint is not there yet.
    let is_begun = || world.path(CHECKPOINT).is_dir();
    world.command(&longer).with_fault("CLIPA_SLOW_SYNC", "300").killed_when(is_begun);
    world.fails(&format!("{FINETUNE} run")).says([
        "run is not finished",
        "step 4 of 9 of stage pretrain",
        "--resume",
    ]);
    for from in ["run --allow-unfinished", CHECKPOINT] {
        world.succeeds(&format!("{FINETUNE} {from}")).says(["the weights are of step 4 of 9"]);
    }
    world.succeeds("eval --run run --data classes").says(["the weights are of step 4 of 9"]);

    for set in ["pairs", "classes"] {
        let manifest = world.path(set).join("dataset.json");
        let mut there = json(&manifest);
        there["complete"] = json!(false);
        fs::write(manifest, there.to_string()).unwrap();
    }
    let pretrain = PRETRAIN.replace("--output run", "--output run2");
    for dry_run in ["", " --dry-run"] {
        world.fails(&format!("{pretrain}{dry_run}")).says([
            "pairs is not finished: its ingest has not ended",
            "2 inputs so far, 101 samples",
            "--allow-unfinished",
        ]);
    }
    world.fails("eval --run run --data classes").says(["classes is not finished"]);
    for words in [
        format!("{pretrain} --allow-unfinished"),
        "eval --run run --data classes --allow-unfinished".to_owned(),
    ] {
        world.succeeds(&words).says(["is not finished: its ingest has not ended"]);
    }
    fs::write(world.path("pairs/takedown.json"), r#"{"lists_sha256": []}"#).unwrap();
    world.fails(&pretrain).says(["a takedown was interrupted"]);
}
