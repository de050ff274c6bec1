//! `cargo xtask`: the project's own commands, from a bare clone to a trained model.
//!
//! | command | what it does |
//! |---|---|
//! | `libtorch` | fetches libtorch 2.11.0, checked and trimmed, into `.deps/libtorch` |
//! | `test` | every check and every test, as CI runs them |
//! | `demo` | the main job end to end, on drawn or given images |
//! | `peers NAME` | compares with another program, in a Python environment of its own |
//! | `bench NAME` | runs one benchmark |
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
mod printer;
mod wheel;
mod workspace;

use command_line::Request;
use std::process::ExitCode;

/// 0: done. 1: the job could not be done. 2: the command line was wrong.
fn main() -> ExitCode {
    let request = match command_line::parse(std::env::args().skip(1)) {
        Ok(request) => request,
        Err(usage) => {
            printer::error(&usage.0);
            printer::hint("`cargo xtask --help` lists the commands");
            return ExitCode::from(2);
        }
    };
    match run(request) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            printer::error(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(request: Request) -> anyhow::Result<()> {
    let workspace = workspace::Workspace::find()?;
    match request {
        Request::Help(text) => printer::data(&text),
        Request::Libtorch { keep_wheels } => {
            libtorch::provide(&workspace, keep_wheels).map(drop)?
        }
        Request::Test => checks::run(&workspace)?,
        Request::Demo(options) => demo::run(&workspace, &options)?,
        Request::Peers { name, arguments } => peers::run(&workspace, &name, &arguments)?,
        Request::Bench { name, arguments } => bench::run(&workspace, &name, &arguments)?,
        Request::Env => build_tools::print_environment(&workspace)?,
    }
    Ok(())
}
