//! `clipa-train run`: every stage of a recipe in one command.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

use clipa_tests::{Program, ingest_drawn_pairs, lasting, train, tree};

const RECIPE: &str = "tiny-i17-t8";
/// Short stages, every step logged.
const SHORT: [&str; 10] = [
    "--set",
    "stage.batch=16",
    "--set",
    "stage.samples=160",
    "--set",
    "stage.warmup_steps=2",
    "--set",
    "stage.log_steps=1",
    "--set",
    "stage.checkpoint_steps=4",
];

fn folder() -> &'static Path {
    static SHARED: OnceLock<PathBuf> = OnceLock::new();
    SHARED.get_or_init(|| {
        let folder = lasting("chain");
        ingest_drawn_pairs(RECIPE, &folder.join("pairs"));
        folder
    })
}

fn stage(command: &str, output: &str) -> Program {
    let folder = folder();
    train([command, "--recipe", RECIPE])
        .args(SHORT)
        .arg("--data")
        .arg(folder.join("pairs"))
        .arg("--output")
        .arg(folder.join(output))
}

fn weights(run: &str) -> Vec<u8> {
    let checkpoints = folder().join(run).join("checkpoints");
    let newest = std::fs::read_dir(checkpoints).unwrap().map(|entry| entry.unwrap().path());
    std::fs::read(newest.max().unwrap().join("model.safetensors")).unwrap()
}

#[test]
fn a_chain_trains_what_its_stages_train_one_by_one() {
    stage("run", "chain").succeeds();
    stage("pretrain", "first").succeeds();
    stage("finetune", "second").arg("--from").arg(folder().join("first")).succeeds();
    assert_eq!(weights("chain/pretrain"), weights("first"));
    assert_eq!(weights("chain/finetune"), weights("second"));

    let before = tree(&folder().join("chain"));
    stage("run", "chain").exits_with(1).says(["--resume"]);
    stage("run", "chain")
        .arg("--resume")
        .succeeds()
        .says(["pretrain is finished", "finetune is finished"]);
    before.must_equal(&tree(&folder().join("chain")));
}

#[test]
fn a_chain_that_was_stopped_goes_on_where_it_was() {
    stage("run", "whole").succeeds();
    let running = stage("run", "stopped").runs_until_it_says("stage 2 of 2");
    running.interrupted().says(["continue with: ", "--resume"]);
    stage("run", "stopped").arg("--resume").succeeds();
    for name in ["pretrain", "finetune"] {
        let [whole, stopped] = ["whole", "stopped"].map(|run| weights(&format!("{run}/{name}")));
        assert_eq!(whole, stopped, "{name}");
    }
}

#[test]
fn a_dry_run_of_a_chain_describes_every_stage_and_writes_nothing() {
    let finished = stage("run", "dry").arg("--dry-run").succeeds();
    finished.says(["stage 1 of 2: pretrain", "stage 2 of 2: finetune", "nothing was written"]);
    assert!(!folder().join("dry").exists());
}
