//! `clipa-train pretrain` and `clipa-train finetune`.

use std::{ffi::OsString, path::Path};

use anyhow::Result;
use clipa_recipe::Recipe;
use clipa_schemas::image_column::ImageColumn;
use clipa_stream::Stream;
use clipa_talk::{Outcome, Printer, figures, interrupt, printable, shell};

use super::{arguments::TrainArguments, machine, recipes};
use crate::{
    checkpoint::{self, Origin},
    facts,
    run::{self, Plan, Resources, RunFolder, Unready},
};

/// Trains a stage, from the weights of `from` where there are any.
pub(super) fn train(
    arguments: &TrainArguments,
    stage: &str,
    from: Option<&Path>,
    printer: &Printer,
) -> Result<Outcome> {
    let resources = machine::settle(&arguments.machine)?;
    let mut recipe = Recipe::load(&arguments.recipe, &arguments.set, Some(stage))?;
    let mut notes = Vec::new();
    let file = from.map(checkpoint::model_file).transpose()?;
    if let (Some(from), Some(file)) = (from, &file) {
        notes.extend(begun(from, arguments.allow_unfinished)?);
        let (informed, said) = informed(recipe, file, arguments, stage)?;
        recipe = informed;
        notes.extend(said);
    }
    let plan = Plan::new(recipe, stage, arguments.seed, &arguments.data)?;
    notes.extend(refused(run::unfinished_data(&arguments.data)?, arguments.allow_unfinished)?);
    describe(&plan, resources, printer);
    // Opened before the folder is made: a data set that can't be read, or weights that do not fit, leave no trace.
    let stream = Stream::open(&arguments.data, plan.stream_config(resources), Default::default())?;
    notes.extend(enlarged(stream.image_column(), plan.stage.image_size));
    drop(stream);
    notes.iter().for_each(|note| printer.warn(printable(note)));
    if arguments.dry_run {
        printer.say("dry run: nothing was written");
        return Ok(Outcome::Fine);
    }
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
    let mut stream =
        Stream::open(&arguments.data, plan.stream_config(resources), training.cursor())?;
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

/// An error where something is not finished and may not be used so; else a line about it.
pub(super) fn refused(unready: Option<Unready>, is_allowed: bool) -> Result<Option<String>> {
    match unready {
        Some(unready) if !is_allowed => Err(unready.into()),
        unready => Ok(unready.map(|unready| unready.to_string())),
    }
}

/// Refuses the weights of a run that has not ended, unless they are meant; a line about them.
fn begun(from: &Path, is_allowed: bool) -> Result<Option<String>> {
    let Some(origin) = Origin::of(from)? else { return Ok(None) };
    refused(run::unfinished_run(from, &origin), is_allowed)?;
    let line = || format!("the weights are of {}", origin.progress());
    Ok((!origin.is_finished()).then(line))
}

/// The recipe, with what it leaves open taken from what lies beside the weights, and what a person should know of it.
fn informed(
    recipe: Recipe,
    weights: &Path,
    arguments: &TrainArguments,
    stage: &str,
) -> Result<(Recipe, Vec<String>)> {
    let is_open = |key: &str| {
        clipa_recipe::gives(&arguments.recipe, &arguments.set, key).is_ok_and(|is_given| !is_given)
    };
    let advice = facts::advice(weights, &recipe, recipe.stage(stage)?, is_open)?;
    if advice.set.is_empty() {
        return Ok((recipe, advice.notes));
    }
    let set = [arguments.set.as_slice(), &advice.set].concat();
    Ok((Recipe::load(&arguments.recipe, &set, Some(stage))?, advice.notes))
}

/// A line where stored images are smaller than what the stage trains on.
fn enlarged(column: ImageColumn, image_size: i64) -> Option<String> {
    let is_enlarged = i64::from(column.side) < image_size;
    is_enlarged.then(|| {
        format!(
            "the largest stored images ({column}) are smaller than the stage's {image_size} px and are enlarged: prepare \
             the data with --image SIDE:ENCODING or --for RECIPE, or lower stage.image_size"
        )
    })
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
