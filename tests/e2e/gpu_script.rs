//! `tests/gpu/run`, the script for a machine with a GPU: its steps at a tiny size on the CPU, and what it says without a GPU.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use clipa_tests::{skipped, train};
use std::process::{Command, Output};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/gpu/run");

fn has(program: &str, argument: &str) -> bool {
    Command::new(program).arg(argument).output().is_ok_and(|output| output.status.success())
}

/// The script's output; `None` where this machine has no Python for it.
fn script(arguments: &[&str]) -> Option<Output> {
    if !has("python3", "--version") || !has("bash", "--version") {
        skipped("tests/gpu/run needs bash and python3");
        return None;
    }
    let programs = std::env::current_exe().unwrap();
    let programs = programs.ancestors().nth(2).unwrap();
    let mut command = Command::new("bash");
    command.arg(SCRIPT).arg("--programs").arg(programs).args(arguments);
    Some(command.output().unwrap())
}

#[test]
fn the_gpu_script_runs_on_the_cpu_at_a_tiny_size() {
    train(["--version"]).succeeds();
    let Some(output) = script(&["--device", "cpu", "--minutes", "4"]) else { return };
    let (table, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{table}\n{errors}");
    for row in
        ["features, micro-", "gradients, micro-", "20 losses", "fixed tensors", "from a data set"]
    {
        let line = table.lines().find(|line| line.contains(row));
        let line = line.unwrap_or_else(|| panic!("no row {row}\n{table}"));
        assert!(line.starts_with("tiny-i17-t8") && !line.contains("WRONG"), "{table}");
    }
    assert!(table.ends_with("all that was measured is right\n"), "{table}");
}

#[test]
fn without_a_gpu_the_script_says_so_and_is_skipped() {
    if has("nvidia-smi", "-L") {
        return skipped("there is a GPU here");
    }
    let Some(output) = script(&[]) else { return };
    assert_eq!(output.status.code(), Some(77));
    assert!(String::from_utf8_lossy(&output.stdout).contains("no GPU here"));
}
