//! `clipa-inspect`: look at a data set.

use std::process::ExitCode;

use clap::Parser;
use clipa_inspect::cli::{self, InspectCommand};
use clipa_talk::Printer;

fn main() -> ExitCode {
    let printer = Printer::new();
    let command = match InspectCommand::try_parse() {
        Ok(command) => command,
        Err(error) if error.use_stderr() => return printer.usage(error.render()),
        Err(help) => help.exit(),
    };
    let outcome = cli::run(&command, &printer);
    printer.exit(outcome)
}
