//! `clipa-train` on a small world: it learns, it continues, it refuses.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use clipa_tests::{World, tree};
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;
use std::fs;

const PRETRAIN: &str = "pretrain --recipe recipe.toml --data pairs --output run";
/// The same with four steps.
const SHORT: &str = "pretrain --recipe recipe.toml --data pairs --output run --set stage.samples=128 \
                     --set stage.warmup_steps=1";

#[test]
fn both_stages_learn_and_an_evaluation_shows_it() {
    let world = World::new();
    world.succeeds(PRETRAIN);
    world.succeeds("finetune --recipe recipe.toml --from run --data pairs --output run2");
    let report =
        |words: &str| world.succeeds(&format!("eval --data classes --json {words}")).json();
    for (run, size, length) in [("run", 16, 6), ("run2", 24, 8)] {
        let report = report(&format!("--run {run}"));
        assert_eq!(
            (report["image_size"].as_i64(), report["context_length"].as_i64()),
            (Some(size), Some(length))
        );
        assert_eq!((report["samples"].as_u64(), report["classes"].as_u64()), (Some(40), Some(4)));
        assert!(report["top1"].as_f64().unwrap() >= 0.9, "{run}: {report}");
        assert_eq!(report["top5"].as_f64(), Some(1.0), "four classes are all among the first five");
        assert_eq!(report["held_out"]["samples"].as_u64(), Some(10));
    }
    let longer = report("--run run --stage finetune --per-class");
    assert_eq!(longer["image_size"].as_i64(), Some(24));
    assert_eq!(longer["per_class"].as_array().unwrap().len(), 4);
    let odd = report("--run run --image-size 32 --context-length 7");
    assert_eq!((odd["image_size"].as_i64(), odd["context_length"].as_i64()), (Some(32), Some(7)));
    let said = world.succeeds("eval --run run2 --data classes --per-class").stdout();
    assert!(said.contains("zero-shot at 24 px and 8 text tokens, 8 prompts (truncate)"), "{said}");
    assert!(said.contains("chance    top-1 25.0 %  (4 classes)"), "{said}");
    assert!(said.contains("colour 3"), "{said}");
}

/// With room for one token the syntax mask keeps a prompt's noun, the full prompt ends behind its article.
#[test]
fn prompts_are_reduced_as_the_stage_says_or_full() {
    let world = World::new();
    world.succeeds(&format!("{PRETRAIN} --set stage.text_reduction=syntax"));
    let report = |words: &str| {
        let words = format!("eval --run run --data classes --context-length 3 --json {words}");
        world.succeeds(&words).json()
    };
    let (reduced, full) = (report(""), report("--prompts full"));
    assert_eq!(
        (&reduced["text_reduction"], &full["text_reduction"]),
        (&"syntax".into(), &"truncate".into())
    );
    assert_eq!(reduced, report("--prompts stage"));
    let top1 = |report: &Value| report["top1"].as_f64().unwrap();
    assert!(top1(&reduced) >= 0.9, "{reduced}");
    assert_eq!(top1(&full), 0.25, "four equal prompts are one class: {full}");
    world
        .fails("eval --run run --data classes --strip-sep-token")
        .says(["strip_sep_token = true: only BERT's WordPiece has a [SEP]"]);
    world
        .fails("eval --run run --data classes --context-length 2")
        .says(["context length 2 leaves no room"]);
}

#[test]
fn a_killed_run_continues_with_the_same_numbers() {
    let world = World::new();
    world.succeeds(PRETRAIN);
    let undisturbed = world.numbers("run");
    assert_eq!(undisturbed.len(), 20);

    let killed = PRETRAIN.replace("--output run", "--output killed");
    world.command(&killed).runs_until_it_says("step 10/20").killed();
    assert!(world.numbers("killed").len() >= 10);
    // The number of loader threads must not matter, either.
    world.succeeds(&format!("{killed} --resume --workers 2"));
    assert_eq!(world.numbers("killed"), undisturbed);
    let weights = |run: &str| {
        fs::read(world.path(run).join("checkpoints/step-00000020/model.safetensors")).unwrap()
    };
    assert!(weights("killed") == weights("run"), "final weights differ");

    world.succeeds(&format!("{killed} --resume")).says(["is finished: nothing to do"]);
    assert_eq!(world.numbers("killed"), undisturbed);
}

#[test]
fn a_run_that_is_killed_before_its_first_checkpoint_begins_again() {
    let world = World::new();
    world.command(PRETRAIN).runs_until_it_says("step  2/20").killed();
    fs::remove_dir_all(world.path("run/checkpoints")).ok();
    world.succeeds(&format!("{PRETRAIN} --resume"));
    world.succeeds(&PRETRAIN.replace("--output run", "--output whole"));
    assert_eq!(world.numbers("run"), world.numbers("whole"));
}

#[test]
fn an_interrupt_writes_a_checkpoint_and_prints_how_to_go_on() {
    let world = World::new();
    let endless = format!("{PRETRAIN} --set stage.samples=1000000");
    let interrupted = world.command(&endless).runs_until_it_says("step ").interrupted();
    let said = interrupted.has_code(130).stderr();
    let last = said.lines().last().unwrap();
    assert!(
        last.starts_with("continue with: ") && last.ends_with("--threads 1 --resume"),
        "{last}"
    );
    let stopped = said.lines().find_map(|line| line.strip_prefix("stopped after step "));
    let step: u64 = stopped.unwrap().split(' ').next().unwrap().parse().unwrap();
    let state =
        fs::read_to_string(world.path(&format!("run/checkpoints/step-{step:08}/state.json")));
    let state: Value = serde_json::from_str(&state.unwrap()).unwrap();
    assert_eq!(state["cursor"]["sample"].as_u64(), Some(32 * step));
}

