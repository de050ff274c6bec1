//! clipa-train: parse, run, exit code.

use std::process::ExitCode;

use clap::Parser;
use clipa_train::cli::{self, Arguments, Printer};

fn main() -> ExitCode {
    cli::wait_politely();
    // Before anything asks libtorch for a GPU, which would remember "no". Failing is the normal case on a CPU machine.
    let _ = torch_ext::load_cuda();
    let printer = Printer;
    match cli::run(&Arguments::parse(), &printer) {
        Ok(code) => code,
        Err(error) => {
            printer.error(&error);
            ExitCode::FAILURE
        }
    }
}
