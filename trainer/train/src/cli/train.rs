//! `clipa-train pretrain` and `clipa-train finetune`.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Result, anyhow};
use clipa_recipe::{Captions, Recipe, Stage};
use clipa_stream::Stream;
use clipa_talk::{Outcome, Printer, WithHint, figures, interrupt, printable, shell};

use super::{
    arguments::{FinetuneArguments, TrainArguments},
    estimate, machine, recipes,
};
use crate::{
    checkpoint::{self, Origin, Weights},
    facts,
    run::{
        self, Beginning, EvaluationPlan, Feed, Plan, Resources, RunFolder, RunRecord, Said,
        StageImages, Told, Training, Unready, Watching,
    },
    watch,
};

/// Samples that are read to see that a data set can be.
const CHECKED_SAMPLES: u64 = 64;
/// Time between two lines at most on a terminal, and elsewhere.
const LINE_EVERY: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(30)];

/// The weights that a run begins with.
#[derive(Clone, Copy, Debug)]
pub(super) enum Start<'a> {
    /// Drawn.
    Random,
    /// Those of a run, checkpoint or file.
    From {
        /// The run, checkpoint or file.
        from: &'a Path,
        /// Which of two kinds.
        weights: Weights,
        /// With the optimizer's moments?
        keep_moments: bool,
    },
    /// Those that the run to be continued began with.
    Recorded,
}

