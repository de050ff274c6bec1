//! A run's folder and its data: how it began, who writes it, what is compared before it is used.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use clipa_tests::{Finished, World, drawn, inspect, prep, temporary, train};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const PRETRAIN: &str = "pretrain --recipe recipe.toml --data pairs --output run";
const FINETUNE: &str = "finetune --recipe recipe.toml --data pairs --output second";
/// The same with so many steps that it never ends by itself.
const ENDLESS: &str =
    "pretrain --recipe recipe.toml --data pairs --output run --set stage.samples=100000000";

fn flip(file: &Path, place: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[place] ^= 1;
    fs::write(file, bytes).unwrap();
}

fn newest_checkpoint(run: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(run.join("checkpoints")).into_iter().flatten();
    let names = entries.map(|entry| entry.unwrap().path());
    names.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("step-")).max()
}

/// Twice Ctrl-C while it starts, in a step, and while a checkpoint is written: it ends at once, without the destructors
/// of C++ that other threads still need, and what is on the disk is continued.
#[test]
fn a_second_interrupt_ends_at_once_and_names_the_newest_checkpoint() {
    let world = World::new();
    let mut at_once = 0;
    for (number, moment) in
        ["begins with", "step 1/", "step 1/", "step 5/", "step 6/"].into_iter().enumerate()
    {
        let run = format!("run{number}");
        let words = ENDLESS.replace("--output run", &format!("--output {run}"));
        // Nearly all of its time it writes checkpoints, which take 8 syncs.
        let words = format!("{words} --set stage.checkpoint_steps=1");
        let program = world.command(&words).with_fault("CLIPA_SLOW_SYNC", "30");
        let moment =
            moment.replace("step 1/", "step         1/").replace("step 5/", "step         5/");
        let moment = moment.replace("step 6/", "step         6/");
        let ended: Finished = program.runs_until_it_says(&moment).interrupted_twice();
        let said = ended.has_code(130).stderr();
        if let Some(words) = said.lines().find_map(|line| line.strip_prefix("stopped at once; ")) {
            at_once += 1;
            let newest = newest_checkpoint(&world.path(&run));
            match newest {
                Some(newest) => {
                    let newest = newest.strip_prefix(world.path("")).unwrap().display().to_string();
                    assert_eq!(words, format!("the newest checkpoint is {newest}"));
                }
                None => assert_eq!(words, format!("{run} has no checkpoint")),
            }
        }
        world
            .command(&format!("{words} --resume"))
            .runs_until_it_says("step ")
            .interrupted()
            .has_code(130);
    }
    assert!(at_once >= 3, "only {at_once} of the runs ended at once");
}

#[test]
fn one_flipped_bit_of_a_shard_ends_a_run_and_a_continued_one() {
    let world = World::new();
    let shard = world.path("pairs/shards/00001.parquet");
    let middle = fs::metadata(&shard).unwrap().len() as usize / 2;
    world.command(PRETRAIN).runs_until_it_says("step  9/20").killed();
    flip(&shard, middle);
    let damaged = [
        "pairs/shards/00001.parquet: checksum differs",
        "clipa-inspect verify pairs",
        "--trust-data",
    ];
    world.fails(&format!("{PRETRAIN} --resume")).says(damaged);
    world.fails(&PRETRAIN.replace("--output run", "--output new")).says(damaged);
    assert_eq!(newest_checkpoint(&world.path("new")), None);
    world.succeeds(&PRETRAIN.replace("--output run", "--output trusting --trust-data"));
    flip(&shard, middle);
    world.succeeds(&format!("{PRETRAIN} --resume"));
    // An evaluation looks as well.
    let shard = world.path("classes/shards/00000.parquet");
    flip(&shard, fs::metadata(&shard).unwrap().len() as usize / 2);
    world.fails("eval --run run --data classes").says(["classes/shards/00000.parquet: checksum"]);
}

#[test]
fn one_flipped_bit_of_a_checkpoint_ends_what_reads_it() {
    let world = World::new();
    world.command(PRETRAIN).runs_until_it_says("step  9/20").killed();
    let folder = newest_checkpoint(&world.path("run")).unwrap();
    for (name, place) in
        [("model.safetensors", 99_999), ("optimizer.safetensors", 123_456), ("state.json", 60)]
    {
        flip(&folder.join(name), place);
        world
            .fails(&format!("{PRETRAIN} --resume"))
            .says([name, "hint: restore it from a copy, or remove run/checkpoints/step-0000000"]);
        if name != "optimizer.safetensors" {
            world.fails("eval --run run --data classes").says([name]);
            world.fails(&format!("{FINETUNE} --from run --allow-unfinished")).says([name]);
        }
        flip(&folder.join(name), place);
    }
    world.succeeds(&format!("{PRETRAIN} --resume"));
}

