//! `cargo xtask bench NAME`: one benchmark of the workspace.

use crate::workspace::Workspace;
use crate::{build_tools, child};
use anyhow::{Result, bail};

/// The benchmarks of all packages.
const BENCHES: [&str; 4] = ["images", "text", "ingest", "stream"];

/// Runs the benchmark with the arguments passed on to `cargo bench`.
pub(crate) fn run(workspace: &Workspace, name: &str, arguments: &[String]) -> Result<()> {
    if !BENCHES.contains(&name) {
        bail!("there is no benchmark `{name}`; there are: {}", BENCHES.join(", "));
    }
    let mut cargo = workspace.cargo(&build_tools::prepare(workspace)?);
    // the whole workspace, because its features are already built
    cargo.args(["bench", "--locked", "--workspace", "--bench", name]).args(arguments);
    child::run(&mut cargo)
}
