//! `clipa-train pretrain` and `clipa-train finetune`.

use std::{ffi::OsString, path::Path};

use anyhow::Result;
use clipa_recipe::Recipe;
use clipa_stream::Stream;
use clipa_talk::{Outcome, Printer, figures, interrupt, printable, shell};

use super::{arguments::TrainArguments, estimate, machine, recipes};
use crate::{
    checkpoint,
    run::{self, Plan, Resources, RunFolder},
};

/// Samples that are read to see that a data set can be.
const CHECKED_SAMPLES: u64 = 64;

/// Trains a stage, from the weights of `from` where there are any.
pub(super) fn train(
    arguments: &TrainArguments,
    stage: &str,
    from: Option<&Path>,
    printer: &Printer,
) -> Result<Outcome> {
    let resources = machine::settle(&arguments.machine)?;
    let recipe = Recipe::load(&arguments.recipe, &arguments.set, Some(stage))?;
    let plan = Plan::new(recipe, stage, arguments.seed, &arguments.data)?;
    describe(&plan, resources, printer);
    if arguments.dry_run {
        estimate::describe(&plan, arguments.micro_batch, resources, printer);
        if let Some(from) = from {
            checkpoint::model_file(from)?;
        }
        printer.say("dry run: nothing was written");
        return Ok(Outcome::Fine);
    }
    // Opened before the folder is made: a data set that can't be read, or weights that do not fit, leave no trace.
    let few = plan.stage.batch.min(CHECKED_SAMPLES);
    Stream::open(&arguments.data, plan.stream_config(resources, few), Default::default())?;
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
        printer.say(format!("{} is finished: nothing to do", folder.path().display()));
        return Ok(Outcome::Fine);
    }
    match (&continued, &file) {
        (Some(folder), _) => printer.say(format!("continues {}", folder.display())),
        (None, Some(file)) => printer.say(format!("begins with the weights of {}", file.display())),
        (None, None) => printer.say(format!("begins with seed {}", arguments.seed)),
    }
    let micro_batch = run::settle(arguments.micro_batch, &training, folder.path())?;
    printer.say(format!("micro-batch {micro_batch}"));
    training.micro_batch = micro_batch.pairs;
    let config = plan.stream_config(resources, micro_batch.pairs);
    let mut stream = Stream::open(&arguments.data, config, training.cursor())?;
    let stop = interrupt::catch_ending_by(
        printer,
        "stopping after this step, with a checkpoint",
        torch_ext::exit_at_once,
    )?;
    let ending = training.run(&mut stream, &folder, stop, &mut |record| {
        if arguments.json {
            printer.json_line(record).expect("numbers always become JSON");
        } else {
            printer.say(record);
        }
    })?;
    Ok(conclude(&ending, plan.schedule.total_steps, printer))
}

/// What will run, in a few lines.
fn describe(plan: &Plan, resources: Resources, printer: &Printer) {
    let (recipe, stage, schedule) = (&plan.recipe, &plan.stage, &plan.schedule);
    let [name, about, stage_name] =
        [&recipe.name, &recipe.about, &stage.name].map(|text| printable(text));
    printer.say(format!("recipe      {name}, stage {stage_name}: {about}"));
    printer.say(format!("model       {}", recipes::model_line(&plan.cost())));
    printer.say(format!("a sample    {}", recipes::stage_line(recipe, stage)));
    let (samples, in_set) = (schedule.total_steps * stage.batch, plan.identity.samples_per_epoch);
    printer.say(format!(
        "data        {} samples, used {} times",
        figures::count(in_set),
        figures::significant(samples as f64 / in_set.max(1) as f64),
    ));
    printer.say(format!(
        "steps       {} of {} samples, peak learning rate {} after {} of warm-up, {} in all",
        figures::count(schedule.total_steps),
        figures::count(stage.batch),
        figures::learning_rate(schedule.peak),
        figures::counted(schedule.warmup_steps, "step"),
        figures::scaled(plan.total_flops(), "FLOP"),
    ));
    printer.say(format!(
        "checkpoint  every {}, {} each, {} kept",
        figures::counted(stage.checkpoint_steps, "step"),
        figures::bytes(plan.checkpoint_bytes()),
        figures::count(stage.keep_checkpoints),
    ));
    let workers = figures::counted(resources.workers as u64, "loader thread");
    printer.say(format!("machine     {:?}, {workers}", resources.device));
}

fn conclude(ending: &run::Outcome, total_steps: u64, printer: &Printer) -> Outcome {
    match ending {
        run::Outcome::Finished { checkpoint } => {
            printer.say(format!("finished: {}", checkpoint.display()));
            Outcome::Fine
        }
        run::Outcome::Stopped { step, checkpoint } => {
            printer.say(format!(
                "stopped after step {} of {}: {}",
                figures::count(*step),
                figures::count(total_steps),
                checkpoint.display()
            ));
            printer.say(format!("continue with: {}", continuing_command()));
            Outcome::Interrupted
        }
    }
}

/// The command line that was given, with `--resume`.
fn continuing_command() -> String {
    let mut words: Vec<OsString> = std::env::args_os().collect();
    if !words.iter().any(|word| word == "--resume") {
        words.push("--resume".into());
    }
    shell::command_line(words)
}
