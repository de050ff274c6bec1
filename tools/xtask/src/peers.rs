//! `cargo xtask peers NAME`: another program beside ours, on the same data.

use crate::workspace::Workspace;
use crate::{child, demo, system, talk};
use anyhow::{Context, Result, anyhow};
use clap::Args;
use clipa_talk::WithHint;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Which program is compared, and how.
#[derive(Args, Debug)]
pub(crate) struct PeersArguments {
    // One list: of two arguments, clap would take a `--help` that follows the name for its own.
    /// A folder of tests/peers; what follows it is passed on to its run.py, options too
    #[arg(required = true, trailing_var_arg = true, value_names = ["NAME", "ARGUMENT"])]
    pub(crate) name_and_rest: Vec<String>,
}

/// Makes the Python environment of `tests/peers/NAME` where it is missing or its requirements have
/// changed, builds the programs, and runs `run.py` there; its exit decides ours.
///
/// The script finds the built programs' folder in the variable `CLIPA_BIN`.
pub(crate) fn run(workspace: &Workspace, arguments: &PeersArguments) -> Result<()> {
    let (name, rest) = arguments.name_and_rest.split_first().context("no peer is named")?;
    let folder = workspace.root().join("tests/peers").join(name);
    let script = folder.join("run.py");
    if !script.is_file() {
        return Err(anyhow!("there is no {}", script.display()))
            .hint(format!("choose one of {}", names(workspace)?.join(", ")));
    }
    let python = environment(workspace, name, &folder.join("requirements.txt"))?;
    let programs = demo::build_programs(workspace)?;
    let mut command = Command::new(python);
    command.arg(script).args(rest).current_dir(workspace.root()).env("CLIPA_BIN", programs);
    child::run(&mut command)
}

/// Every folder of `tests/peers` that holds a `run.py`, sorted.
fn names(workspace: &Workspace) -> Result<Vec<String>> {
    let mut names: Vec<String> = std::fs::read_dir(workspace.root().join("tests/peers"))?
        .filter_map(|entry| entry.ok())
        .filter(|entry| entry.path().join("run.py").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    Ok(names)
}

/// The Python of the peer's environment, installed from its requirements.
fn environment(workspace: &Workspace, name: &str, requirements: &Path) -> Result<PathBuf> {
    let wanted = std::fs::read_to_string(requirements)
        .with_context(|| format!("cannot read {}", requirements.display()))?;
    let place = workspace.deps().join("peers").join(name);
    let python = place.join("bin/python");
    let installed = place.join("requirements.txt");
    if std::fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
        return Ok(python);
    }
    let _lock = workspace.lock_deps()?;
    talk::note("peers", &format!("making the Python environment {}", place.display()));
    let system_python = system::python_with_pip()?;
    if place.exists() {
        std::fs::remove_dir_all(&place)?;
    }
    // Without pip inside, because Debian's Python brings that only with another package.
    child::run_silent(
        "peers",
        Command::new(system_python).args(["-m", "venv", "--without-pip"]).arg(&place),
    )?;
    let mut pip = Command::new(system_python);
    pip.args(["-m", "pip", "--python"])
        .arg(&python)
        .args(["install", "--disable-pip-version-check", "--only-binary=:all:", "--requirement"])
        .arg(requirements);
    child::run_silent("peers", &mut pip)?;
    // Written last: an environment without it is made anew.
    std::fs::write(&installed, wanted)?;
    Ok(python)
}
