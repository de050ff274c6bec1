//! Evaluation while a stage trains.
//!
//! Nothing of the training changes by it: the model is read and not written, evaluation draws nothing at random, and its
//! batches come from streams of their own. It costs the time that it takes, which every record says.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use clipa_recipe::{
    Recipe, Stage,
    model::{ModelConfig, config::VisionPositions, cost::Cost},
};
use clipa_stream::StreamConfig;
use clipa_talk::{figures, printable};
use serde_json::json;

use super::{RESULTS, RecordsFile, ResultRecord, RunError, reading::stream_config, ready};
use crate::{
    eval::{Asked, EvalError, EvalSet, Reading, Report, Results},
    model::{Clip, InputSizes},
};

/// Images of a batch, whatever the stage's is: as `clipa-train eval` has it.
const BATCH: usize = 128;

/// What to evaluate on and how often, checked before anything is written.
#[derive(Clone, Debug)]
pub struct EvaluationPlan {
    sets: Vec<EvalSet>,
    at: Vec<At>,
    every: u64,
    /// Forward operations of one evaluation.
    flops: f64,
    /// What a person should know of the sets.
    notes: Vec<String>,
}

/// Lengths to evaluate at.
#[derive(Clone, Debug)]
struct At {
    /// `stage` or `full`.
    name: &'static str,
    /// The stage that they are of.
    stage: String,
    sizes: InputSizes,
    positions: VisionPositions,
    reading: Reading,
}

/// The evaluations of a stage under way.
pub struct Evaluations {
    plan: EvaluationPlan,
    file: RecordsFile<ResultRecord>,
    say: Box<dyn FnMut(Said<'_>)>,
}

/// What an evaluation has to tell.
#[derive(Debug)]
pub enum Said<'r> {
    /// It found something.
    Result(&'r ResultRecord),
    /// It could not be made, in words; the training goes on.
    Failed(String),
}

impl fmt::Debug for Evaluations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Evaluations").field("plan", &self.plan).finish_non_exhaustive()
    }
}

impl EvaluationPlan {
    /// Checks each of the data sets `paths` against a stage of a recipe: at the stage's lengths, and at those of the recipe's
    /// last stage where they are others. `every` is the number of steps between two evaluations.
    ///
    /// # Errors
    /// What is no data set or not finished (unless `allow_unfinished`), or lacks what the model reads.
    pub fn new(
        paths: &[PathBuf],
        every: u64,
        (recipe, stage): (&Recipe, &Stage),
        change: &dyn Fn(&mut StreamConfig),
        allow_unfinished: bool,
    ) -> Result<EvaluationPlan, RunError> {
        let mut plan = EvaluationPlan {
            sets: Vec::new(),
            at: lengths(recipe, stage, change)?,
            every: every.max(1),
            flops: 0.0,
            notes: Vec::new(),
        };
        for path in paths {
            match ready::unfinished_data(path)? {
                Some(unready) if !allow_unfinished => return Err(unready.into()),
                unready => plan.notes.extend(unready.map(|unready| unready.to_string())),
            }
            let mut set = EvalSet::open(path, false)?;
            for at in &plan.at {
                let texts = set.check(&at.reading, recipe.model.text.vocab_size)?;
                plan.flops += at.flops(&recipe.model, set.rows, texts);
            }
            if plan.sets.iter().any(|other| other.name == set.name) {
                set.name = path.display().to_string();
            }
            plan.sets.push(set);
        }
        Ok(plan)
    }

    /// What will be evaluated, for a person; `steps` and `flops` are the stage's.
    pub fn lines(&self, steps: u64, flops: f64) -> Vec<String> {
        let sets: Vec<String> = self
            .sets
            .iter()
            .map(|set| {
                format!("{} ({})", printable(&set.name), figures::counted(set.rows, "image"))
            })
            .collect();
        let at: Vec<String> = self
            .at
            .iter()
            .map(|at| {
                format!(
                    "{} px and {} text tokens ({})",
                    at.sizes.image_size,
                    at.sizes.context_length,
                    printable(&at.stage)
                )
            })
            .collect();
        let times = steps.div_ceil(self.every);
        let share = self.flops * times as f64 / flops.max(1.0);
        vec![format!(
            "evaluation  every {} on {}, at {}; in all {} of the stage's own operations, for which it waits",
            figures::counted(self.every, "step"),
            sets.join(", "),
            at.join(" and "),
            figures::fraction(share),
        )]
    }

