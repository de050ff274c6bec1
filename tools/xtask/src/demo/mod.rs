//! `cargo xtask demo`: the main job end to end, each step as a user would type it.

mod options;
mod report;
mod steps;

pub(crate) use options::DemoOptions;

use crate::workspace::Workspace;
use crate::{build_tools, child, talk};
use anyhow::{Context, Result, anyhow, bail};
use clipa_talk::{WithHint, figures};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use steps::{DoneStep, Step};

/// Runs the steps that are not done yet, in order, and prints the report.
pub(crate) fn run(workspace: &Workspace, options: &DemoOptions) -> Result<()> {
    let options = &options.located(&std::env::current_dir()?, workspace.root());
    let plan = steps::plan(options);
    // Before minutes of building: an input that is missing, or an output that is another run's.
    check_inputs(workspace, options)?;
    for step in &plan {
        earlier_run(workspace, options, step)?;
    }
    build_programs(workspace)?;
    let records = workspace.root().join(&options.output).join("steps");
    std::fs::create_dir_all(&records)
        .with_context(|| format!("cannot create {}", records.display()))?;
    let count = plan.len();
    let mut done = Vec::with_capacity(count);
    for (index, step) in plan.into_iter().enumerate() {
        talk::note("demo", &format!("step {} of {count}: {}", index + 1, step.phrase));
        let took = match earlier_run(workspace, options, &step)? {
            Some(took) => {
                talk::note("demo", &format!("done by an earlier run in {}", figures::time(took)));
                took
            }
            None => {
                let is_begun = !done.is_empty();
                run_step(workspace, &records, &step)
                    .map_err(|error| maybe_older(error, is_begun, &options.output))?
            }
        };
        done.push(DoneStep { step, took });
    }
    report::print(workspace, options, &done)
}

/// Builds the programs of the whole workspace, so that features never differ from `cargo xtask test`
/// and nothing compiles twice. Returns their folder.
pub(crate) fn build_programs(workspace: &Workspace) -> Result<PathBuf> {
    let mut cargo = workspace.cargo(&build_tools::prepare(workspace)?);
    cargo.args(["build", "--locked", "--release", "--workspace", "--bins"]);
    talk::command(&child::line(&cargo));
    child::run_silent("build", &mut cargo)?;
    Ok(workspace.root().join("target/release"))
}

/// What a step may stumble over that goes on behind steps of an earlier day: files of programs that have changed since.
fn maybe_older(error: anyhow::Error, is_begun: bool, output: &Path) -> anyhow::Error {
    if !is_begun {
        return error;
    }
    let folder = clipa_talk::shell::quoted(output);
    let hint = format!("where earlier programs made {folder}, begin anew: rm -r {folder}");
    Err::<(), _>(error).hint(hint).expect_err("an error stays one")
}

fn check_inputs(workspace: &Workspace, options: &DemoOptions) -> Result<()> {
    for path in options.input.iter().chain(&options.classes) {
        if !workspace.root().join(path).exists() {
            bail!("{} does not exist", path.display());
        }
    }
    Ok(())
}

/// How long the step took when an earlier run completed it with the same command.
///
/// # Errors
/// The output holds the same step of another command: another input, or another version.
fn earlier_run(
    workspace: &Workspace,
    options: &DemoOptions,
    step: &Step,
) -> Result<Option<Duration>> {
    let record = workspace.root().join(&options.output).join("steps").join(step.name);
    let Ok(text) = std::fs::read_to_string(&record) else {
        return Ok(None);
    };
    let (milliseconds, line) = text.trim_end().split_once('\n').unwrap_or_default();
    if line != step.line() {
        let there = options.output.display();
        let (name, now) = (step.name, step.line());
        let error = anyhow!(
            "{there} holds the step `{name}` of another run:\n  there: {line}\n  now:   {now}"
        );
        return Err(error).hint("choose another --output");
    }
    let milliseconds = milliseconds
        .parse()
        .with_context(|| format!("{} is damaged", record.display()))
        .hint("delete it to repeat the step")?;
    Ok(Some(Duration::from_millis(milliseconds)))
}

fn run_step(workspace: &Workspace, records: &Path, step: &Step) -> Result<Duration> {
    if let Some(file) = &step.makes {
        remove_leftover(&workspace.root().join(file))?;
    }
    let mut command = step.command(workspace.root());
    talk::command(&step.line());
    let start = Instant::now();
    match &step.saves {
        Some(file) => save_stdout(&mut command, &workspace.root().join(file))?,
        None => child::run(command.stdout(std::io::stderr()))?,
    }
    let took = start.elapsed();
    talk::note("demo", &format!("{} took {}", step.name, figures::time(took)));
    write_atomically(
        &records.join(step.name),
        format!("{}\n{}\n", took.as_millis(), step.line()).as_bytes(),
    )?;
    Ok(took)
}

/// Removes what an attempt left that ended before its record was written.
fn remove_leftover(file: &Path) -> Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", file.display()))
        }
        _ => Ok(()),
    }
}

fn save_stdout(command: &mut std::process::Command, file: &Path) -> Result<()> {
    let partial = file.with_extension("partial");
    let writer = std::fs::File::create(&partial)
        .with_context(|| format!("cannot create {}", partial.display()))?;
    command.stdout(writer);
    child::run(command)?;
    std::fs::rename(&partial, file).with_context(|| format!("cannot write {}", file.display()))
}

fn write_atomically(file: &Path, content: &[u8]) -> Result<()> {
    let partial = file.with_extension("partial");
    std::fs::write(&partial, content)?;
    std::fs::rename(&partial, file).with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_path_starts_where_the_user_stands() {
        let given = DemoOptions { input: vec!["a.tar".into()], ..DemoOptions::default() };
        let root = Path::new("/clipa");
        assert_eq!(given.located(root, root), given);
        let located = given.located(Path::new("/data"), root);
        assert_eq!(located.input, [Path::new("/data/a.tar")]);
        assert_eq!(located.output, Path::new("demo"));
    }
}
