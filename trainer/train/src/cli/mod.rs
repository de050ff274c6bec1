//! The commands of clipa-train.

mod arguments;
mod eval;
mod machine;
mod printer;
mod recipes;
mod threads;
mod train;

use std::process::ExitCode;

use anyhow::Result;

pub use self::{
    arguments::{Arguments, Command},
    printer::Printer,
    threads::wait_politely,
};

/// Exit code of a run that was interrupted and can be continued, as a shell gives it for Ctrl-C.
pub const EXIT_INTERRUPTED: u8 = 130;

/// Runs a command.
///
/// # Errors
/// One message, cause first, with a `hint:` where the remedy is known.
pub fn run(arguments: &Arguments, printer: &Printer) -> Result<ExitCode> {
    match &arguments.command {
        Command::Pretrain(arguments) => train::train(arguments, "pretrain", None, printer),
        Command::Finetune(arguments) => {
            train::train(&arguments.train, &arguments.stage, Some(&arguments.from), printer)
        }
        Command::Eval(arguments) => eval::eval(arguments, printer),
        Command::Recipes(arguments) => recipes::recipes(arguments, printer),
    }
}
