//! `clipa-inspect`: look at a data set.

use std::process::ExitCode;

use clap::Parser;
use clipa_tools::{
    cli::inspect::{self, InspectCommand},
    printer::Printer,
};

fn main() -> ExitCode {
    let command = InspectCommand::parse();
    let printer = Printer::new();
    let outcome = inspect::run(&command, &printer);
    printer.exit(outcome)
}
