//! `clipa-train eval`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow};
use clipa_talk::{Outcome, Printer, WithHint, figures, printable};
use serde_json::{Map, Value, json};

use super::{
    arguments::EvalArguments,
    curve, machine,
    reading::{Loaded, sets, warn_of_small_images},
};
use crate::{
    checkpoint,
    eval::{ClassReport, EvalSet, Report, Task, evaluate_predicting},
    run::Resources,
};

/// Pairs of classes with one name that are shown.
const SHOWN_PAIRS: usize = 8;

/// One set, evaluated with one model.
struct Evaluated<'s> {
    /// What was evaluated, as it was asked for.
    run: PathBuf,
    /// The file with the weights.
    file: PathBuf,
    /// Steps that they were trained for, where that is known.
    step: Option<u64>,
    /// The stage that they were evaluated as.
    stage: String,
    set: &'s EvalSet,
    report: Report,
}

pub(super) fn eval(arguments: &EvalArguments, printer: &Printer) -> Result<Outcome> {
    let resources = machine::settle(&arguments.machine)?;
    let runs: Vec<&PathBuf> = arguments.runs.iter().chain(&arguments.run).collect();
    let allow_unfinished = arguments.reading.allow_unfinished;
    // Before a model is loaded: what is wrong with a name is known at once.
    for run in runs.iter().filter(|run| !run.exists()) {
        checkpoint::model_file(run)?;
    }
    let sets = sets(&arguments.data, arguments.retrieval, allow_unfinished, printer)?;
    check_predictions(arguments, &runs, &sets)?;
    for run in &runs {
        let several = runs.len() > 1;
        if arguments.all_checkpoints {
            all_checkpoints(run, &sets, arguments, resources, printer)?;
        } else {
            let loaded = Loaded::open(run, &arguments.reading, resources, printer)?;
            let evaluated = evaluated(run, &loaded, &sets, arguments, printer)?;
            let heading = several || sets.len() > 1;
            evaluated.iter().try_for_each(|one| one.print(arguments, heading, printer))?;
            mean_of_sets(&evaluated, arguments, printer);
        }
    }
    Ok(Outcome::Fine)
}

/// Evaluates a model on every set.
fn evaluated<'s>(
    run: &Path,
    loaded: &Loaded,
    sets: &'s [EvalSet],
    arguments: &EvalArguments,
    printer: &Printer,
) -> Result<Vec<Evaluated<'s>>> {
    let evaluate = |set: &'s EvalSet| {
        warn_of_small_images(set, &loaded.reading, printer)?;
        let report = match &arguments.predictions {
            Some(output) => {
                let about = loaded.about()?;
                evaluate_predicting(&loaded.model, set, &loaded.reading, output, &about)?
            }
            None => set.evaluate(&loaded.model, &loaded.reading, &|| true)?,
        };
        if let Report::Classification(report) = &report {
            equal_names(&report.classes).into_iter().for_each(|line| printer.warn(line));
        }
        Ok(Evaluated {
            run: run.to_owned(),
            file: loaded.subject.file.clone(),
            step: loaded.subject.step(),
            stage: loaded.stage.clone(),
            set,
            report,
        })
    };
    sets.iter().map(evaluate).collect()
}