    /// What a person should know of the sets.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Opens the results of a run that has done `steps` steps; `say` is told what is found.
    ///
    /// # Errors
    /// The disk.
    pub fn begin(
        self,
        run: &Path,
        steps: u64,
        say: impl FnMut(Said<'_>) + 'static,
    ) -> Result<Evaluations, RunError> {
        let file = RecordsFile::open(&run.join(RESULTS), steps)?;
        Ok(Evaluations { plan: self, file, say: Box::new(say) })
    }
}

impl At {
    fn flops(&self, model: &ModelConfig, images: u64, texts: u64) -> f64 {
        let patches = model.grid_side(self.sizes).pow(2);
        let cost = Cost::new(model, self.sizes, patches);
        cost.image_flops * images as f64 + cost.text_flops * texts as f64
    }
}

/// The lengths of a stage, and those of the recipe's last one.
fn lengths(
    recipe: &Recipe,
    stage: &Stage,
    change: &dyn Fn(&mut StreamConfig),
) -> Result<Vec<At>, RunError> {
    let at = |name, asked: Option<&Stage>| -> Result<At, RunError> {
        let asked = asked.map(|asked| asked.name.clone());
        let evaluated = Asked { stage: asked, ..Asked::default() }.stage(recipe, &stage.name)?;
        let mut stream = stream_config(recipe, &evaluated, 1);
        stream.batch = BATCH;
        change(&mut stream);
        Ok(At {
            name,
            sizes: evaluated.sizes(),
            positions: evaluated.model(&recipe.model).vision.positions,
            // A stage may be evaluated in another one's lengths, but not in another precision than it trains in.
            reading: Reading { stream, precision: stage.precision },
            stage: evaluated.name,
        })
    };
    let mut all = vec![at("stage", None)?];
    let last = recipe.stages.last().filter(|last| {
        last.sizes() != stage.sizes() || last.text_reduction != stage.text_reduction
    });
    all.extend(last.map(|last| at("full", Some(last))).transpose()?);
    Ok(all)
}

impl Evaluations {
    /// Is this step followed by an evaluation? The last one always is.
    pub fn is_due(&self, step: u64, is_last: bool) -> bool {
        is_last || step.is_multiple_of(self.plan.every)
    }

    /// Goes back to `step` within a process: what was found later counts no more.
    ///
    /// # Errors
    /// The disk.
    pub fn rewind(&mut self, run: &Path, step: u64) -> Result<(), RunError> {
        self.file = RecordsFile::open(&run.join(RESULTS), step)?;
        Ok(())
    }

    /// Does a continued run owe the evaluation of the step that it goes on from? It was interrupted, or not asked for then.
    pub fn is_owed(&self, step: u64) -> bool {
        step > 0 && self.is_due(step, false) && !self.file.has(step)
    }

    /// Evaluates the model after a step and returns what was found; given up as soon as `stop` is set, and then nothing of it
    /// is kept. What cannot be evaluated is said, and is no reason to end a training.
    ///
    /// # Errors
    /// The results cannot be written.
    pub fn run(
        &mut self,
        step: u64,
        samples: u64,
        model: &Clip,
        stop: &AtomicBool,
    ) -> Result<Results, RunError> {
        let goes_on = || !stop.load(Ordering::Relaxed);
        let (mut records, mut found) = (Vec::new(), Results::default());
        for at in &self.plan.at {
            let other = match at.is_of(model) {
                true => None,
                false => Some(model.at_lengths(at.positions, at.sizes)?),
            };
            let model = other.as_ref().unwrap_or(model);
            for set in &self.plan.sets {
                let began = Instant::now();
                match set.evaluate(model, &at.reading, &goes_on) {
                    Ok(report) => {
                        let seconds = began.elapsed().as_secs_f64();
                        let record = record(step, samples, set, at.name, &report, seconds);
                        for (name, value) in report.metrics() {
                            found.insert(at.metric(&set.name, name), value);
                        }
                        (self.say)(Said::Result(&record));
                        records.push(record);
                    }
                    Err(EvalError::Stopped) => return Ok(Results::default()),
                    Err(error) => {
                        let set = printable(&set.name);
                        (self.say)(Said::Failed(format!(
                            "{set} was not evaluated at step {step}: {error}"
                        )));
                    }
                }
            }
        }
        self.file.append(&records)?;
        Ok(found)
    }
}

impl At {
    fn is_of(&self, model: &Clip) -> bool {
        self.sizes == model.sizes() && self.positions == model.config().vision.positions
    }

    /// The name of a metric among [`Results`].
    fn metric(&self, set: &str, name: &str) -> String {
        match self.name {
            "full" => format!("{set}@full/{name}"),
            _ => format!("{set}/{name}"),
        }
    }
}

fn record(
    step: u64,
    samples: u64,
    set: &EvalSet,
    lengths: &str,
    report: &Report,
    seconds: f64,
) -> ResultRecord {
    let metrics = report.metrics().into_iter();
    ResultRecord {
        step,
        samples,
        set: set.name.clone(),
        data: set.path.display().to_string(),
        lengths: lengths.to_owned(),
        image_size: report.lengths().image_size,
        context_length: report.lengths().context_length,
        images: report.images(),
        metrics: metrics.map(|(name, value)| (name.to_owned(), json!(value))).collect(),
        seconds,
    }
}
