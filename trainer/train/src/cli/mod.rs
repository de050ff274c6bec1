//! The commands of clipa-train.

mod arguments;
mod bench;
mod chain;
mod curve;
mod embed;
mod estimate;
mod eval;
mod exchange;
mod known_flags;
mod machine;
mod reading;
mod recipes;
mod reexec;
mod train;

use anyhow::Result;
use clipa_recipe::RecipeError;
use clipa_stream::StreamError;
use clipa_talk::{Failure, Outcome, Printer};

pub use self::{
    arguments::{Arguments, Command},
    known_flags::called_here,
    reexec::reexec_with_short_spin,
};
use crate::{
    checkpoint::CheckpointError,
    eval::EvalError,
    exchange::ExchangeError,
    facts::FactError,
    run::{RunError, Unready},
};

/// Runs a command.
///
/// # Errors
/// One message, cause first, with the hint of its remedy where one is known.
pub fn run(arguments: &Arguments, printer: &Printer) -> Result<Outcome> {
    match &arguments.command {
        Command::Pretrain(arguments) => {
            train::train(arguments, "pretrain", train::Start::Random, printer)
        }
        Command::Finetune(arguments) => {
            let start = train::Start::of(arguments);
            train::train(&arguments.train, &arguments.stage, start, printer)
        }
        Command::Run(arguments) => chain::run(arguments, printer),
        Command::Eval(arguments) => eval::eval(arguments, printer),
        Command::Embed(arguments) => embed::embed(arguments, printer),
        Command::Bench(arguments) => bench::bench(arguments, printer),
        Command::Export(arguments) => exchange::export(arguments, printer),
        Command::Import(arguments) => exchange::import(arguments, printer),
        Command::Recipes(arguments) => recipes::recipes(arguments, printer),
    }
    .map_err(with_hint)
}

/// Puts the remedies that the library's errors know where the printer looks for them.
fn with_hint(error: anyhow::Error) -> anyhow::Error {
    let of_run = || error.downcast_ref().and_then(RunError::hint);
    let of_evaluation = || error.downcast_ref().and_then(EvalError::hint);
    let of_checkpoint = || error.downcast_ref().and_then(CheckpointError::hint);
    let of_stream = || error.downcast_ref().and_then(StreamError::hint);
    let of_data = || error.downcast_ref().map(Unready::hint);
    let of_facts = || error.downcast_ref().and_then(FactError::hint);
    let of_exchange = || error.downcast_ref().and_then(ExchangeError::hint);
    let of_recipe = || error.downcast_ref().and_then(RecipeError::hint);
    match of_recipe()
        .or_else(of_run)
        .or_else(of_data)
        .or_else(of_facts)
        .or_else(of_exchange)
        .or_else(of_evaluation)
        .or_else(of_checkpoint)
        .or_else(of_stream)
    {
        Some(hint) => Failure::new(error, hint).into(),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_of_any_depth_is_shown_as_one() {
        let stream = || StreamError::Empty { path: "pairs".into() };
        let missing = CheckpointError::NotSafetensors { path: "epoch.pt".into() };
        for (error, said) in [
            (stream().into(), "error: pairs holds no sample\nhint: run clipa-prep again"),
            (
                EvalError::from(stream()).into(),
                "error: pairs holds no sample\nhint: run clipa-prep",
            ),
            (
                RunError::from(missing).into(),
                "epoch.pt is not a safetensors file\nhint: convert it",
            ),
            (anyhow::anyhow!("of another kind"), "error: of another kind\n"),
        ] {
            let (printer, captured) = Printer::captured();
            printer.error(&with_hint(error));
            assert!(captured.talk().contains(said), "{}", captured.talk());
        }
    }
}
