//! `clipa-inspect`: look at a data set.

use std::process::ExitCode;

use clap::Parser;
use clipa_inspect::cli::{self, InspectCommand};
use clipa_talk::Printer;

fn main() -> ExitCode {
    let command = InspectCommand::parse();
    let printer = Printer::new();
    let outcome = cli::run(&command, &printer);
    printer.exit(outcome)
}
