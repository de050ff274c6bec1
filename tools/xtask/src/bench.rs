//! `cargo xtask bench NAME`: one benchmark of the workspace.

use crate::workspace::Workspace;
use crate::{build_tools, child};
use anyhow::{Result, bail};

/// Benchmark and its package.
const BENCHES: [(&str, &str); 3] =
    [("images", "clipa-tools"), ("text", "clipa-tools"), ("stream", "clipa-trainer")];

/// Runs the benchmark with the arguments passed on to `cargo bench`.
pub(crate) fn run(workspace: &Workspace, name: &str, arguments: &[String]) -> Result<()> {
    let Some((_, package)) = BENCHES.iter().find(|(bench, _)| *bench == name) else {
        let names: Vec<&str> = BENCHES.iter().map(|(bench, _)| *bench).collect();
        bail!("there is no benchmark `{name}`; there are: {}", names.join(", "));
    };
    let mut cargo = workspace.cargo(&build_tools::prepare(workspace)?);
    cargo.args(["bench", "--locked", "--package", package, "--bench", name]).args(arguments);
    child::run(&mut cargo)
}
