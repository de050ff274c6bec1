//! `cargo xtask bench NAME`: one benchmark of the workspace.

use crate::workspace::Workspace;
use crate::{build_tools, child};
use anyhow::{Result, bail};

/// The benchmarks of all packages.
const BENCHES: [&str; 3] = ["images", "text", "stream"];

/// Runs the benchmark with the arguments passed on to `cargo bench`.
pub(crate) fn run(workspace: &Workspace, name: &str, arguments: &[String]) -> Result<()> {
    if !BENCHES.contains(&name) {
        bail!("there is no benchmark `{name}`; there are: {}", BENCHES.join(", "));
    }
    let mut cargo = workspace.cargo(&build_tools::prepare(workspace)?);
    // For the whole workspace, as everything is built: one package alone would be compiled again with all it needs.
    cargo.args(["bench", "--locked", "--workspace", "--bench", name]).args(arguments);
    child::run(&mut cargo)
}