#[test]
fn two_runs_never_write_one_folder() {
    let world = World::new();
    let running = world.command(ENDLESS).runs_until_it_says("step ");
    world.fails(&format!("{ENDLESS} --resume")).says([
        "another process writes to run",
        "hint: wait until it has ended, or choose another --output",
    ]);
    running.interrupted().has_code(130);
    world.command(&format!("{ENDLESS} --resume")).runs_until_it_says("step ").killed();
    // ENOLCK, ENOSYS, ENOTSUP: NFS without its daemon, and file systems without locks.
    for (number, errno) in ["37", "38", "95"].into_iter().enumerate() {
        let words = PRETRAIN.replace("--output run", &format!("--output unlocked{number}"));
        world
            .command(&words)
            .with_fault("CLIPA_FAIL_FLOCK", errno)
            .succeeds()
            .says(["cannot be locked", "no other process writes there"]);
    }
    let words = PRETRAIN.replace("--output run", "--output broken");
    world.command(&words).with_fault("CLIPA_FAIL_FLOCK", "5").exits_with(1).says([".lock"]);
}

#[test]
fn a_run_knows_how_it_began_and_needs_it_no_more() {
    let world = World::new();
    let said = world.succeeds(&format!("{PRETRAIN} --resume"));
    said.says(["run holds no checkpoint to continue: the run begins", "begins with seed 0"]);
    world
        .fails(&format!("{FINETUNE} --resume"))
        .says(["second holds no run to continue", "--from"]);
    world.command(FINETUNE).exits_with(2);
    world.command(&format!("{FINETUNE} --from run")).runs_until_it_says("step  2/10").killed();
    let record: Value =
        serde_json::from_slice(&fs::read(world.path("second/run.json")).unwrap()).unwrap();
    let weights = world.path("run/checkpoints/step-00000020/model.safetensors");
    let digest = clipa_schemas::file::FileDigest::of(&weights).unwrap().blake3;
    assert_eq!(record["identity"]["weights_blake3"].as_str(), Some(&*digest));
    let beginning = &record["beginning"];
    assert_eq!(beginning["program"], concat!("clipa-train ", env!("CARGO_PKG_VERSION")));
    assert_eq!(beginning["data"], "pairs");
    assert_eq!(beginning["weights"], "run/checkpoints/step-00000020/model.safetensors");
    let command = beginning["command"].as_array().unwrap();
    assert!(command.iter().any(|word| word == "--from"), "{command:?}");
    // Killed before its first checkpoint or after it, the run goes on without being told again.
    world.succeeds(&format!("{FINETUNE} --resume"));
    world.succeeds(&FINETUNE.replace("--output second", "--output whole --from run"));
    assert_eq!(world.numbers("second"), world.numbers("whole"));
    // Other weights are another run.
    let other = PRETRAIN.replace("--output run", "--output other --seed 5");
    world.succeeds(&other);
    world.fails(&format!("{FINETUNE} --resume --from other")).says([
        "--from: run/checkpoints/step-00000020/model.safetensors (",
        "other/checkpoints/step-00000020/model.safetensors (",
    ]);
}

#[test]
fn how_often_is_logged_and_kept_may_change_when_a_run_is_continued() {
    let world = World::new();
    world.command(PRETRAIN).runs_until_it_says("step  9/20").killed();
    let changed = "--resume --set stage.checkpoint_steps=3 --set stage.keep_checkpoints=1 \
                   --set stage.keep_every_samples=320 --set stage.keep_best=loss \
                   --set stage.finetune.weight_decay=0.5";
    // The one of step 8 may still be on its way to the disk when the run is killed.
    world.succeeds(&format!("{PRETRAIN} {changed}")).says([
        "continues run/checkpoints/step-0000000",
        "`keep_every_samples = 320` now",
        "`checkpoint_steps = 3` now",
        "`keep_checkpoints = 1` now",
    ]);
    assert!(
        fs::read_to_string(world.path("run/recipe.toml")).unwrap().contains("checkpoint_steps = 3")
    );
    world.succeeds(&PRETRAIN.replace("--output run", "--output whole"));
    assert_eq!(world.numbers("run"), world.numbers("whole"));
    world
        .fails(&format!("{PRETRAIN} --resume --set stage.weight_decay=0.5"))
        .says(["`weight_decay = 0.5` now"]);
}

