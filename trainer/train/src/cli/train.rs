//! `clipa-train pretrain` and `clipa-train finetune`.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use anyhow::{Result, anyhow};
use clipa_recipe::{Captions, Recipe};
use clipa_stream::Stream;
use clipa_talk::{Outcome, Printer, WithHint, figures, interrupt, printable, shell};

use super::{arguments::TrainArguments, estimate, machine, recipes};
use crate::{
    checkpoint::{self, Origin},
    facts,
    run::{self, Beginning, Plan, Resources, RunFolder, RunRecord, StageImages, Training, Unready},
};

/// Samples that are read to see that a data set can be.
const CHECKED_SAMPLES: u64 = 64;

/// The weights that a run begins with.
#[derive(Clone, Copy, Debug)]
pub(super) enum Start<'a> {
    /// Drawn.
    Random,
    /// Those of a run, checkpoint or file.
    From(&'a Path),
    /// Those that the run to be continued began with.
    Recorded,
}

/// Trains a stage.
pub(super) fn train(
    arguments: &TrainArguments,
    stage: &str,
    start: Start<'_>,
    printer: &Printer,
) -> Result<Outcome> {
    let resources = machine::settle(&arguments.machine)?;
    let planned = Planned::of(arguments, stage, start)?;
    planned.announce(arguments, resources, printer)?;
    if arguments.dry_run {
        printer.say("dry run: nothing was written");
        return Ok(Outcome::Fine);
    }
    let Some(begun) = begin(arguments, planned, start, resources, printer)? else {
        return Ok(Outcome::Fine);
    };
    go_on(arguments, begun, resources, printer)
}

/// A stage that is to be trained, before anything is written.
struct Planned {
    plan: Plan,
    /// The weights that it begins with.
    file: Option<PathBuf>,
    /// What a person should know.
    notes: Vec<String>,
}

impl Planned {
    fn of(arguments: &TrainArguments, stage: &str, start: Start<'_>) -> Result<Planned> {
        let output = &arguments.output;
        let mut recipe = Recipe::load(&arguments.recipe, &arguments.set, Some(stage))?;
        let mut notes = Vec::new();
        let file = match start {
            Start::From(from) => Some(checkpoint::model_file(from)?),
            Start::Recorded => recorded(output)?.beginning.weights.map(PathBuf::from),
            Start::Random => None,
        };
        if let Start::From(from) = start {
            notes.extend(begun(from, arguments.allow_unfinished)?);
        }
        // What a run to be continued began with may be gone: its checkpoint holds all that is needed.
        if let Some(file) = file.as_deref().filter(|file| file.is_file()) {
            let (informed, said) = informed(recipe, file, arguments, stage)?;
            recipe = informed;
            notes.extend(said);
        }
        if let (Start::From(_), Some(file)) = (start, file.as_deref()) {
            let stage = recipe.stage(stage)?;
            checkpoint::check_file(file, &stage.model(&recipe.model), stage.sizes())?;
        }
        let mut plan = Plan::new(recipe, stage, arguments.seed, &arguments.data)?;
        plan.identity.weights_blake3 = match start {
            Start::Recorded => recorded(output)?.identity.weights_blake3,
            Start::Random | Start::From(_) => {
                file.as_deref().map(checkpoint::weights_blake3).transpose()?
            }
        };
        notes.extend(refused(run::unfinished_data(&arguments.data)?, arguments.allow_unfinished)?);
        Ok(Planned { plan, file, notes })
    }

    /// Says what will run, and refuses a data set that it cannot run on.
    fn announce(
        &self,
        arguments: &TrainArguments,
        resources: Resources,
        printer: &Printer,
    ) -> Result<()> {
        let plan = &self.plan;
        describe(plan, resources, printer);
        if arguments.dry_run {
            estimate::describe(plan, arguments.micro_batch, resources, printer);
        }
        let mut stream = plan.stream_config(resources, plan.stage.batch.min(CHECKED_SAMPLES));
        stream.trust_data = arguments.trust_data;
        // Opened before the folder is made: a data set that can't be read, or weights that do not fit, leave no trace.
        drop(Stream::open(&arguments.data, stream.clone(), Default::default())?);
        let images = StageImages::of(&arguments.data, &stream)?;
        images.lines().into_iter().for_each(|line| printer.say(format!("images      {line}")));
        if !arguments.allow_enlarging {
            images.check()?;
        }
        self.notes.iter().for_each(|note| printer.warn(printable(note)));
        Ok(())
    }
}

/// A run's folder and what is trained in it.
struct Begun {
    plan: Plan,
    training: Training,
    folder: RunFolder,
    /// The checkpoint that it goes on from.
    continued: Option<PathBuf>,
    /// The weights that it begins with.
    file: Option<PathBuf>,
}

