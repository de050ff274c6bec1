//! `clipa-train`: a killed run goes on as if nothing had happened; a wrong one is refused.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use clipa_tests::{DRAWN_CLASS_IMAGES, Program, drawn, lasting, number, prep, train, tree};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

const RECIPE: &str = "tiny-i17-t8";
/// Steps of a short stage: two epochs of the drawn set.
const STEPS: usize = 12;
/// A short stage, every step logged, a checkpoint in the middle of each epoch.
const SHORT: [&str; 10] = [
    "--set",
    "stage.batch=16",
    "--set",
    "stage.samples=192",
    "--set",
    "stage.warmup_steps=2",
    "--set",
    "stage.log_steps=1",
    "--set",
    "stage.checkpoint_steps=4",
];

/// The drawn pairs and classes, ingested for the recipe.
struct Data {
    folder: PathBuf,
}

impl Data {
    /// The data of this test program, with a finished pre-training in `finished`.
    fn shared() -> &'static Self {
        static SHARED: OnceLock<Data> = OnceLock::new();
        SHARED.get_or_init(|| {
            let data = Self::new();
            data.pretrain("finished").succeeds();
            data
        })
    }

    fn new() -> Self {
        let folder = lasting("data");
        for (verb, input, output) in
            [("laion", "train", "pairs"), ("classes", "classes", "classes")]
        {
            prep([verb, "ingest", "--for", RECIPE])
                .arg(drawn().join(input))
                .arg("--output")
                .arg(folder.join(output))
                .succeeds();
        }
        Self { folder }
    }

    fn place(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn pretrain(&self, run: &str) -> Program {
        train(["pretrain", "--recipe", RECIPE])
            .args(SHORT)
            .arg("--data")
            .arg(self.place("pairs"))
            .arg("--output")
            .arg(self.place(run))
    }

    fn losses(&self, run: &str) -> Vec<(u64, f64)> {
        losses(&self.place(run))
    }
}

/// Step and loss of every line of a run's metrics, in the file's order.
fn losses(run: &Path) -> Vec<(u64, f64)> {
    let Ok(text) = std::fs::read_to_string(run.join("metrics.jsonl")) else { return Vec::new() };
    // The last line may be half written when the run was killed.
    text.split_inclusive('\n')
        .filter(|line| line.ends_with('\n'))
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .filter_map(|line: Value| Some((line["step"].as_u64()?, line["loss"].as_f64()?)))
        .collect()
}

#[test]
fn a_killed_run_continues_with_the_same_losses_number_for_number() {
    let data = Data::shared();
    let undisturbed = data.losses("finished");
    assert_eq!(undisturbed.len(), STEPS);
    for killed_at in [3, 8] {
        let run = format!("killed-{killed_at}");
        data.pretrain(&run).killed_when(|| data.losses(&run).len() >= killed_at);
        data.pretrain(&run).arg("--resume").succeeds();
        let continued = data.losses(&run);
        assert_eq!(continued, undisturbed, "killed at step {killed_at}");
    }
}

#[test]
fn a_run_that_is_there_is_never_overwritten() {
    let data = Data::shared();
    let before = tree(&data.place("finished"));
    data.pretrain("finished").exits_with(1).says(["finished", "--resume"]);
    before.must_equal(&tree(&data.place("finished")));
}

#[test]
fn a_checkpoint_of_another_model_is_refused() {
    let data = Data::shared();
    let before = tree(&data.place("finished"));
    train(["finetune", "--recipe", RECIPE, "--set", "model.vision.width=48"])
        .arg("--from")
        .arg(data.place("finished"))
        .arg("--data")
        .arg(data.place("pairs"))
        .arg("--output")
        .arg(data.place("other"))
        .exits_with(1)
        .says(["another model", "visual.class_embedding"]);
    assert!(!data.place("other").exists(), "a refused run left its folder");
    before.must_equal(&tree(&data.place("finished")));
}

#[test]
fn an_unknown_recipe_key_and_an_unknown_recipe_are_named() {
    let data = Data::shared();
    data.pretrain("run")
        .args(["--set", "stage.learning_rat=1"])
        .exits_with(1)
        .says(["learning_rat"]);
    let recipe = data.place("mine.toml");
    std::fs::write(&recipe, "[[stage]]\nwarmpu = 3\n").unwrap();
    for (name, named) in
        [("no-such-recipe", "no-such-recipe"), (&*recipe.to_string_lossy(), "warmpu")]
    {
        train(["pretrain", "--recipe", name])
            .arg("--data")
            .arg(data.place("pairs"))
            .arg("--output")
            .arg(data.place("run"))
            .exits_with(1)
            .says([named]);
    }
    assert!(!data.place("run").exists(), "a run was begun");
}

#[test]
fn a_stage_on_another_and_evaluation_of_both() {
    let data = Data::shared();
    train(["finetune", "--recipe", RECIPE])
        .args(SHORT)
        .arg("--from")
        .arg(data.place("finished"))
        .arg("--data")
        .arg(data.place("pairs"))
        .arg("--output")
        .arg(data.place("second"))
        .succeeds();
    for run in ["finished", "second"] {
        let report = train(["eval", "--json"])
            .arg("--run")
            .arg(data.place(run))
            .arg("--data")
            .arg(data.place("classes"))
            .succeeds()
            .json();
        let [top1, top5] = ["top1", "top5"].map(|field| report[field].as_f64().unwrap());
        assert!(0.0 <= top1 && top1 <= top5 && top5 <= 1.0, "{report}");
        assert_eq!(number(&report, "samples"), DRAWN_CLASS_IMAGES, "{report}");
        assert!(!report["held_out"].is_null(), "{report}");
    }
}
