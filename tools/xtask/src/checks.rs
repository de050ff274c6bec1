//! `cargo xtask test`: what CI runs, in CI's order.

use crate::workspace::Workspace;
use crate::{build_tools, child, talk};
use anyhow::{Context, Result};
use clipa_talk::figures;
use std::time::Instant;

struct Check {
    name: &'static str,
    arguments: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
}

/// Everything uses the release profile: the C++ of torch-sys compiles once, in a minute or two of one core. The build comes
/// early so that the other cores have something to do meanwhile, and because the tests start the built programs.
/// Every crate is built once: the whole workspace each time, with one set of features (the tagger bert:DIR is a crate of its
/// own, which clipa-prep leaves out by default).
const CHECKS: [Check; 6] = [
    Check { name: "format", arguments: &["fmt", "--all", "--check"], environment: &[] },
    Check {
        name: "build",
        arguments: &["build", "--locked", "--release", "--workspace", "--all-targets"],
        environment: &[],
    },
    Check {
        name: "clippy",
        arguments: &[
            "clippy",
            "--locked",
            "--release",
            "--workspace",
            "--all-targets",
            "--",
            "--deny=warnings",
        ],
        environment: &[],
    },
    Check {
        name: "documentation",
        arguments: &["doc", "--locked", "--release", "--workspace", "--no-deps"],
        environment: &[("RUSTDOCFLAGS", "--deny=warnings")],
    },
    // The one line in clipa-prep that brings bert:DIR in.
    Check {
        name: "clipa-prep with the tagger bert:DIR",
        arguments: &[
            "check",
            "--locked",
            "--release",
            "--workspace",
            "--features",
            "clipa-prep/bert",
            "--bin",
            "clipa-prep",
        ],
        environment: &[],
    },
    // Last, and nothing is printed after it: its closing lines are what a reader and CI look for.
    Check {
        name: "tests",
        arguments: &["test", "--locked", "--release", "--workspace"],
        environment: &[],
    },
];

/// Runs the checks in order and stops at the first that fails.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let start = Instant::now();
    let path = build_tools::prepare(workspace)?;
    for check in &CHECKS {
        let mut cargo = workspace.cargo(&path);
        cargo.args(check.arguments).envs(check.environment.iter().copied());
        let so_far = figures::time(start.elapsed());
        talk::note("test", &format!("{} (after {so_far})", check.name));
        child::run(&mut cargo).with_context(|| format!("the check `{}` failed", check.name))?;
    }
    Ok(())
}
