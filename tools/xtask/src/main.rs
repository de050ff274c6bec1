//! `cargo xtask`: the project's own commands, from a bare clone to a trained model.
//!
//! | command | what it does |
//! |---|---|
//! | `libtorch` | fetches libtorch 2.11.0, checked and trimmed, into `.deps/libtorch` |
//! | `test` | every check and every test, as CI runs them |
//! | `demo` | the main job end to end, on drawn or given images |
//! | `peers NAME` | compares with another program, in a Python environment of its own |
//! | `bench NAME` | runs one benchmark |
//! | `study NAME` | CLIPA's findings at toy size: a table with spread, and a plot |
//! | `env` | prints the variables that a plain `cargo build` needs |
//!
//! Everything that is fetched lies under `.deps/`, which git ignores: deleting that folder undoes it.
//! stdout carries data (the demo's report, `env`), stderr carries talk.

mod bench;
mod build_tools;
mod checks;
mod child;
mod command_line;
mod debian_package;
mod demo;
mod libtorch;
mod peers;
mod study;
mod system;
mod talk;
mod wheel;
mod workspace;

use clap::{CommandFactory, Parser};
use clipa_talk::Outcome;
use command_line::{Command, CommandLine};
use std::process::ExitCode;

fn main() -> ExitCode {
    let outcome = run(CommandLine::parse().command).map(|()| Outcome::Fine);
    talk::printer().exit(outcome)
}

fn run(command: Option<Command>) -> anyhow::Result<()> {
    let Some(command) = command else {
        return Ok(CommandLine::command().print_help()?);
    };
    let workspace = &workspace::Workspace::find()?;
    match command {
        Command::Demo(options) => demo::run(workspace, &options),
        Command::Test => checks::run(workspace),
        Command::Libtorch(options) => libtorch::provide(workspace, options.keep_wheels).map(drop),
        Command::Peers(arguments) => peers::run(workspace, &arguments),
        Command::Bench(arguments) => bench::run(workspace, &arguments),
        Command::Study(arguments) => study::run(workspace, &arguments),
        Command::Env => build_tools::print_environment(workspace),
    }
}