/// Makes the run's folder, or opens it to be continued; `None` where nothing is left to do.
fn begin(
    arguments: &TrainArguments,
    planned: Planned,
    start: Start<'_>,
    resources: Resources,
    printer: &Printer,
) -> Result<Option<Begun>> {
    let Planned { plan, mut file, .. } = planned;
    let output = &arguments.output;
    let beginning = Beginning::now(&arguments.data, file.as_deref());
    let record = RunRecord { identity: plan.identity.clone(), beginning };
    let found = RunFolder::find(output, &plan.recipe, &record, arguments.resume)?;
    let continued = match found {
        Some(_) => checkpoint::latest(output)?,
        None => None,
    };
    if let (Start::Recorded, None) = (start, &continued) {
        file = weights_again(output)?;
    }
    let training = plan.training(continued.as_deref(), file.as_deref(), resources)?;
    let folder = match found {
        Some(folder) => folder,
        None => RunFolder::begin(output, &plan.recipe, &record)?,
    };
    if let Some(reason) = folder.unlocked() {
        printer.warn(format!(
            "{} cannot be locked ({reason}): see to it that no other process writes there",
            output.display()
        ));
    }
    if training.step >= plan.schedule.total_steps {
        printer.say(format!("{} is finished: nothing to do", folder.path().display()));
        return Ok(None);
    }
    for changed in folder.keep_recipe(&plan.recipe)? {
        printer.say(format!("changed     {}", printable(&changed)));
    }
    Ok(Some(Begun { plan, training, folder, continued, file }))
}

/// Trains to the stage's end, or until Ctrl-C.
fn go_on(
    arguments: &TrainArguments,
    begun: Begun,
    resources: Resources,
    printer: &Printer,
) -> Result<Outcome> {
    let Begun { plan, mut training, folder, continued, file } = begun;
    let micro_batch = run::settle(arguments.micro_batch, &training, folder.path())?;
    printer.say(format!("micro-batch {micro_batch}"));
    training.micro_batch = micro_batch.pairs;
    let run = arguments.output.clone();
    let stop = interrupt::catch_ending_by(
        printer,
        "stopping after this step, with a checkpoint",
        move || Some(last_words(&run)),
        torch_ext::exit_at_once,
    )?;
    tell_beginning(arguments, continued.as_deref(), file.as_deref(), printer);
    let mut stream_config = plan.stream_config(resources, micro_batch.pairs);
    stream_config.trust_data = arguments.trust_data;
    let mut stream = Stream::open(&arguments.data, stream_config, training.cursor())?;
    let ending = training.run(&mut stream, &folder, stop, &mut |record| {
        if arguments.json {
            printer.json_line(record).expect("numbers always become JSON");
        } else {
            printer.say(record);
        }
    })?;
    let without = stream.without_source();
    if without > 0 {
        printer.warn(format!(
            "{} showed their first caption: they have several, none from a source that `captions` names",
            figures::counted(without, "sample")
        ));
    }
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

/// What the run to be continued is.
fn recorded(run: &Path) -> Result<RunRecord> {
    if !run.join(run::IDENTITY).is_file() {
        let error = anyhow!("{} holds no run to continue", run.display());
        return Err(error).hint("a new run begins with the weights of --from RUN|FILE");
    }
    Ok(run::record_of(run)?)
}

/// The file that a run began with, which has no checkpoint yet.
fn weights_again(run: &Path) -> Result<Option<PathBuf>> {
    let RunRecord { identity, beginning } = recorded(run)?;
    let (Some(digest), Some(file)) = (identity.weights_blake3, beginning.weights) else {
        return Ok(None);
    };
    let file = PathBuf::from(file);
    if file.is_file() && checkpoint::weights_blake3(&file)? == digest {
        return Ok(Some(file));
    }
    let (run, file) = (run.display(), file.display());
    let error = anyhow!("{run} has no checkpoint yet, and {file} is not what it began with");
    Err(error).hint("name these weights with --from, or choose another --output")
}

/// Where the run starts, in a line.
fn tell_beginning(
    arguments: &TrainArguments,
    continued: Option<&Path>,
    file: Option<&Path>,
    printer: &Printer,
) {
    let output = arguments.output.display();
    if let Some(checkpoint) = continued {
        return printer.say(format!("continues {}", checkpoint.display()));
    }
    if arguments.resume {
        printer.say(format!("{output} holds no checkpoint to continue: the run begins"));
    }
    match file {
        Some(file) => printer.say(format!("begins with the weights of {}", file.display())),
        None => printer.say(format!("begins with seed {}", arguments.seed)),
    }
}

/// What is left when the program ends at once.
fn last_words(run: &Path) -> String {
    match checkpoint::latest(run) {
        Ok(Some(newest)) => {
            format!("stopped at once; the newest checkpoint is {}", newest.display())
        }
        _ => format!("stopped at once; {} has no checkpoint", run.display()),
    }
}

/// What will run, in a few lines.
fn describe(plan: &Plan, resources: Resources, printer: &Printer) {
    let (recipe, stage, schedule) = (&plan.recipe, &plan.stage, &plan.schedule);
    let [name, about, stage_name] =
        [&recipe.name, &recipe.about, &stage.name].map(|text| printable(text));
    printer.say(format!("recipe      {name}, stage {stage_name}: {about}"));
    printer.say(format!("model       {}", recipes::model_line(&plan.cost())));
    printer.say(format!("a sample    {}", recipes::stage_line(recipe, stage)));
    if stage.captions != Captions::First {
        printer.say(format!("captions    {}", stage.captions));
    }
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