/// Evaluates every checkpoint that a run has kept, oldest first, and shows how each set's metrics went.
fn all_checkpoints(
    run: &Path,
    sets: &[EvalSet],
    arguments: &EvalArguments,
    resources: Resources,
    printer: &Printer,
) -> Result<()> {
    let checkpoints = checkpoint::list(run)?;
    if checkpoints.is_empty() {
        let error = anyhow!("{} holds no checkpoint", run.display());
        return Err(error).hint("--all-checkpoints wants a run");
    }
    let mut curve = Vec::new();
    for (step, folder) in checkpoints {
        let loaded = match Loaded::open(&folder, &arguments.reading, resources, printer) {
            Err(_) if !folder.is_dir() => {
                printer.warn(format!(
                    "step {}: the training removed it meanwhile",
                    figures::count(step)
                ));
                continue;
            }
            loaded => loaded.with_context(|| format!("step {step}"))?,
        };
        let evaluated = evaluated(run, &loaded, sets, arguments, printer)?;
        if arguments.json {
            evaluated.iter().try_for_each(|one| one.print(arguments, false, printer))?;
        }
        curve.extend(evaluated);
    }
    if !arguments.json {
        for set in sets {
            let of_set = || curve.iter().filter(|one| one.set == set);
            let rows: Vec<(String, &Report)> = of_set()
                .map(|one| {
                    (one.step.map_or_else(String::new, |step| step.to_string()), &one.report)
                })
                .collect();
            let Some(last) = of_set().next_back() else { continue };
            printer.data(printable(&last.heading()));
            curve::table("step", &rows).into_iter().for_each(|line| printer.data(line));
        }
    }
    Ok(())
}

/// Refuses `--predictions` where it cannot be, before anything is computed.
fn check_predictions(arguments: &EvalArguments, runs: &[&PathBuf], sets: &[EvalSet]) -> Result<()> {
    let Some(output) = &arguments.predictions else { return Ok(()) };
    if runs.len() > 1 || sets.len() > 1 {
        let error = anyhow!("--predictions is one file, of one run and one data set");
        return Err(error).hint("evaluate each by itself");
    }
    if let Some(set) = sets.iter().find(|set| set.task != Task::Classification) {
        let error = anyhow!("{} has no classes to predict", set.path.display());
        return Err(error).hint("`clipa-train embed` writes the embeddings of pairs");
    }
    if output.symlink_metadata().is_ok() {
        let error = anyhow!("{} is there already, and nothing is overwritten", output.display());
        return Err(error).hint("choose another --predictions");
    }
    Ok(())
}

impl Evaluated<'_> {
    fn heading(&self) -> String {
        format!("{} on {}", self.run.display(), self.set.path.display())
    }

    fn print(&self, arguments: &EvalArguments, heading: bool, printer: &Printer) -> Result<()> {
        if arguments.json {
            return Ok(printer.json_line(&self.to_json(arguments.per_class))?);
        }
        if heading {
            printer.data(printable(&self.heading()));
        }
        printer.data(self.report.to_string().trim_end());
        match &self.report {
            Report::Classification(report) if arguments.per_class => {
                let names = report.classes.iter().map(|class| class.name.chars().count());
                let width = names.max().unwrap_or(0);
                report.classes.iter().for_each(|class| printer.data(class_line(class, width)));
            }
            Report::Classification(_) | Report::Retrieval(_) => {}
        }
        Ok(())
    }

    fn to_json(&self, per_class: bool) -> Value {
        let mut fields = Map::new();
        let mut field = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        field("run", json!(self.run.display().to_string()));
        field("weights", json!(self.file.display().to_string()));
        field("step", json!(self.step));
        field("stage", json!(self.stage));
        field("data", json!(self.set.path.display().to_string()));
        field("set", json!(self.set.name));
        let task = match self.set.task {
            Task::Classification => "classification",
            Task::Retrieval => "retrieval",
        };
        field("task", json!(task));
        if let Value::Object(report) = self.report.to_json(per_class) {
            fields.extend(report);
        }
        fields.into()
    }
}

