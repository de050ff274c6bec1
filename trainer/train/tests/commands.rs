//! clipa-train from outside: it learns, it continues, it refuses.
#![allow(clippy::unwrap_used, reason = "a test")]

mod kit;

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use clipa_schemas::manifest::Kind;
use kit::{World, stderr, write_set};

const PRETRAIN: &str = "pretrain --recipe recipe.toml --data pairs --output run";

/// Starts a command and waits for a line of its stderr that begins so.
fn start_until(
    world: &World,
    words: &str,
    line: &str,
) -> (Child, BufReader<std::process::ChildStderr>) {
    let mut child = world.command(words).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut text = String::new();
    while !text.starts_with(line) {
        text.clear();
        assert_ne!(said.read_line(&mut text).unwrap(), 0, "it ended before `{line}`");
    }
    (child, said)
}

fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
}

#[test]
fn both_stages_learn_and_an_evaluation_shows_it() {
    let world = World::new();
    world.succeed(PRETRAIN);
    world.succeed("finetune --recipe recipe.toml --from run --data pairs --output run2");
    let report = |words: &str| -> serde_json::Value {
        serde_json::from_str(&world.succeed(&format!("eval --data classes --json {words}")))
            .unwrap()
    };
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
    let said = world.succeed("eval --run run2 --data classes --per-class");
    assert!(said.contains("zero-shot at 24 px and 8 text tokens, 8 prompts (truncate)"), "{said}");
    assert!(said.contains("chance    top-1 25.0 %  (4 classes)"), "{said}");
    assert!(said.contains("colour 3"), "{said}");
}

/// With room for one token the syntax mask keeps a prompt's noun, the full prompt ends behind its article.
#[test]
fn prompts_are_reduced_as_the_stage_says_or_full() {
    let world = World::new();
    world.succeed(&format!("{PRETRAIN} --set stage.text_reduction=syntax"));
    let report = |words: &str| -> serde_json::Value {
        let words = format!("eval --run run --data classes --context-length 3 --json {words}");
        serde_json::from_str(&world.succeed(&words)).unwrap()
    };
    let (reduced, full) = (report(""), report("--prompts full"));
    assert_eq!(
        (&reduced["text_reduction"], &full["text_reduction"]),
        (&"syntax".into(), &"truncate".into())
    );
    assert_eq!(reduced, report("--prompts stage"));
    let top1 = |report: &serde_json::Value| report["top1"].as_f64().unwrap();
    assert!(top1(&reduced) >= 0.9, "{reduced}");
    assert_eq!(top1(&full), 0.25, "four equal prompts are one class: {full}");
    let said = world.fail("eval --run run --data classes --strip-sep-token");
    assert!(said.contains("strip_sep_token = true: only BERT's WordPiece has a [SEP]"), "{said}");
    let said = world.fail("eval --run run --data classes --context-length 2");
    assert!(said.contains("context length 2 leaves no room"), "{said}");
}

#[test]
fn a_killed_run_continues_with_the_same_numbers() {
    let world = World::new();
    world.succeed(PRETRAIN);
    let undisturbed = world.numbers("run");
    assert_eq!(undisturbed.len(), 20);

    let killed = PRETRAIN.replace("--output run", "--output killed");
    let (mut child, _said) = start_until(&world, &killed, "step 10/20");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(world.numbers("killed").len() >= 10);
    // The number of loader threads must not matter, either.
    world.succeed(&format!("{killed} --resume --workers 2"));
    assert_eq!(world.numbers("killed"), undisturbed);
    let weights = |run: &str| {
        fs::read(world.path(run).join("checkpoints/step-00000020/model.safetensors")).unwrap()
    };
    assert!(weights("killed") == weights("run"), "final weights differ");

    let again = world.run(&format!("{killed} --resume"));
    assert!(again.status.success() && stderr(&again).contains("is finished: nothing to do"));
    assert_eq!(world.numbers("killed"), undisturbed);
}

#[test]
fn a_run_that_is_killed_before_its_first_checkpoint_begins_again() {
    let world = World::new();
    let (mut child, _said) = start_until(&world, PRETRAIN, "step  2/20");
    child.kill().unwrap();
    child.wait().unwrap();
    fs::remove_dir_all(world.path("run/checkpoints")).ok();
    world.succeed(&format!("{PRETRAIN} --resume"));
    world.succeed(&PRETRAIN.replace("--output run", "--output whole"));
    assert_eq!(world.numbers("run"), world.numbers("whole"));
}

#[test]
fn an_interrupt_writes_a_checkpoint_and_prints_how_to_go_on() {
    let world = World::new();
    let endless = format!("{PRETRAIN} --set stage.samples=1000000");
    let (mut child, said) = start_until(&world, &endless, "step ");
    signal(&child, "-INT");
    let rest: Vec<String> = said.lines().map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let last = rest.last().unwrap();
    assert!(
        last.starts_with("continue with: ") && last.ends_with("--threads 1 --resume"),
        "{last}"
    );
    let stopped = rest.iter().find_map(|line| line.strip_prefix("stopped after step "));
    let step: u64 = stopped.unwrap().split(' ').next().unwrap().parse().unwrap();
    let state =
        fs::read_to_string(world.path(&format!("run/checkpoints/step-{step:08}/state.json")));
    let state: serde_json::Value = serde_json::from_str(&state.unwrap()).unwrap();
    assert_eq!(state["cursor"]["sample"].as_u64(), Some(32 * step));
}

#[test]
fn a_dry_run_says_what_would_run_and_writes_nothing() {
    let world = World::new();
    let output = world.run(&format!("{PRETRAIN} --dry-run"));
    let said = stderr(&output);
    assert!(output.status.success(), "{said}");
    for part in
        ["parameters", "20 of 32 samples", "101 samples, used 6.34 times", "nothing was written"]
    {
        assert!(said.contains(part), "{part}\n{said}");
    }
    assert!(!world.path("run").exists());
}

