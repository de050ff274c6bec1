//! `clipa-prep synth`.

use std::{
    num::NonZeroUsize, ops::ControlFlow, path::PathBuf, sync::atomic::Ordering, time::Instant,
};

use clap::Args;

use clipa_synth::{
    SynthError,
    drawing::{self, CLASSES_FOLDER, TRAINING_FOLDER},
    plan::{Folder, Plan},
};
use clipa_talk::{
    Failure, Interrupted, Outcome, Printer,
    figures::{count, rate, time},
    interrupt, shell,
    threads::thread_count,
};

const ABOUT_THE_SETS: &str = "\
The pictures show coloured shapes; the captions say so in the many ways of the web. The training \
set is laid out as img2dataset writes LAION (tars with .jpg, .json, .txt), the zero-shot set as \
CLIP_benchmark reads it; its classes are all pairs of shape and colour, of which a few never occur \
in training. The same numbers give the same bytes. A run that was stopped is continued.

Examples:
  clipa-prep synth --output drawn
  clipa-prep synth --output drawn-large --samples 100000 --tars 50 --side 128";

/// Draw a captioned training set and a zero-shot set, so that everything can be tried with no data
#[derive(Args, Clone, Debug)]
#[command(after_help = ABOUT_THE_SETS)]
pub struct SynthArgs {
    /// Folder for the two sets: new, empty, or begun by the same command.
    #[arg(long, value_name = "DIR")]
    pub output: PathBuf,
    /// Number of training images. More takes longer (about 0.3 ms of CPU each) and lets a model learn more.
    #[arg(long, value_name = "N", default_value_t = Plan::default().samples)]
    pub samples: u32,
    /// Number of tars that they are spread over; also how many threads can share the work.
    #[arg(long, value_name = "N", default_value_t = Plan::default().tars)]
    pub tars: u32,
    /// Short side of the images in pixels. Choose 1.58 times what a stage trains at, or more.
    #[arg(long, value_name = "PIXELS", default_value_t = Plan::default().side)]
    pub side: u32,
    /// Number of different shapes, 2 to 12. Fewer are easier to learn.
    #[arg(long, value_name = "N", default_value_t = Plan::default().shapes)]
    pub shapes: u32,
    /// Number of different colours, 2 to 8. Fewer are easier to learn.
    #[arg(long, value_name = "N", default_value_t = Plan::default().colours)]
    pub colours: u32,
    /// Number of zero-shot images, spread evenly over the classes (shapes times colours).
    #[arg(long, value_name = "N", default_value_t = Plan::default().eval_samples)]
    pub eval_samples: u32,
    /// Seed of everything that is drawn by lot.
    #[arg(long, value_name = "N", default_value_t = Plan::default().seed)]
    pub seed: u64,
    /// Number of threads; the bytes do not depend on it [default: one per core].
    #[arg(long, value_name = "N", value_parser = thread_count)]
    pub threads: Option<NonZeroUsize>,
    /// Say what would be drawn, and write nothing.
    #[arg(long)]
    pub dry_run: bool,
}

impl SynthArgs {
    fn plan(&self) -> Result<Plan, SynthError> {
        Plan {
            samples: self.samples,
            tars: self.tars,
            side: self.side,
            shapes: self.shapes,
            colours: self.colours,
            eval_samples: self.eval_samples,
            seed: self.seed,
            ..Plan::default()
        }
        .checked()
    }
}

/// Draws the sets.
///
/// # Errors
/// Numbers out of range, an output that holds something else, a file that cannot be written.
pub fn run(args: &SynthArgs, printer: &Printer) -> anyhow::Result<Outcome> {
    let plan = args.plan()?;
    let output = &args.output;
    let there = plan.examine(output).map_err(with_remedy)?;
    let units = plan.missing(output);
    let pictures: u64 = units.iter().map(|&unit| u64::from(plan.pictures(unit))).sum();
    if there == Folder::SamePlan && units.is_empty() {
        printer.say(format!("{} is complete: nothing to draw", output.display()));
        return Ok(Outcome::Fine);
    }
    let set = description(&plan);
    if args.dry_run {
        printer.say(format!("would draw {set} into {}", output.display()));
        printer.say(format!("{} of these images are missing there", count(pictures)));
        return Ok(Outcome::Fine);
    }
    match there {
        Folder::Fresh => printer.say(format!("drawing {set}")),
        Folder::SamePlan => {
            let left = count(pictures);
            printer.say(format!("continuing in {}: {left} images are left", output.display()));
        }
    }
    let threads = super::options::threads(args.threads);
    let started = Instant::now();
    let stop = interrupt::catch(printer, "stopping after the pictures in hand")?;
    let progress = printer.progress("drawing", "images", pictures);
    let drawn = || {
        progress.advance(1);
        if stop.load(Ordering::Relaxed) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    drawing::draw(&plan, output, &units, threads, &drawn).map_err(with_remedy)?;
    drop(progress);
    let elapsed = started.elapsed();
    let (drawn, speed) = (count(pictures), rate(pictures, "images", elapsed));
    printer.say(format!("drew {drawn} images in {} ({speed})", time(elapsed)));
    let training = output.join(TRAINING_FOLDER);
    printer.say(format!("training set: {}/*.tar", training.display()));
    printer.say(format!("zero-shot set: {}", output.join(CLASSES_FOLDER).display()));
    let tars = shell::quoted(training.join("*.tar"));
    printer.hint(format!("next: clipa-prep laion ingest {tars} --output DATASET"));
    Ok(Outcome::Fine)
}

fn description(plan: &Plan) -> String {
    format!(
        "{} captioned images in {} tars and {} images of {} classes ({} never in training), seed {}",
        count(plan.samples.into()),
        count(plan.tars.into()),
        count(plan.eval_samples.into()),
        plan.classes(),
        plan.held_out().len(),
        plan.seed,
    )
}

/// The remedy of what keeps a set from being completed.
const CONTINUES: &str = "the same command continues where this one stopped";

fn with_remedy(error: SynthError) -> anyhow::Error {
    let remedy = match &error {
        SynthError::Occupied { .. } => "give a new or empty folder as --output",
        SynthError::OtherPlan { .. } => {
            "give another --output, or the same numbers to continue that set; nothing was changed"
        }
        SynthError::Plan { .. } => "give another --output, or remove the damaged set",
        SynthError::Stopped => {
            let error = Interrupted("stopped before everything was drawn; what is complete stays");
            return Failure::new(error, CONTINUES).into();
        }
        SynthError::File { .. }
        | SynthError::Write(_)
        | SynthError::Tar { .. }
        | SynthError::Parquet { .. } => CONTINUES,
        SynthError::OutOfRange { .. } | SynthError::Jpeg(_) => return error.into(),
    };
    Failure::new(error, remedy).into()
}
