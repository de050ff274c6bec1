//! Real data, where it is there: the image-text pairs, CIFAR-10, and every odd or broken image.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use clipa_schemas::prompts;
use clipa_tests::{Counts, Member, counts, inspect, prep, shared, temporary, write_tar};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// Pairs in the six tars, by img2dataset's own statistics.
const PAIRS: u64 = 689;

fn ingested(inputs: &[&Path], output: &Path) -> Value {
    prep(["laion", "ingest", "--image", "112:rgb8", "--json"])
        .args(inputs)
        .arg("--output")
        .arg(output)
        .succeeds()
        .json()
}

#[test]
fn every_pair_of_img2dataset_is_found() {
    let Some(pairs) = shared("data/pairs") else { return };
    let folder = temporary();
    let output = folder.path().join("pairs");
    let report = ingested(&[&pairs], &output);
    let Counts { found, accepted, .. } = counts(&report);
    assert_eq!(found, PAIRS);
    assert!(accepted >= PAIRS * 9 / 10, "{report}");
    // The tables beside the tars list them, with 40 that could not be downloaded.
    let failed = report["not_downloaded"].as_object().unwrap().values().filter_map(Value::as_u64);
    assert_eq!(failed.sum::<u64>(), 40);
    assert!(report["repaired"]["table_ignored"].is_null(), "{report}");
    inspect(["verify"]).arg(&output).succeeds();
}

/// Every file of `robust/` in one tar, each with a caption; the manifest names Pillow's verdict.
#[test]
fn every_odd_image_is_kept_or_rejected_and_what_pillow_reads_is_kept() {
    let Some(robust) = shared("data/robust") else { return };
    let manifest = std::fs::read_to_string(robust.join("manifest.jsonl")).unwrap();
    let entries: Vec<Value> =
        manifest.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let folder = temporary();
    let tar = folder.path().join("00000.tar");
    let samples = entries.iter().enumerate().flat_map(|(index, entry)| {
        let file = entry["file"].as_str().unwrap();
        let name = file.rsplit('/').next().unwrap();
        let image = Member::new(name, std::fs::read(robust.join(file)).unwrap());
        Member::sample(&format!("{index:06}"), image, "an odd picture")
    });
    write_tar(&tar, samples);
    let output = folder.path().join("pairs");
    let report = ingested(&[&tar], &output);
    assert_eq!(counts(&report).found, entries.len() as u64);
    let rejects =
        inspect(["rejects", "--examples", "1000", "--json"]).arg(&output).succeeds().json();
    let reasons = rejects.as_object().unwrap().values();
    let examples = reasons.flat_map(|reason| reason["examples"].as_array().unwrap());
    let rejected: BTreeSet<usize> =
        examples.map(|example| example["key"].as_str().unwrap().parse().unwrap()).collect();
    assert_eq!(rejected.len() as u64, counts(&report).rejected);
    let lost = rejected.iter().map(|index| &entries[*index]).find(|entry| entry["pillow"] == "ok");
    assert_eq!(lost, None, "Pillow reads it");
    inspect(["verify"]).arg(&output).succeeds();
}

#[test]
fn a_zero_shot_set_of_webdataset_tars_is_read() {
    let Some(cifar) = shared("data/zeroshot_dev/cifar10_dev") else { return };
    let folder = temporary();
    let output = folder.path().join("classes");
    let report = prep(["classes", "ingest", "--image", "32:rgb8-square", "--json"])
        .arg(&cifar)
        .arg("--output")
        .arg(&output)
        .succeeds()
        .json();
    assert_eq!(counts(&report).accepted, 500);
    let prompts = prompts::read(&output, "clip_bpe").unwrap();
    let names: BTreeSet<String> = std::fs::read_to_string(cifar.join("classnames.txt"))
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    assert_eq!(names.len(), 10);
    assert_eq!(prompts.class_name.into_iter().collect::<BTreeSet<_>>(), names);
}
