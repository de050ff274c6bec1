//! `clipa-prep laion ingest` on a machine that fails: killed at random moments and at every rename, and with a disk that
//! cannot be read, or cannot keep what it was given. What it leaves is continued to the same bytes.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use clipa_schemas::random::Random;
use clipa_tests::{Member, Program, Tree, counts, draw, lasting, prep, temporary, tree, write_tar};
use std::{
    path::{Path, PathBuf},
    sync::LazyLock,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Kills at random moments, over all runs.
const KILLS: usize = 100;
/// Kills of a run before it is left to end.
const KILLS_A_RUN: usize = 4;

/// With so many threads that two tars are in work at once.
fn ingest(input: &Path, output: &Path) -> Program {
    prep(["laion", "ingest", "--image", "40:rgb8", "--image", "32:rgb8-square", "--threads", "6"])
        .arg(input)
        .arg("--output")
        .arg(output)
}

/// Tars with rejects in them, what an undisturbed run makes of them, and how long that takes.
static INPUT: LazyLock<(PathBuf, Tree, Duration)> = LazyLock::new(|| {
    let folder = lasting("input");
    draw(&folder, 240, 4);
    let tars = folder.join("train");
    let broken = Member::new("x.jpg", *b"no image");
    write_tar(&tars.join("99999.tar"), Member::sample("x", broken, "a broken image"));
    let output = folder.join("undisturbed");
    let start = Instant::now();
    ingest(&tars, &output).succeeds();
    let time = start.elapsed();
    (tars, tree(&output), time)
});

#[test]
fn killed_at_a_hundred_random_moments_it_ends_the_same() {
    let (tars, undisturbed, time) = &*INPUT;
    let seed = std::env::var("CLIPA_SEED").ok().and_then(|text| text.parse().ok());
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let seed = seed.unwrap_or_else(now);
    println!("CLIPA_SEED={seed} repeats these moments");
    let mut random = Random::new(seed);
    let (mut kills, mut survived) = (0, 0);
    while kills < KILLS {
        let folder = temporary();
        let output = folder.path().join("killed");
        for _ in 0..KILLS_A_RUN {
            let moment = time.mul_f64(random.below(1000) as f64 / 1000.0);
            let killed = ingest(tars, &output).killed_after(moment);
            if killed { kills += 1 } else { survived += 1 }
        }
        ingest(tars, &output).succeeds();
        undisturbed.must_equal(&tree(&output));
        assert!(survived < 20 * KILLS, "nearly every run ends before its kill");
    }
    println!("{kills} runs were killed, {survived} had ended before");
}

#[test]
fn killed_before_and_after_every_rename_it_ends_the_same() {
    let (tars, undisturbed, _) = &*INPUT;
    let folder = temporary();
    let mut renames = 0;
    for number in 1.. {
        let mut ended = false;
        for moment in ["before", "after"] {
            let output = folder.path().join(format!("{number}-{moment}"));
            let fault = format!("{number}:{moment}");
            let run = ingest(tars, &output).with_fault("CLIPA_KILL_AT_RENAME", &fault).run();
            ended |= !run.was_killed();
            ingest(tars, &output).succeeds();
            undisturbed.must_equal(&tree(&output));
            std::fs::remove_dir_all(&output).unwrap();
        }
        if ended {
            break;
        }
        renames = number;
    }
    // Every file once, the manifest three times: when it begins, with the vocabulary, at the end.
    let files = undisturbed.names().iter().filter(|name| **name != ".lock").count();
    assert_eq!(renames, files + 2, "a file was written without a rename");
}

#[test]
fn a_read_error_fails_its_tar_and_no_other() {
    let (tars, undisturbed, _) = &*INPUT;
    let folder = temporary();
    let output = folder.path().join("failed");
    let name = second_tar(tars);
    let middle = std::fs::metadata(tars.join(&name)).unwrap().len() / 2;
    let fault = format!("{name}:{middle}");
    let run = ingest(tars, &output)
        .arg("--json")
        .with_fault("CLIPA_FAIL_READ", &fault)
        .exits_with(1)
        .says([&name, "Input/output error"]);
    let report = run.json();
    assert!(counts(&report).found > 0, "the other tars were ingested");
    let failed = output.join("shards/00001.json");
    assert!(!failed.exists(), "the failed tar has no entry");
    for other in ["00000", "00002", "00003"] {
        assert!(output.join(format!("shards/{other}.json")).exists(), "{other} was not ingested");
    }
    // The disk works again.
    ingest(tars, &output).succeeds();
    undisturbed.must_equal(&tree(&output));
}

#[test]
fn what_the_disk_does_not_keep_is_an_error_and_no_unit_is_done_by_it() {
    let (tars, undisturbed, _) = &*INPUT;
    let folder = temporary();
    // A shard, rejects, an entry, the folder of the shards, the manifest.
    let paths = [
        ("shards/.00001.parquet.tmp", "shards/00001.json"),
        ("rejects/.00004.parquet.tmp", "shards/00004.json"),
        ("shards/.00001.json.tmp", "shards/00001.json"),
        ("shards", "shards/00000.json"),
        (".dataset.json.tmp", "shards/00000.json"),
    ];
    for (number, (path, entry)) in paths.into_iter().enumerate() {
        let output = folder.path().join(number.to_string());
        ingest(tars, &output)
            .with_fault("CLIPA_FAIL_SYNC", path)
            .exits_with(1)
            .says([path, "Input/output error"]);
        assert!(!output.join(entry).exists(), "{path}");
        // The disk works again.
        ingest(tars, &output).succeeds();
        undisturbed.must_equal(&tree(&output));
    }
}

/// The second tar of the input.
fn second_tar(tars: &Path) -> String {
    let mut names: Vec<String> = std::fs::read_dir(tars)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".tar"))
        .collect();
    names.sort();
    names[1].clone()
}
