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
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() => {
            let code = printer.usage(error.render());
            cli::called_here(&error).inspect(|here| printer.hint(here));
            return code;
        }
        Err(help) => help.exit(),
    };
    let outcome = cli::run(&arguments, &printer);
    printer.exit(outcome)
}
