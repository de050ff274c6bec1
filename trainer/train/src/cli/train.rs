//! `clipa-train pretrain` and `clipa-train finetune`.

use std::{
    path::Path,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::{Context, Result};

use super::{EXIT_INTERRUPTED, arguments::TrainArguments, machine, printer::Printer, recipes};
use crate::{
    checkpoint, quantity,
    run::{Outcome, Plan, Resources, RunFolder},
};
use clipa_recipe::Recipe;
use clipa_stream::Stream;

/// Trains a stage, from the weights of `from` where there are any.
pub(super) fn train(
    arguments: &TrainArguments,
    stage: &str,
    from: Option<&Path>,
    printer: &Printer,
) -> Result<ExitCode> {
    let resources = machine::settle(&arguments.machine)?;
    let recipe = Recipe::load(&arguments.recipe, &arguments.set, Some(stage))?;
    let plan = Plan::new(recipe, stage, arguments.seed, &arguments.data)?;
    describe(&plan, resources, printer);
    if arguments.dry_run {
        if let Some(from) = from {
            checkpoint::model_file(from)?;
        }
        printer.talk("dry run: nothing was written");
        return Ok(ExitCode::SUCCESS);
    }
    // Opened before the folder is made: a data set that can't be read, or weights that do not fit, leave no trace.
    Stream::open(&arguments.data, plan.stream_config(resources), Default::default())?;
    let file = from.map(checkpoint::model_file).transpose()?;
    let output = &arguments.output;
    let continued =
        match RunFolder::is_there(output, &plan.recipe, &plan.identity, arguments.resume)? {
            true => checkpoint::latest(output)?,
            false => None,
        };
    let mut training = plan.training(continued.as_deref(), file.as_deref(), resources)?;
    let folder = RunFolder::open(output, &plan.recipe, &plan.identity, arguments.resume)?;
    if training.step >= plan.schedule.total_steps {
        printer.talk(format!("{} is finished: nothing to do", folder.path().display()));
        return Ok(ExitCode::SUCCESS);
    }
    match (&continued, &file) {
        (Some(folder), _) => printer.talk(format!("continues {}", folder.display())),
        (None, Some(file)) => {
            printer.talk(format!("begins with the weights of {}", file.display()))
        }
        (None, None) => printer.talk(format!("begins with seed {}", arguments.seed)),
    }
    let mut stream =
        Stream::open(&arguments.data, plan.stream_config(resources), training.cursor())?;
    let stop = stop_on_interrupt()?;
    let outcome = training.run(&mut stream, &folder, &stop, &mut |record| {
        if arguments.json {
            printer.data(serde_json::to_string(record).unwrap_or_default());
        } else {
            printer.talk(record);
        }
    })?;
    Ok(conclude(&outcome, plan.schedule.total_steps, printer))
}

/// What will run, in a few lines.
fn describe(plan: &Plan, resources: Resources, printer: &Printer) {
    let (stage, identity, schedule) = (&plan.stage, &plan.identity, &plan.schedule);
    printer.talk(format!(
        "recipe      {}, stage {}: {}",
        plan.recipe.name, stage.name, plan.recipe.about
    ));
    printer.talk(format!("model       {}", recipes::model_line(&plan.cost())));
    printer.talk(format!("a sample    {}", recipes::stage_line(&plan.recipe, stage)));
    let samples = schedule.total_steps * stage.batch;
    printer.talk(format!(
        "data        {} samples, used {} times",
        quantity::grouped(identity.samples_per_epoch as i64),
        quantity::three_figures(samples as f64 / identity.samples_per_epoch.max(1) as f64),
    ));
    printer.talk(format!(
        "steps       {} of {} samples, peak learning rate {:.3e} after {} steps of warm-up, {}FLOP in all",
        quantity::grouped(schedule.total_steps as i64),
        quantity::grouped(stage.batch as i64),
        schedule.peak,
        schedule.warmup_steps,
        quantity::scaled(plan.total_flops()),
    ));
    printer.talk(format!(
        "checkpoint  every {} steps, {} each, {} kept",
        stage.checkpoint_steps,
        quantity::bytes(plan.checkpoint_bytes()),
        stage.keep_checkpoints,
    ));
    printer
        .talk(format!("machine     {:?}, {} loader threads", resources.device, resources.workers));
}

fn conclude(outcome: &Outcome, total_steps: u64, printer: &Printer) -> ExitCode {
    match outcome {
        Outcome::Finished { checkpoint } => {
            printer.talk(format!("finished: {}", checkpoint.display()));
            ExitCode::SUCCESS
        }
        Outcome::Stopped { step, checkpoint } => {
            printer.talk(format!(
                "stopped after step {step} of {total_steps}: {}",
                checkpoint.display()
            ));
            printer.talk(format!("continue with: {}", continuing_command()));
            ExitCode::from(EXIT_INTERRUPTED)
        }
    }
}

/// The command line that was given, with `--resume`.
fn continuing_command() -> String {
    let mut words: Vec<String> = std::env::args().collect();
    if !words.iter().any(|word| word == "--resume") {
        words.push("--resume".to_owned());
    }
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// A word as a POSIX shell reads it back.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The flag that the first Ctrl-C sets; a second one ends the program at once.
fn stop_on_interrupt() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(EXIT_INTERRUPTED));
        }
        Printer.talk(
            "stopping after this step; press Ctrl-C again to stop at once, without a checkpoint",
        );
    })
    .context("Ctrl-C can't be caught")?;
    Ok(stop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back_from_a_shell() {
        assert_eq!(quoted("stage.lr=1e-4"), "stage.lr=1e-4");
        assert_eq!(quoted("my data"), "'my data'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
