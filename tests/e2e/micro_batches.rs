//! `clipa-train --micro-batch`: a batch in parts has the losses of the whole one, in every way that draws at random.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use clipa_tests::{Program, ingest_drawn_pairs, lasting, train};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

const RECIPE: &str = "tiny-i17-t8";
const STEPS: usize = 20;
/// 20 steps of 16 pairs, half of the patches and random tokens of each, every step logged.
const SHORT: [&str; 16] = [
    "--set",
    "stage.batch=16",
    "--set",
    "stage.samples=320",
    "--set",
    "stage.warmup_steps=4",
    "--set",
    "stage.lr=5e-4",
    "--set",
    "stage.log_steps=1",
    "--set",
    "stage.checkpoint_steps=4",
    "--set",
    "stage.image_reduction={mask=\"random\",drop=0.5}",
    "--set",
    "stage.text_reduction=random",
];
/// Losses of divided batches differ by rounding, which every step carries on.
const TOLERANCE: f64 = 1e-4;

/// The drawn pairs, ingested for the recipe, and a run of whole batches in `whole`.
fn data() -> &'static Path {
    static DATA: OnceLock<PathBuf> = OnceLock::new();
    DATA.get_or_init(|| {
        let folder = lasting("micro-batches");
        ingest_drawn_pairs(RECIPE, &folder.join("pairs"));
        pretrain(&folder, "whole").succeeds().says(["the whole batch in one pass"]);
        folder
    })
}

fn pretrain(folder: &Path, run: &str) -> Program {
    train(["pretrain", "--recipe", RECIPE])
        .args(SHORT)
        .arg("--data")
        .arg(folder.join("pairs"))
        .arg("--output")
        .arg(folder.join(run))
}

fn losses(run: &Path) -> Vec<f64> {
    let Ok(text) = std::fs::read_to_string(run.join("metrics.jsonl")) else { return Vec::new() };
    // The last line may be half written when the run was killed.
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    whole
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["loss"].as_f64().unwrap())
        .collect()
}

fn must_agree(run: &str, with: &str) {
    let (ours, theirs) = (losses(&data().join(run)), losses(&data().join(with)));
    assert_eq!((ours.len(), theirs.len()), (STEPS, STEPS));
    for (step, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
        assert!((ours - theirs).abs() < TOLERANCE, "{run}, step {step}: {ours} and {theirs}");
    }
    assert!(ours[STEPS - 1] < ours[0], "nothing was learned: {ours:?}");
}

#[test]
fn losses_in_micro_batches_are_those_of_whole_batches() {
    // 5, 5, 5 and 1; and two halves, with activations computed again.
    let uneven = pretrain(data(), "uneven").args(["--micro-batch", "5"]);
    uneven.succeeds().says(["4 micro-batches of at most 5 pairs (as asked for), two passes"]);
    must_agree("uneven", "whole");
    let recomputed = pretrain(data(), "recomputed").args(["--set", "stage.recompute=true"]);
    recomputed.args(["--micro-batch", "8"]).succeeds();
    must_agree("recomputed", "whole");
}

#[test]
fn a_run_goes_on_with_its_micro_batch_or_with_another_one() {
    let folder = data();
    for (run, more, said) in [
        ("remembered", &[][..], "at most 7 pairs (as the run had it)"),
        ("changed", &["--micro-batch", "3"], "at most 3 pairs (as asked for)"),
        ("undivided", &["--micro-batch", "1000"], "the whole batch in one pass (as asked for)"),
    ] {
        let begun = pretrain(folder, run).args(["--micro-batch", "7"]);
        begun.killed_when(|| losses(&folder.join(run)).len() >= 6);
        pretrain(folder, run).arg("--resume").args(more.iter().copied()).succeeds().says([said]);
        must_agree(run, "whole");
    }
}

#[test]
fn a_dry_run_says_memory_hours_and_money() {
    let said = pretrain(data(), "dry").args(["--dry-run", "--micro-batch", "4"]).succeeds();
    said.says([
        "weights",
        "gradients",
        "a micro-batch of 4",
        "A100",
        "H100",
        "dollars",
        "this CPU",
    ]);
    assert!(!data().join("dry").exists());
    pretrain(data(), "dry")
        .args(["--micro-batch", "none"])
        .exits_with(2)
        .says(["--micro-batch", "auto"]);
}
