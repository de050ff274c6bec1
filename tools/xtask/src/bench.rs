//! `cargo xtask bench NAME`: one benchmark of the workspace.

use crate::workspace::Workspace;
use crate::{build_tools, child};
use anyhow::{Context, Result, anyhow};
use clap::Args;
use clipa_talk::WithHint;

/// The benchmarks of all packages.
const BENCHES: [&str; 5] = ["images", "text", "ingest", "stream", "step"];

/// Which benchmark runs, and how.
#[derive(Args, Debug)]
pub(crate) struct BenchArguments {
    // One list: of two arguments, clap would take a `--help` that follows the name for its own.
    /// Name of the benchmark; what follows it is passed on to `cargo bench`, options too
    #[arg(required = true, trailing_var_arg = true, value_names = ["NAME", "ARGUMENT"])]
    pub(crate) name_and_rest: Vec<String>,
}

/// Runs the benchmark with the arguments passed on to `cargo bench`.
pub(crate) fn run(workspace: &Workspace, arguments: &BenchArguments) -> Result<()> {
    let (name, rest) = arguments.name_and_rest.split_first().context("no benchmark is named")?;
    if !BENCHES.contains(&name.as_str()) {
        return Err(anyhow!("there is no benchmark `{name}`"))
            .hint(format!("choose one of {}", BENCHES.join(", ")));
    }
    let mut cargo = workspace.cargo(&build_tools::prepare(workspace)?);
    // the whole workspace, because its features are already built
    cargo.args(["bench", "--locked", "--workspace", "--bench", name]).args(rest);
    child::run(&mut cargo)
}