#[test]
fn images_that_are_too_small_for_a_stage_are_refused_and_counted() {
    let world = World::new();
    // The squares of 24 px are all that there is.
    let larger = format!("{PRETRAIN} --set stage.image_size=32");
    let refused = ["image_24 is too small for 32 px: 100 % of its images", "--allow-enlarging"];
    world.fails(&larger).says(refused);
    world.fails(&format!("{larger} --dry-run")).says(refused);
    assert!(!world.path("run").exists());
    world
        .succeeds(&format!("{larger} --allow-enlarging"))
        .says(["images      100 % are smaller than 32 px (short side), and enlarged"]);
    // A small crop of a whole picture may be enlarged, and is said.
    world
        .succeeds(&format!("{PRETRAIN} --dry-run"))
        .says(["image_24 for 16 px", "100 % are smaller than 26 px: of these, small crops"]);

    // Drawn images of 64 px in a column of 355: row by row they are too small.
    let folder = temporary();
    let set = folder.path().join("set");
    prep(["laion", "ingest", "--image", "355:jpeg"])
        .arg(drawn().join("train"))
        .arg("--output")
        .arg(&set)
        .succeeds()
        .says(["image_355: 100 % of the images are smaller than 355 px, half of all have at most 64 px"]);
    let summary = inspect(["summary"]).arg(&set).succeeds().stdout();
    let said =
        "100 % below 355 px; half of all have at most 64 px, the smallest 64 px (short side)";
    assert!(summary.contains(said), "{summary}");
    let sizes =
        inspect(["summary", "--json"]).arg(&set).succeeds().json()["image_sizes"][0].clone();
    assert_eq!((sizes["smaller"].as_u64(), sizes["least"].as_u64()), (Some(96), Some(64)));
    let pretrain = |size: &str| {
        train(["pretrain", "--recipe", "tiny-i17-t8", "--dry-run", "--set", size])
            .arg("--data")
            .arg(&set)
            .arg("--output")
            .arg(folder.path().join("run"))
    };
    pretrain("stage.image_size=128").exits_with(1).says([
        "image_355 is too small for 128 px: 100 % of its images have a short side below 128 px",
    ]);
    pretrain("stage.image_size=64").succeeds().says(["image_355 for 64 px"]);
}

/// Everything below a folder, with its permissions.
fn permissions(folder: &Path, found: &mut Vec<(PathBuf, u32)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        found.push((path.clone(), fs::metadata(&path).unwrap().permissions().mode() & 0o777));
        if path.is_dir() {
            permissions(&path, found);
        }
    }
}

#[test]
fn what_the_programs_write_has_the_permissions_that_the_umask_leaves() {
    for (mask, left_out) in [("027", 0o027), ("002", 0o002)] {
        let world = World::new();
        let output = world.path("outputs");
        fs::create_dir(&output).unwrap();
        let place = |name: &str| output.join(name);
        prep(["laion", "ingest", "--image", "40:rgb8"])
            .arg(drawn().join("train"))
            .arg("--output")
            .arg(place("set"))
            .with_umask(mask)
            .succeeds();
        inspect(["grid"])
            .arg(place("set"))
            .arg("--output")
            .arg(place("grid.png"))
            .with_umask(mask)
            .succeeds();
        let words = PRETRAIN.replace("--output run", "--output outputs/run");
        world.command(&words).with_umask(mask).succeeds();
        let mut found = Vec::new();
        permissions(&output, &mut found);
        let has = |name: &str| found.iter().any(|(path, _)| path.ends_with(name));
        let expected = [
            "dataset.json",
            "shards/00000.parquet",
            "grid.png",
            "model.safetensors",
            "optimizer.safetensors",
            "state.json",
            "run.json",
            "metrics.jsonl",
        ];
        expected.into_iter().for_each(|name| assert!(has(name), "{name}: {found:?}"));
        for (path, mode) in found {
            let all = if path.is_dir() { 0o777 } else { 0o666 };
            assert_eq!(mode, all & !left_out, "{mask}: {} has {mode:o}", path.display());
        }
    }
}