/// What DataComp averages over its sets, for a model that was evaluated on several.
fn mean_of_sets(evaluated: &[Evaluated<'_>], arguments: &EvalArguments, printer: &Printer) {
    let main = evaluated.iter().filter_map(|one| {
        let metrics = one.report.metrics();
        metrics.into_iter().find(|(name, _)| *name == "main_metric")
    });
    let values: Vec<f64> = main.map(|(_, value)| value).collect();
    if values.len() > 1 && !arguments.json {
        let mean = 100.0 * values.iter().sum::<f64>() / values.len() as f64;
        printer.data(format!("mean of the main metrics of {} sets: {mean:.1} %", values.len()));
    }
}

/// A line for classes that no prompt tells apart: all but the first are never predicted.
fn equal_names(classes: &[ClassReport]) -> Vec<String> {
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    let mut lines = Vec::new();
    for ClassReport { class, name, .. } in classes {
        let earlier = *first.entry(name).or_insert(*class);
        if earlier != *class {
            let name = printable(name);
            lines.push(format!("classes {earlier} and {class} have equal names, `{name}`: the figures of both are low"));
        }
    }
    let more = lines.len().saturating_sub(SHOWN_PAIRS);
    lines.truncate(SHOWN_PAIRS);
    lines.extend((more > 0).then(|| format!("and {more} more pairs of equal class names")));
    lines
}

fn class_line(class: &ClassReport, width: usize) -> String {
    let name = printable(&class.name);
    let held_out = if class.held_out == Some(true) { "  held out" } else { "" };
    format!("  {:>4}  {name:<width$}  {}{held_out}", class.class, class.hits)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use clipa_schemas::reduction::text::TextReduction;

    use super::*;
    use crate::{
        cli::{Arguments, Command, run},
        eval::{EvalError, Hits, Lengths, ZeroShotReport},
    };

    /// What a terminal would obey, and what would pass for a line of the program's own.
    const EVIL: &str = "red\u{1b}[2J\u{9b}31m\u{202e}\u{7}\r\nhint: sh evil.sh";

    fn is_harmless(text: &str) -> bool {
        let mut letters = text.chars();
        !letters.any(|c| (c.is_control() && c != '\n') || c == '\u{202e}')
            && !text.lines().any(|line| line.starts_with("hint: sh"))
    }

    fn arguments(words: &[&str]) -> Arguments {
        Arguments::parse_from([&["clipa-train"], words].concat())
    }

    #[test]
    fn nothing_from_data_steers_the_terminal() {
        let class = ClassReport {
            class: 0,
            name: EVIL.to_owned(),
            held_out: None,
            hits: Hits { samples: 1, top1: 1, top5: 1 },
        };
        let text_reduction = TextReduction::Truncate;
        let report = ZeroShotReport {
            lengths: Lengths { image_size: 32, context_length: 8, text_reduction },
            prompts: 1,
            chance: 1.0,
            all: class.hits,
            held_out: None,
            classes: vec![class],
        };
        let (path, name) = (PathBuf::from(EVIL), EVIL.to_owned());
        let set = EvalSet { path, name, task: Task::Classification, rows: 1 };
        let (run, file) = (PathBuf::from(EVIL), PathBuf::from(EVIL));
        let (stage, report) = (EVIL.to_owned(), Report::Classification(report));
        let evaluated = Evaluated { run, file, step: None, stage, set: &set, report };
        for json in [&[][..], &["--json"]] {
            let words = [&["eval", "--run", "r", "--data", "d", "--per-class"], json].concat();
            let Command::Eval(asked) = arguments(&words).command else { unreachable!() };
            let (printer, captured) = Printer::captured();
            evaluated.print(&asked, true, &printer).unwrap();
            let data = captured.data();
            assert!(data.contains("red") && is_harmless(&data), "{data:?}");
        }
        let (printer, captured) = Printer::captured();
        let (path, prompt) = (PathBuf::from("set"), EVIL.to_owned());
        printer.error(&EvalError::Token { path, prompt, token: 7 }.into());
        assert!(captured.talk().contains("prompt `red") && is_harmless(&captured.talk()));
    }

    #[test]
    fn nor_does_a_path() {
        let words = ["eval", "--run", "a\u{1b}[2Jrun", "--data", "d", "--device", "cpu"];
        let (printer, captured) = Printer::captured();
        let outcome = run(&arguments(&words), &printer);
        printer.exit(outcome);
        let talk = captured.talk();
        assert!(talk.starts_with("error: a[2Jrun: no such run or file\nhint: "), "{talk:?}");
    }
}
