//! `clipa-prep laion ingest` and `classes ingest`: complete, repeatable, and the same after a kill.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use clipa_prep::ingest::pipeline::CHUNK_SAMPLES;
use clipa_schemas::file::{read_json, write_json};
use clipa_schemas::ledger::UnitEntry;
use clipa_schemas::prompts;
use clipa_tests::{
    DRAWN_SAMPLES, Tree, counts, draw, drawn, drawn_tars, ingest_every_encoding as ingest, inspect,
    number, prep, temporary, tree,
};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::SystemTime;

#[test]
fn every_sample_found_is_accepted_or_rejected_and_can_be_read_back() {
    let folder = temporary();
    let output = folder.path().join("pairs");
    let report = ingest(&drawn().join("train"), &output).arg("--json").succeeds().json();
    let counted = counts(&report);
    assert_eq!(counted.found, DRAWN_SAMPLES as u64);
    let summary = inspect(["summary", "--json"]).arg(&output).succeeds().json();
    assert_eq!(number(&summary, "rows"), counted.accepted);
    inspect(["verify"]).arg(&output).succeeds();
}

/// Whatever loses a sample, or counts one twice, must not end in silence: here an entry that says so stands for it.
#[test]
fn counts_that_do_not_add_up_are_a_problem() {
    let folder = temporary();
    let output = folder.path().join("pairs");
    ingest(&drawn().join("train"), &output).succeeds();
    let path = output.join("shards/00001.json");
    let entry: UnitEntry = read_json(&path).unwrap();
    for found in [entry.ledger.found + 1, entry.ledger.found - 1, 0] {
        let mut changed = entry.clone();
        changed.ledger.found = found;
        write_json(&path, &changed).unwrap();
        let report = ingest(&drawn().join("train"), &output).arg("--json").exits_with(1).json();
        assert_eq!(report["balanced"], false, "{report}");
        let problems = report["problems"].as_array().unwrap();
        let named = |problem: &Value| problem.as_str().unwrap().contains("00001.tar: found is not");
        assert!(problems.len() == 1 && problems.iter().all(named), "{report}");
    }
}

#[test]
fn a_second_run_does_nothing() {
    let folder = temporary();
    let output = folder.path().join("pairs");
    // The lock is taken again; it has no content.
    let times = |output: &Path| -> Vec<SystemTime> {
        tree(output)
            .without(|name| name == ".lock")
            .names()
            .iter()
            .map(|name| output.join(name).metadata().unwrap().modified().unwrap())
            .collect()
    };
    ingest(&drawn().join("train"), &output).succeeds();
    let (content, written) = (tree(&output), times(&output));
    ingest(&drawn().join("train"), &output).succeeds();
    content.must_equal(&tree(&output));
    assert_eq!(times(&output), written, "a file was written again");
}

#[test]
fn the_number_of_threads_changes_no_byte() {
    // Tars of several chunks, so that threads can bring the parts of a tar in another order.
    let folder = temporary();
    let input = folder.path().join("input");
    draw(&input, 12 * CHUNK_SAMPLES, 3);
    let ingested = |threads: &str| -> Tree {
        let output = folder.path().join(threads);
        ingest(&input.join("train"), &output).args(["--threads", threads]).succeeds();
        tree(&output)
    };
    let one = ingested("1");
    for threads in ["2", "9"] {
        one.must_equal(&ingested(threads));
    }
}

#[test]
fn the_order_and_the_spelling_of_inputs_change_no_byte() {
    let folder = temporary();
    let one = folder.path().join("by-folder");
    ingest(&drawn().join("train"), &one).succeeds();
    let two = folder.path().join("by-name");
    let [first, rest @ ..] = &drawn_tars()[..] else { panic!("no tars") };
    ingest(first, &two).args(rest).succeeds();
    tree(&one).must_equal(&tree(&two));
}

/// Kills a run when `reached` holds for its output, then lets another finish it.
fn killed_and_continued(reached: impl Fn(&Path) -> bool) {
    let folder = temporary();
    let input = folder.path().join("drawn");
    draw(&input, 640, 8);
    let train = input.join("train");
    let undisturbed = folder.path().join("undisturbed");
    ingest(&train, &undisturbed).succeeds();

    let output = folder.path().join("killed");
    ingest(&train, &output).killed_when(|| reached(&output));
    let killed = tree(&output);
    ingest(&train, &output).succeeds();
    let continued = tree(&output);
    continued.must_equal(&tree(&undisturbed));
    // What was committed before the kill is still what it was.
    let committed = killed.names().into_iter().filter(|name| name.starts_with("shards/0"));
    for name in committed.filter(|name| name.ends_with(".json")) {
        assert!(continued.names().contains(&name), "{name} is lost");
    }
}

#[test]
fn killed_within_the_first_shard_it_ends_the_same() {
    killed_and_continued(|output| {
        std::fs::read_dir(output.join("shards")).is_ok_and(|mut files| files.next().is_some())
    });
}

#[test]
fn killed_after_a_committed_shard_it_ends_the_same() {
    killed_and_continued(|output| output.join("shards/00001.json").exists());
}

#[test]
fn another_configuration_is_refused_with_the_difference_named() {
    let folder = temporary();
    let output = folder.path().join("pairs");
    let train = drawn().join("train");
    prep(["laion", "ingest", "--image", "40:rgb8"])
        .arg(&train)
        .arg("--output")
        .arg(&output)
        .succeeds();
    let before = tree(&output);
    prep(["laion", "ingest", "--image", "48:rgb8"])
        .arg(&train)
        .arg("--output")
        .arg(&output)
        .exits_with(1)
        .says(["40", "48", &output.to_string_lossy()]);
    before.must_equal(&tree(&output));
}

#[test]
fn a_dry_run_writes_nothing() {
    let folder = temporary();
    let output = folder.path().join("pairs");
    ingest(&drawn().join("train"), &output).arg("--dry-run").succeeds();
    assert!(!output.exists());
}

#[test]
fn a_zero_shot_set_keeps_its_classes() {
    let folder = temporary();
    let output = folder.path().join("classes");
    let classes = drawn().join("classes");
    prep(["classes", "ingest", "--image", "40:rgb8"])
        .arg(&classes)
        .arg("--output")
        .arg(&output)
        .succeeds();
    let lines = |file: &str| -> BTreeSet<String> {
        let text = std::fs::read_to_string(classes.join(file)).unwrap();
        text.lines().map(str::to_owned).collect()
    };
    let prompts = prompts::read(&output, "clip_bpe").unwrap();
    let (names, held_out) = (lines("classnames.txt"), lines("held_out.txt"));
    assert_eq!(prompts.class_name.iter().cloned().collect::<BTreeSet<_>>(), names);
    assert_eq!(prompts.classes(), names.len());
    let templates = lines("zeroshot_classification_templates.txt").len();
    assert_eq!(prompts.len(), names.len() * templates);
    let marked = prompts.class_name.iter().zip(&prompts.held_out);
    let marked: BTreeSet<String> =
        marked.filter(|(_, mark)| **mark == Some(true)).map(|(name, _)| name.clone()).collect();
    assert_eq!(marked, held_out);
    assert!(!held_out.is_empty() && held_out.len() < names.len());
    inspect(["verify"]).arg(&output).succeeds();
}