impl<'a> Start<'a> {
    /// What `finetune` was asked for.
    pub(super) fn of(arguments: &'a FinetuneArguments) -> Start<'a> {
        let FinetuneArguments { from, weights, keep_moments, .. } = arguments;
        match from {
            Some(from) => {
                Start::From { from, weights: (*weights).into(), keep_moments: *keep_moments }
            }
            None => Start::Recorded,
        }
    }

    /// The raw weights of a run, and fresh moments.
    pub(super) fn from_weights(from: &'a Path) -> Start<'a> {
        Start::From { from, weights: Weights::Raw, keep_moments: false }
    }
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
    /// What is evaluated on the way.
    evaluations: Option<EvaluationPlan>,
}

impl Planned {
    fn of(arguments: &TrainArguments, stage: &str, start: Start<'_>) -> Result<Planned> {
        let output = &arguments.output;
        let mut recipe = Recipe::load(&arguments.recipe, &arguments.set, Some(stage))?;
        let mut notes = Vec::new();
        let file = match start {
            Start::From { from, weights, .. } => Some(weights.file(checkpoint::model_file(from)?)?),
            Start::Recorded => recorded(output)?.beginning.weights.map(PathBuf::from),
            Start::Random => None,
        };
        if let Start::From { from, .. } = start {
            notes.extend(begun(from, arguments.allow_unfinished)?);
            notes.extend(file.as_deref().and_then(Weights::note));
        }
        // What a run to be continued began with may be gone: its checkpoint holds all that is needed.
        if let Some(file) = file.as_deref().filter(|file| file.is_file()) {
            let (informed, said) = informed(recipe, file, arguments, stage)?;
            recipe = informed;
            notes.extend(said);
        }
        if let (Start::From { .. }, Some(file)) = (start, file.as_deref()) {
            let stage = recipe.stage(stage)?;
            checkpoint::check_file(file, &stage.model(&recipe.model), stage.sizes())?;
        }
        let mut plan = Plan::new(recipe, stage, arguments.seed, &arguments.data)?;
        plan.identity.weights_blake3 = match start {
            Start::Recorded => recorded(output)?.identity.weights_blake3,
            Start::Random | Start::From { .. } => {
                file.as_deref().map(checkpoint::weights_blake3).transpose()?
            }
        };
        plan.identity.moments_blake3 = match (start, &file) {
            (Start::Recorded, _) => recorded(output)?.identity.moments_blake3,
            (Start::From { weights, keep_moments: true, .. }, Some(file)) => {
                Some(moments_of(file, weights)?)
            }
            _ => None,
        };
        notes.extend(refused(run::unfinished_data(&arguments.data)?, arguments.allow_unfinished)?);
        let evaluations = evaluations(arguments, &plan)?;
        notes.extend(evaluations.iter().flat_map(|evaluations| evaluations.notes()).cloned());
        Ok(Planned { plan, file, notes, evaluations })
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
        if let Some(evaluations) = &self.evaluations {
            let lines = evaluations.lines(plan.schedule.total_steps, plan.total_flops());
            lines.into_iter().for_each(|line| printer.say(line));
        }
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
    evaluations: Option<EvaluationPlan>,
}

/// Makes the run's folder, or opens it to be continued; `None` where nothing is left to do.
fn begin(
    arguments: &TrainArguments,
    planned: Planned,
    start: Start<'_>,
    resources: Resources,
    printer: &Printer,
) -> Result<Option<Begun>> {
    let Planned { plan, mut file, evaluations, .. } = planned;
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
    let (training, anew) = plan.training(continued.as_deref(), file.as_deref(), resources)?;
    if !anew.is_empty() {
        printer.say(format!("moments     kept, but those of {} begin at zero", anew.join(", ")));
    }
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
    for changed in folder.keep_recipe(&plan.recipe, &plan.identity)? {
        printer.say(format!("changed     {}", printable(&changed)));
    }
    Ok(Some(Begun { plan, training, folder, continued, file, evaluations }))
}

/// Trains to the stage's end, or until Ctrl-C.
fn go_on(
    arguments: &TrainArguments,
    begun: Begun,
    resources: Resources,
    printer: &Printer,
) -> Result<Outcome> {
    let Begun { plan, mut training, folder, continued, file, evaluations } = begun;
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
    let mut feed = Feed::open(&arguments.data, stream_config, training.cursor())?;
    let say = evaluated(arguments.json, printer.clone());
    let evaluations = evaluations.map(|plan| plan.begin(folder.path(), training.step, say));
    training.evaluations = evaluations.transpose()?;
    let precision = plan.stage.precision;
    let known = || watch::peak_of_device(resources.device, precision);
    let watching = Watching {
        line_every: LINE_EVERY[usize::from(!printer.talk_is_terminal())],
        on_spike: arguments.on_spike,
        peak_flops: arguments.device_tflops.map(|tflops| tflops * 1e12).or_else(known),
    };
    let ending = training.run(&mut feed, &folder, stop, &watching, &mut |said| match said {
        Told::Record(record) if arguments.json => {
            printer.json_line(record).expect("numbers always become JSON");
        }
        Told::Record(record) => printer.say(record),
        Told::Line(record) if !arguments.json => printer.say(record),
        Told::Line(_) => {}
        Told::Warning(warning) => printer.warn(printable(&warning)),
    })?;
    let without = feed.without_source();
    if without > 0 {
        printer.warn(format!(
            "{} showed their first caption: they have several, none from a source that `captions` names",
            figures::counted(without, "sample")
        ));
    }
    Ok(conclude(&ending, plan.schedule.total_steps, printer))
}

/// The checksum of the moments beside weights that a run begins with.
fn moments_of(file: &Path, weights: Weights) -> Result<String> {
    if weights == Weights::Average {
        let error = anyhow!(
            "--keep-moments: the moments are those of the raw weights, not of their average"
        );
        return Err(error).hint("leave out --weights ema, or --keep-moments");
    }
    Ok(checkpoint::weights_blake3(&checkpoint::moments_beside(file)?)?)
}

/// What is evaluated while a stage trains, checked.
fn evaluations(arguments: &TrainArguments, plan: &Plan) -> Result<Option<EvaluationPlan>> {
    if arguments.eval_data.is_empty() {
        return Ok(None);
    }
    let every = arguments.eval_steps.unwrap_or(plan.stage.checkpoint_steps);
    let trust_data = arguments.trust_data;
    let change = move |stream: &mut clipa_stream::StreamConfig| stream.trust_data = trust_data;
    let (paths, of) = (&arguments.eval_data, (&plan.recipe, &plan.stage));
    Ok(Some(EvaluationPlan::new(paths, every, of, &change, arguments.allow_unfinished)?))
}

/// Tells what an evaluation found, as step records are told.
fn evaluated(json: bool, printer: Printer) -> impl FnMut(Said<'_>) + 'static {
    move |said| match said {
        Said::Result(record) if json => {
            printer.json_line(record).expect("numbers always become JSON");
        }
        Said::Result(record) => printer.say(record),
        Said::Failed(why) => printer.warn(printable(&why)),
    }
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
        "checkpoint  every {}, {} each, {}",
        figures::counted(stage.checkpoint_steps, "step"),
        figures::bytes(plan.checkpoint_bytes()),
        kept(stage),
    ));
    if let Some(ema) = stage.ema {
        printer.say(format!("average     of the weights, decay {ema} a step (ema.safetensors)"));
    }
    let workers = figures::counted(resources.workers as u64, "loader thread");
    printer.say(format!("machine     {:?}, {workers}", resources.device));
}

/// Which checkpoints stay.
fn kept(stage: &Stage) -> String {
    let mut kept = format!("{} kept", figures::count(stage.keep_checkpoints));
    if let Some(samples) = stage.keep_every_samples {
        kept += &format!(", one every {} for ever", figures::counted(samples, "sample"));
    }
    if let Some(metric) = &stage.keep_best {
        kept += &format!(", and the best by {}", printable(metric));
    }
    kept
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
