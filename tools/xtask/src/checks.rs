//! `cargo xtask test`: what CI runs, in CI's order.

use crate::workspace::Workspace;
use crate::{build_tools, child, printer};
use anyhow::{Context, Result};
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
    // package, which selects other features: 91 units are built beside the workspace's 381 (98 beside clippy's 390),
    // among them arrow, parquet and clipa-schemas again. With the feature on for the whole workspace clipa-prep would
    // be built twice instead, and without the programs as users have them nothing could be tested. A crate of its own
    // for this tagger would need 26 units (25 for clippy) and no second build; until then these two stand here.
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
        let so_far = printer::seconds(start.elapsed());
        printer::note("test", &format!("{} (after {so_far})", check.name));
        child::run(&mut cargo).with_context(|| format!("the check `{}` failed", check.name))?;
    }
    Ok(())
}
