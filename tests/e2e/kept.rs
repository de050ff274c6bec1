//! What a run keeps and what another one takes over: checkpoints by rule, averaged weights, moments, and a longer course.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use clipa_tests::{World, tree};
use safetensors::SafeTensors;
use serde_json::Value;
use std::fs;
use std::path::Path;

const PRETRAIN: &str = "pretrain --recipe recipe.toml --data pairs --output run";
/// A last stage that cools down from where it begins, for the world's recipe.
const COOLDOWN: &str = r#"
[[stage]]
name = "cooldown"
image_size = 16
image_reduction = { mask = "random", drop = 0.5 }
context_length = 6
text_reduction = "random"
samples = 160
batch = 32
lr = 1e-2
warmup_steps = 0
schedule = "constant-cooldown"
cooldown_samples = 160
weight_decay = 0.1
beta1 = 0.9
beta2 = 0.95
eps = 1e-6
precision = "f32"
log_steps = 1
checkpoint_steps = 4
"#;

fn steps_kept(run: &Path) -> Vec<u64> {
    let names = fs::read_dir(run.join("checkpoints")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let mut steps: Vec<u64> =
        names.filter_map(|name| name.strip_prefix("step-")?.parse().ok()).collect();
    steps.sort_unstable();
    steps
}

fn state(world: &World, checkpoint: &str) -> Value {
    serde_json::from_slice(&fs::read(world.path(checkpoint).join("state.json")).unwrap()).unwrap()
}

#[test]
fn checkpoints_are_kept_by_each_rule() {
    let world = World::new();
    let rules = "--set stage.checkpoint_steps=2 --set stage.keep_checkpoints=1";
    world.succeeds(&format!("{PRETRAIN} {rules}"));
    assert_eq!(steps_kept(&world.path("run")), [20]);
    // 32 samples a step: 200, 400 and 600 samples are reached at the checkpoints of steps 8, 14 and 20.
    let every = PRETRAIN.replace("--output run", "--output every");
    world
        .succeeds(&format!("{every} {rules} --set stage.keep_every_samples=200"))
        .says(["checkpoint  every 2 steps", "1 kept, one every 200 samples for ever"]);
    assert_eq!(steps_kept(&world.path("every")), [8, 14, 20]);
    // The best by loss is that of the lowest median: of a run that learns the last, of one that forgets an early one.
    let best = PRETRAIN.replace("--output run", "--output best");
    world.succeeds(&format!("{best} {rules} --set stage.keep_best=loss"));
    assert_eq!(steps_kept(&world.path("best")), [20]);
    // By a result, here written by hand as an evaluation while training writes it.
    let rated = PRETRAIN.replace("--output run", "--output rated");
    let rated = format!("{rated} --set stage.checkpoint_steps=2 --set stage.keep_checkpoints=1");
    let rated = format!("{rated} --set stage.samples=6400 --set stage.keep_best=colours_top1");
    world.command(&rated).runs_until_it_says("step  13/200").killed();
    let there = *steps_kept(&world.path("rated")).last().unwrap();
    let line = format!("{{\"step\":{there},\"set\":\"colours\",\"colours_top1\":0.75}}\n");
    fs::write(world.path("rated/results.jsonl"), line).unwrap();
    world.command(&format!("{rated} --resume")).runs_until_it_says("step  60/200").killed();
    assert!(steps_kept(&world.path("rated")).contains(&there), "the only one with a result");
    world.fails(&format!("{PRETRAIN} --set stage.keep_best=")).says(["keep_best"]);
    world.fails(&format!("{PRETRAIN} --set stage.keep_every_samples=0")).says(["at least 1"]);
}

#[test]
fn an_average_of_the_weights_is_kept_continued_and_taken_as_asked() {
    let world = World::new();
    let averaged = |run: &str| {
        format!(
            "{} --set stage.ema=0.8",
            PRETRAIN.replace("--output run", &format!("--output {run}"))
        )
    };
    world.succeeds(&averaged("run")).says(["decay 0.8 a step (ema.safetensors)"]);
    let last = "checkpoints/step-00000020";
    let whole = tree(&world.path("run").join(last));
    assert_eq!(
        whole.names(),
        ["ema.safetensors", "model.safetensors", "optimizer.safetensors", "state.json"]
    );
    // A moving average changes no loss.
    world.succeeds(&PRETRAIN.replace("--output run", "--output plain"));
    assert_eq!(world.numbers("plain"), world.numbers("run"));
    // A killed run goes on with it.
    world.command(&averaged("killed")).runs_until_it_says("step 13/20").killed();
    world.succeeds(&format!("{} --resume", averaged("killed")));
    whole.must_equal(&tree(&world.path("killed").join(last)));
    world.fails(&format!("{PRETRAIN} --resume")).says(["`ema = 0.8` there"]);

    // Other weights than the raw ones, of the same names and shapes.
    let files = ["model", "ema"].map(|name| {
        fs::read(world.path("run").join(last).join(format!("{name}.safetensors"))).unwrap()
    });
    let [raw, average] = files.each_ref().map(|bytes| SafeTensors::deserialize(bytes).unwrap());
    assert_eq!(raw.names().len(), average.names().len());
    let name = "visual.proj";
    assert_ne!(raw.tensor(name).unwrap().data(), average.tensor(name).unwrap().data());

    let eval = "eval --data classes --json --run";
    let of = |run: &str, kind: &str| world.succeeds(&format!("{eval} {run} --weights {kind}"));
    of("run", "raw").says(["the weights are the raw ones; --weights ema takes"]);
    of("run", "ema").says(["the weights are the moving average (ema)"]);
    world
        .fails(&format!("{eval} plain --weights ema"))
        .says(["there is no ema.safetensors beside"]);
    let finetune = "finetune --recipe recipe.toml --data pairs --from run --output";
    world
        .succeeds(&format!("{finetune} second --weights ema"))
        .says(["begins with the weights of run/checkpoints/step-00000020/ema.safetensors"]);
    world.succeeds(&format!("{finetune} third"));
    assert_ne!(world.numbers("second")[0], world.numbers("third")[0]);
    world
        .fails(&format!("{finetune} fourth --weights ema --keep-moments"))
        .says(["the moments are those of the raw weights"]);
}

#[test]
fn moments_are_kept_for_a_change_that_is_meant() {
    let world = World::new();
    world.succeeds(PRETRAIN);
    let again = "finetune --recipe recipe.toml --stage pretrain --from run --data pairs --set stage.lr=1e-3";
    world.succeeds(&format!("{again} --output fresh"));
    world.succeeds(&format!("{again} --output kept --keep-moments"));
    let (fresh, kept) = (world.numbers("fresh"), world.numbers("kept"));
    // The same weights and batch, then another step.
    assert_eq!(fresh[0][1], kept[0][1]);
    assert_ne!(fresh[1][1], kept[1][1]);
    let state = state(&world, "kept/checkpoints/step-00000020");
    assert_eq!((state["step"].as_u64(), state["steps_before"].as_u64()), (Some(20), Some(20)));

    // Killed before its first checkpoint or after it, it goes on without being told again.
    for (run, said) in [("early", "step  2/20"), ("late", "step 14/20")] {
        let words = format!("{again} --output {run} --keep-moments");
        world.command(&words).runs_until_it_says(said).killed();
        let resume = format!(
            "finetune --recipe recipe.toml --stage pretrain --data pairs --set stage.lr=1e-3 --output {run} --resume"
        );
        world.succeeds(&resume);
        assert_eq!(world.numbers(run), kept, "{run}");
    }
    world
        .fails(&format!("{again} --output kept --resume"))
        .says(["--keep-moments: moments kept (", "moments from zero now"]);

    // Positions of another length have no moments, and that is said; a file of weights alone has none at all.
    let longer =
        "finetune --recipe recipe.toml --from run --data pairs --output longer --keep-moments";
    world.succeeds(longer).says(["moments     kept, but those of", "positional_embedding"]);
    let weights = world.path("weights.safetensors");
    fs::copy(world.path("run/checkpoints/step-00000020/model.safetensors"), &weights).unwrap();
    let bare =
        "finetune --recipe recipe.toml --from weights.safetensors --data pairs --output bare";
    world
        .fails(&format!("{bare} --keep-moments"))
        .says(["there is no optimizer.safetensors beside it"]);
    assert!(!world.path("bare").exists());
}

#[test]
fn a_constant_learning_rate_is_prolonged_and_a_cooldown_branches_off_any_checkpoint() {
    let world = World::new();
    let recipe = fs::read_to_string(world.path("recipe.toml")).unwrap();
    fs::write(world.path("recipe.toml"), format!("{recipe}{COOLDOWN}")).unwrap();
    let constant = format!("{PRETRAIN} --set stage.schedule=constant");
    let longer = "--set stage.samples=960";
    world.succeeds(&constant);
    world
        .succeeds(&format!("{constant} {longer} --resume"))
        .says(["continues run/checkpoints/step-00000020", "`samples = 960` now"]);
    let whole = constant.replace("--output run", "--output whole");
    world.succeeds(&format!("{whole} {longer}"));
    assert_eq!(world.numbers("run").len(), 30);
    assert_eq!(world.numbers("run"), world.numbers("whole"));
    // What is there now counts, and it can be shortened no more.
    world.succeeds(&format!("{constant} {longer} --resume")).says(["is finished: nothing to do"]);
    world
        .fails(&format!("{constant} --resume"))
        .says(["30 steps are done, and it has 20 now", "--keep-moments"]);
    // A cosine goes another way from the first step after the warm-up on.
    let cosine = PRETRAIN.replace("--output run", "--output cosine");
    world.succeeds(&cosine);
    world
        .fails(&format!("{cosine} {longer} --resume"))
        .says(["the learning rate of step 4 was", "hint: repeat the settings"]);

    let branch = "finetune --recipe recipe.toml --stage cooldown --data pairs --output";
    let from = "--from run/checkpoints/step-00000028";
    world.succeeds(&format!("{branch} cooled {from} --keep-moments"));
    let rates: Vec<f64> = world.numbers("cooled").iter().map(|numbers| numbers[2]).collect();
    for (rate, expected) in rates.iter().zip([1.0, 0.8, 0.6, 0.4, 0.2]) {
        assert!((rate - 1e-2 * expected).abs() < 1e-9, "{rates:?}");
    }
    assert_eq!(rates.len(), 5);
    let before = state(&world, "cooled/checkpoints/step-00000005");
    assert_eq!(before["steps_before"].as_u64(), Some(28));
}