#[test]
fn a_run_is_never_overwritten() {
    let world = World::new();
    let short = format!("{PRETRAIN} --set stage.samples=128 --set stage.warmup_steps=1");
    world.succeed(&short);
    let before = world.files("run");
    let said = world.fail(&short);
    assert!(
        said.contains("holds a run already, pretrain at step 4 of 4\nhint: add --resume"),
        "{said}"
    );
    let said = world.fail(&format!("{PRETRAIN} --resume --seed 7"));
    assert!(
        said.contains("seed: 0 there, 7 now") && said.contains("`samples = 640` now"),
        "{said}"
    );
    write_set(&world.path("other"), Kind::Pairs, &[70, 31], 9);
    let said = world.fail(&format!("{} --resume", short.replace("--data pairs", "--data other")));
    assert!(said.contains("the data set's shards"), "{said}");
    let said = world.fail(&short.replace("--output run", "--output pairs"));
    assert!(said.contains("is not empty and holds no run"), "{said}");
    assert_eq!(world.files("run"), before);
}

#[test]
fn another_models_weights_are_refused_before_anything_is_trained() {
    let world = World::new();
    world.succeed(&format!("{PRETRAIN} --set stage.samples=128 --set stage.warmup_steps=1"));
    let finetune = "finetune --recipe recipe.toml --from run --data pairs --output run2";
    let said = world.fail(&format!("{finetune} --set model.embed_dim=24"));
    assert!(
        said.contains(
            "holds another model: 2 of another shape: text_projection is [16, 16], not [16, 24]"
        ),
        "{said}"
    );
    let file = world.path("run/checkpoints/step-00000004/model.safetensors");
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let said = world.fail(&finetune.replace("run2", "run3"));
    assert!(said.contains("is no whole safetensors file"), "{said}");
    let said = world.fail(&finetune.replace("--from run", "--from nothing"));
    assert!(said.contains("nothing: no such run or file"), "{said}");
}

#[test]
fn a_loss_that_is_no_number_stops_the_run_and_keeps_what_was_good() {
    let world = World::new();
    let said = world.fail(&format!(
        "{PRETRAIN} --set stage.lr=900 --set stage.warmup_steps=0 --set stage.checkpoint_steps=1 \
         --set model.vision.ln_pre=false --set stage.samples=6400"
    ));
    assert!(said.contains("stopped being a number"), "{said}");
    assert!(said.contains("--set stage.lr="), "{said}");
    let checkpoints = fs::read_dir(world.path("run/checkpoints"));
    for checkpoint in checkpoints.into_iter().flatten() {
        let file = checkpoint.unwrap().path().join("model.safetensors");
        for (name, tensor) in clipa_train::checkpoint::tensors::read(&file).unwrap() {
            assert_eq!(tensor.isfinite().all().int64_value(&[]), 1, "{name}");
        }
    }
}

#[test]
fn what_is_missing_or_misspelt_is_named() {
    let world = World::new();
    let said = world.fail(&PRETRAIN.replace("--data pairs", "--data nowhere"));
    assert!(said.contains("nowhere") && said.contains("no such folder"), "{said}");
    let said = world.fail(&PRETRAIN.replace("recipe.toml", "tiny-i17-t7"));
    assert!(said.contains("did you mean `tiny-i17-t8`"), "{said}");
    let said = world.fail(&format!("{PRETRAIN} --set stage.warmup=3"));
    assert!(said.contains("unknown key `stage.warmup`"), "{said}");
    let said = world.fail(&format!("{PRETRAIN} --set stage.batch=4096"));
    assert!(said.contains("batch = 4096") && said.contains("640 samples"), "{said}");
    let said = world.fail("eval --run run --data classes");
    assert!(said.contains("run: no such run or file"), "{said}");
    assert!(!world.path("run").exists());
    world.succeed(&format!("{PRETRAIN} --set stage.samples=128 --set stage.warmup_steps=1"));
    let said = world.fail("eval --run run --data pairs");
    assert!(said.contains("clipa-prep classes ingest"), "{said}");
    assert_eq!(world.run("pretrain --recipe recipe.toml").status.code(), Some(2));
}

#[test]
fn records_can_be_read_by_a_program() {
    let world = World::new();
    let said = world
        .succeed(&format!("{PRETRAIN} --json --set stage.samples=128 --set stage.warmup_steps=1"));
    let steps: Vec<u64> = said
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["step"].as_u64().unwrap()
        })
        .collect();
    assert_eq!(steps, [1, 2, 3, 4]);
    assert_eq!(said, fs::read_to_string(world.path("run/metrics.jsonl")).unwrap());
}

#[test]
fn recipes_are_listed_and_shown_as_they_are_read() {
    let world = World::new();
    let list = world.succeed("recipes");
    assert!(list.contains("b16-i50-t16") && list.contains("50 image and 16 text tokens"), "{list}");
    let shown = world.succeed("recipes show b16-i50-t16");
    assert!(
        shown.contains("# finetune: 149,589,505 parameters (image 86,192,640, text 63,396,864)"),
        "{shown}"
    );
    fs::write(world.path("mine.toml"), shown).unwrap();
    let mine = world.succeed("recipes show mine.toml --set stage.pretrain.batch=4096");
    assert!(mine.contains("batch = 4096"), "{mine}");
    let json: serde_json::Value = serde_json::from_str(&world.succeed("recipes --json")).unwrap();
    assert_eq!(json[0]["stages"][1]["parameters"].as_i64(), Some(149_589_505));
}
