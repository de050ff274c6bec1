//! `clipa-train` on a machine that fails: killed at every rename and every sync, and with a disk that cannot keep what
//! it was given. What it leaves is continued to the same numbers.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use clipa_tests::{Program, World, tree};
use std::path::Path;
use std::sync::LazyLock;

/// Three steps with a checkpoint after the second and one at the end, which replaces it.
const PRETRAIN: &str = "pretrain --recipe recipe.toml --data pairs --set stage.samples=96 --set stage.warmup_steps=1 \
                        --set stage.checkpoint_steps=2 --set stage.keep_checkpoints=1";
/// What counts a run's calls of a kind. It dies before each of them; what is there after one is what is there before the
/// next, but for files that are under way.
const KILLS: [&str; 2] = ["CLIPA_KILL_AT_RENAME", "CLIPA_KILL_AT_SYNC"];
/// Renames and syncs of the run's folder: each of its three files has one rename, one sync and one of the folder.
const FOLDER: (usize, usize) = (3, 6);
/// Renames and syncs of a checkpoint: model, moments, state and folder are renamed; synced are each of the three files
/// and the folder that it is in, this folder with all three, and the one above.
const CHECKPOINT: (usize, usize) = (4, 8);
/// Renames and syncs when the metrics are cut back to a checkpoint.
const METRICS: (usize, usize) = (1, 2);

/// A world with an undisturbed run, `whole`.
static WORLD: LazyLock<World> = LazyLock::new(|| {
    let world = World::new();
    pretrain(&world, "whole").succeeds();
    assert_eq!(world.numbers("whole").len(), 3);
    world
});

fn pretrain(world: &World, run: &str) -> Program {
    world.command(&format!("{PRETRAIN} --output {run}"))
}

/// Continues a run and expects the undisturbed one's numbers, weights and moments.
fn ends_the_same(world: &World, run: &str) {
    pretrain(world, run).arg("--resume").succeeds();
    assert_eq!(world.numbers(run), world.numbers("whole"), "{run}");
    // A run that dies between its last checkpoint and the removal of the one before keeps both.
    let last = |run: &str| tree(&world.path(run).join("checkpoints/step-00000003"));
    last("whole").must_equal(&last(run));
}

/// Kills a run, which `begin` makes in the folder of that name, at each of its calls of a kind; returns how many calls
/// it has.
fn killed_at_each(kind: &str, variable: &str, begin: impl Fn(&str)) -> usize {
    let world = &*WORLD;
    let mut calls = 0;
    loop {
        let number = calls + 1;
        let run = format!("{kind}-{variable}-{number}");
        begin(&run);
        let fault = format!("{number}:before");
        let finished = pretrain(world, &run).arg("--resume").with_fault(variable, &fault).run();
        let ended = !finished.was_killed();
        if ended {
            finished.has_code(0);
        }
        ends_the_same(world, &run);
        std::fs::remove_dir_all(world.path(&run)).unwrap();
        if ended {
            return calls;
        }
        calls = number;
    }
}

/// Does so with renames and syncs at once; `expected` is how many of each there are.
fn killed_everywhere(kind: &str, expected: (usize, usize), begin: impl Fn(&str) + Sync) {
    LazyLock::force(&WORLD);
    let counts = std::thread::scope(|scope| {
        let begin = &begin;
        let kill = |variable| scope.spawn(move || killed_at_each(kind, variable, begin));
        KILLS.map(kill).map(|thread| thread.join().expect("no kill failed its test"))
    });
    assert_eq!(counts, [expected.0, expected.1], "a file was written in another way");
}

#[test]
fn killed_before_every_rename_and_sync_a_run_ends_the_same() {
    let total = |calls: fn((usize, usize)) -> usize| calls(FOLDER) + 2 * calls(CHECKPOINT);
    killed_everywhere("new", (total(|calls| calls.0), total(|calls| calls.1)), |_| ());
}

#[test]
fn killed_again_before_every_rename_and_sync_a_continued_run_ends_the_same() {
    let world = &*WORLD;
    // All steps are logged, and there is no checkpoint but the first: the metrics have to be cut back.
    let last = FOLDER.0 + 2 * CHECKPOINT.0;
    let fault = format!("{last}:before");
    let killed = pretrain(world, "killed").with_fault("CLIPA_KILL_AT_RENAME", &fault).run();
    assert!(killed.was_killed(), "{}", killed.account());
    assert_eq!(world.numbers("killed").len(), 3);
    let begin = |run: &str| copy(&world.path("killed"), &world.path(run));
    let calls = (METRICS.0 + CHECKPOINT.0, METRICS.1 + CHECKPOINT.1);
    killed_everywhere("continued", calls, begin);
}

/// Copies a folder with all that is in it.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

#[test]
fn what_the_disk_does_not_keep_is_an_error_and_the_checkpoint_before_remains() {
    let world = &*WORLD;
    // The second checkpoint, part by part, then the folder that it stands in, which the first one meets.
    let second = ["/.model.safetensors.tmp", "/.optimizer.safetensors.tmp", "/.state.json.tmp", ""]
        .map(|file| (format!(".step-00000003.tmp{file}"), Some("step-00000002")));
    let folder = ["checkpoints", ".recipe.toml.tmp", ".run.json.tmp"];
    let folder = folder.map(|file| (file.to_owned(), None));
    for (number, (path, remains)) in second.into_iter().chain(folder).enumerate() {
        let run = format!("lost-{number}");
        pretrain(world, &run).with_fault("CLIPA_FAIL_SYNC", &path).exits_with(1).says([
            &format!("{run}/"),
            &path,
            "Input/output error",
        ]);
        if let Some(checkpoint) = remains {
            let checkpoints = world.path(&run).join("checkpoints");
            assert_eq!(std::fs::read_dir(&checkpoints).unwrap().count(), 1, "{path}");
            assert_eq!(tree(&checkpoints.join(checkpoint)).names().len(), 3, "{path}");
        }
        // The disk works again.
        ends_the_same(world, &run);
    }
}
