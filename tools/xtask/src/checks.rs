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

/// Cheapest first. Everything uses the release profile: the C++ of torch-sys compiles once.
/// The build comes before the tests because these start the built programs.
const CHECKS: [Check; 7] = [
    Check { name: "format", arguments: &["fmt", "--all", "--check"], environment: &[] },
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
    Check {
        name: "build",
        arguments: &["build", "--locked", "--release", "--workspace", "--all-targets"],
        environment: &[],
    },
    // The tagger bert:DIR, which the other checks leave out because it brings libtorch into clipa-prep. For the one
    // package: the rest of the workspace would be built a second time.
    Check {
        name: "clippy of the feature bert",
        arguments: &[
            "clippy",
            "--locked",
            "--release",
            "--package",
            "clipa-text",
            "--features",
            "bert",
            "--lib",
            "--tests",
            "--",
            "--deny=warnings",
        ],
        environment: &[],
    },
    Check {
        name: "tests of the feature bert",
        arguments: &[
            "test",
            "--locked",
            "--release",
            "--package",
            "clipa-text",
            "--features",
            "bert",
            "--lib",
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