#[test]
fn a_dry_run_says_what_would_run_and_writes_nothing() {
    let world = World::new();
    world.succeeds(&format!("{PRETRAIN} --dry-run")).says([
        "parameters",
        "20 of 32 samples",
        "101 samples, used 6.34 times",
        "nothing was written",
    ]);
    assert!(!world.path("run").exists());
}

#[test]
fn a_run_is_never_overwritten() {
    let world = World::new();
    world.succeeds(SHORT);
    let before = tree(&world.path("run"));
    world.fails(SHORT).says(["holds a run already, pretrain at step 4 of 4\nhint: add --resume"]);
    world
        .fails(&format!("{PRETRAIN} --resume --seed 7"))
        .says(["seed: 0 there, 7 now", "`samples = 640` now"]);
    world.write_pairs("other", 9);
    world
        .fails(&format!("{} --resume", SHORT.replace("--data pairs", "--data other")))
        .says(["shards of --data: pairs (", ") there, other ("]);
    world
        .fails(&SHORT.replace("--output run", "--output pairs"))
        .says(["is not empty and holds no run"]);
    before.must_equal(&tree(&world.path("run")));
}

#[test]
fn another_models_weights_are_refused_before_anything_is_trained() {
    let world = World::new();
    world.succeeds(SHORT);
    let finetune = "finetune --recipe recipe.toml --from run --data pairs --output run2";
    world.fails(&format!("{finetune} --set model.embed_dim=24")).says([
        "holds another model: 2 of another shape: text_projection is [16, 16], not [16, 24]",
    ]);
    let file = world.path("run/checkpoints/step-00000004/model.safetensors");
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    world.fails(&finetune.replace("run2", "run3")).says(["is no whole safetensors file"]);
    world
        .fails(&finetune.replace("--from run", "--from nothing"))
        .says(["nothing: no such run or file"]);
}

#[test]
fn a_loss_that_is_no_number_stops_the_run_and_keeps_what_was_good() {
    let world = World::new();
    world
        .fails(&format!(
            "{PRETRAIN} --set stage.lr=900 --set stage.warmup_steps=0 --set stage.checkpoint_steps=1 \
             --set model.vision.ln_pre=false --set stage.samples=6400"
        ))
        .says(["stopped being a number", "--set stage.lr="]);
    let checkpoints = fs::read_dir(world.path("run/checkpoints"));
    for checkpoint in checkpoints.into_iter().flatten() {
        let file = fs::read(checkpoint.unwrap().path().join("model.safetensors")).unwrap();
        for (name, tensor) in SafeTensors::deserialize(&file).unwrap().iter() {
            assert_eq!(tensor.dtype(), Dtype::F32, "{name}");
            let values = tensor.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
            assert!(values.into_iter().all(f32::is_finite), "{name}");
        }
    }
}

#[test]
fn what_is_missing_or_misspelt_is_named() {
    let world = World::new();
    let cases: [(&str, &[&str]); 5] = [
        (&PRETRAIN.replace("--data pairs", "--data nowhere"), &["nowhere", "no such folder"]),
        (&PRETRAIN.replace("recipe.toml", "tiny-i17-t7"), &["did you mean `tiny-i17-t8`"]),
        (&format!("{PRETRAIN} --set stage.warmup=3"), &["unknown key `stage.warmup`"]),
        (&format!("{PRETRAIN} --set stage.batch=4096"), &["batch = 4096", "640 samples"]),
        ("eval --run run --data classes", &["run: no such run or file"]),
    ];
    for (words, parts) in cases {
        let finished = world.fails(words);
        parts.iter().fold(finished, |finished, part| finished.says([part]));
    }
    assert!(!world.path("run").exists());
    world.succeeds(SHORT);
    world.fails("eval run --data classes --retrieval").says(["no captions", "laion ingest"]);
    world.command("pretrain --recipe recipe.toml").exits_with(2);
}

#[test]
fn records_can_be_read_by_a_program() {
    let world = World::new();
    let said = world.succeeds(&format!("{SHORT} --json")).stdout();
    let steps: Vec<u64> = said
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["step"].as_u64().unwrap())
        .collect();
    assert_eq!(steps, [1, 2, 3, 4]);
    assert_eq!(said, fs::read_to_string(world.path("run/metrics.jsonl")).unwrap());
}

#[test]
fn recipes_are_listed_and_shown_as_they_are_read() {
    let world = World::new();
    let list = world.succeeds("recipes").stdout();
    assert!(list.contains("b16-i50-t16") && list.contains("50 image and 16 text tokens"), "{list}");
    let shown = world.succeeds("recipes show b16-i50-t16").stdout();
    assert!(
        shown.contains("# finetune: 149,589,505 parameters (image 86,192,640, text 63,396,864)"),
        "{shown}"
    );
    fs::write(world.path("mine.toml"), shown).unwrap();
    let mine = world.succeeds("recipes show mine.toml --set stage.pretrain.batch=4096").stdout();
    assert!(mine.contains("batch = 4096"), "{mine}");
    let json = world.succeeds("recipes --json").json();
    assert_eq!(json[0]["stages"][1]["parameters"].as_i64(), Some(149_589_505));
}
