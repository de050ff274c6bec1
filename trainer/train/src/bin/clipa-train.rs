//! clipa-train: parse, run, exit code.

use std::process::ExitCode;

use clap::Parser;
use clipa_talk::Printer;
use clipa_train::cli::{self, Arguments};

fn main() -> ExitCode {
    cli::reexec_with_short_spin();
    // Before anything asks libtorch for a GPU, which would remember "no". Failing is the normal case on a CPU machine.
    let _ = torch_ext::load_cuda();
    let printer = Printer::new();
    let outcome = cli::run(&Arguments::parse(), &printer);
    printer.exit(outcome)
}
