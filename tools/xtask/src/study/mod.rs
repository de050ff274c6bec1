//! `cargo xtask study NAME`: CLIPA's two findings at a size for two CPU cores, from drawing the data to table and plot.
//!
//! ```text
//! OUTPUT/drawn, pairs, classes       the data, drawn and ingested once
//! OUTPUT/cells/CELL-SEED/            two runs without their checkpoints; result.json when both are measured
//! OUTPUT/results.csv, table.md, plot.svg
//! ```
//! A cell that has its result.json is not run again, so that the same command goes on where it was stopped. A cell that fails is a
//! row with its reason, and is tried again by the next run.

mod cells;
mod plot;
mod results;
#[cfg(test)]
mod tests;

use crate::workspace::Workspace;
use crate::{child, demo, talk};
use anyhow::{Context, Result};
use cells::{Cell, Study};
use clap::{Args, ValueEnum};
use clipa_talk::figures;
use results::{Figures, Row};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// The recipe whose stages every cell changes.
const RECIPE: &str = "tiny-i17-t8";
/// Drawn images and their side: 1.18 times the full length's, of whose area crops keep 85 % at least.
const SAMPLES: &str = "8192";
const SIDE: &str = "76";
/// 24 classes, and 20 images of each to classify.
const SHAPES: &str = "--shapes 4 --colours 6 --eval-samples 480";

/// Which study runs, and how much of it.
#[derive(Args, Clone, Debug)]
pub(crate) struct StudyArguments {
    /// The eight reductions, or the law of sizes and lengths
    #[arg(value_enum)]
    pub(crate) study: Study,
    /// Folder of everything that is written [default: target/study/NAME]
    #[arg(long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// Seeds of weights, order and masks: 0, 1, ... Spread needs two or more
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) seeds: u32,
    /// Run the cells of this name only; may be repeated
    #[arg(long, value_name = "CELL")]
    pub(crate) only: Vec<String>,
    /// Threads of each training [default: all cores]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<u16>,
}

/// Where things are, for one study.
struct Place<'a> {
    programs: PathBuf,
    output: PathBuf,
    arguments: &'a StudyArguments,
}

/// Builds the programs, makes the data, runs the cells that have no result yet, and writes table and plot.
pub(crate) fn run(workspace: &Workspace, arguments: &StudyArguments) -> Result<()> {
    let cells = cells::chosen(arguments.study, &arguments.only)?;
    let name = arguments.study.to_possible_value().map(|value| value.get_name().to_owned());
    let name = name.unwrap_or_default();
    let output = match &arguments.output {
        Some(output) => std::env::current_dir()?.join(output),
        None => workspace.root().join("target/study").join(&name),
    };
    let programs = demo::build_programs(workspace)?;
    let place = Place { programs, output, arguments };
    fs::create_dir_all(&place.output)
        .with_context(|| format!("cannot create {}", place.output.display()))?;
    place.data()?;
    let count = cells.len() * arguments.seeds as usize;
    let mut failures = Vec::new();
    for (number, (seed, cell)) in pairs(arguments.seeds, &cells).enumerate() {
        talk::note("study", &format!("cell {} of {count}: {}, seed {seed}", number + 1, cell.name));
        if let Err(error) = place.cell(cell, seed) {
            let reason = format!("{error:#}");
            talk::printer().warn(format!("{}, seed {seed}: {reason}", cell.name));
            failures.push(Row { cell: cell.name, seed, figures: Err(reason) });
        }
        // After each, so that a study that is stopped has shown what it found.
        place.write(&name, &failures)?;
    }
    let all = cells::chosen(arguments.study, &[])?;
    talk::printer().data(results::table(&all, &place.rows(&all, &failures)).trim_end());
    talk::note("study", &format!("table, results.csv and plot.svg: {}", place.output.display()));
    if !failures.is_empty() {
        let failed = figures::counted(failures.len() as u64, "cell");
        anyhow::bail!("{failed} failed: the reasons are in results.csv");
    }
    Ok(())
}

/// Every cell with every seed, seed by seed: a study that is stopped has whole ones.
fn pairs(seeds: u32, cells: &[Cell]) -> impl Iterator<Item = (u32, &Cell)> {
    (0..seeds).flat_map(move |seed| cells.iter().map(move |cell| (seed, cell)))
}

impl Place<'_> {
    fn path(&self, name: &str) -> String {
        self.output.join(name).to_string_lossy().into_owned()
    }

    fn program(&self, name: &str, words: &[&str]) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.args(words);
        command
    }

    /// Draws and ingests what is not there; each of these commands goes on where an earlier one stopped.
    fn data(&self) -> Result<()> {
        let [drawn, pairs, classes] = ["drawn", "pairs", "classes"].map(|name| self.path(name));
        let (train, folders) = (format!("{drawn}/train"), format!("{drawn}/classes"));
        let drawing = format!("synth --samples {SAMPLES} --tars 4 --side {SIDE} {SHAPES}");
        for (words, input, output) in [
            (drawing.as_str(), None, drawn.as_str()),
            ("laion ingest --image 76:rgb8 --image 38:rgb8", Some(&train), pairs.as_str()),
            (
                "classes ingest --image 64:rgb8-square --image 32:rgb8-square",
                Some(&folders),
                classes.as_str(),
            ),
        ] {
            let words: Vec<&str> = words.split(' ').collect();
            let mut command = self.program("clipa-prep", &words);
            command.args(input).args(["--output", output]);
            talk::command(&child::line(&command));
            child::run_silent("study", &mut command)?;
        }
        Ok(())
    }

    fn folder(&self, cell: &Cell, seed: u32) -> PathBuf {
        self.output.join("cells").join(format!("{}-{seed}", cell.name))
    }

    /// Runs a cell, unless an earlier run has its result.
    fn cell(&self, cell: &Cell, seed: u32) -> Result<()> {
        let folder = self.folder(cell, seed);
        if results::read(&folder).is_some() {
            return Ok(());
        }
        let figures = self.train(cell, seed, &folder)?;
        results::keep(&folder, &figures)
    }

    /// What there is of all cells: results of this and earlier runs, failures of this one.
    fn rows(&self, cells: &[Cell], failures: &[Row]) -> Vec<Row> {
        pairs(self.arguments.seeds, cells)
            .filter_map(|(seed, cell)| {
                let found = results::read(&self.folder(cell, seed));
                let failed =
                    || failures.iter().find(|row| row.cell == cell.name && row.seed == seed);
                let found =
                    found.map(|figures| Row { cell: cell.name, seed, figures: Ok(figures) });
                found.or_else(|| failed().cloned())
            })
            .collect()
    }

    /// Pre-trains, fine-tunes at full length, and classifies after each.
    fn train(&self, cell: &Cell, seed: u32, folder: &Path) -> Result<Figures> {
        let began = Instant::now();
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        let [pretrain, finetune] =
            ["pretrain", "finetune"].map(|stage| folder.join(stage).to_string_lossy().into_owned());
        self.stage("pretrain", cell, seed, &pretrain, &[])?;
        let before = self.accuracy(&pretrain)?;
        self.stage("finetune", cell, seed, &finetune, &["--from", &pretrain])?;
        let after = self.accuracy(&finetune)?;
        for run in [&pretrain, &finetune] {
            let checkpoints = Path::new(run).join("checkpoints");
            fs::remove_dir_all(&checkpoints)
                .with_context(|| format!("cannot remove {}", checkpoints.display()))?;
        }
        Ok(Figures { pretrained: before, finetuned: after, seconds: began.elapsed().as_secs_f64() })
    }

    fn stage(&self, stage: &str, cell: &Cell, seed: u32, run: &str, more: &[&str]) -> Result<()> {
        let mut command = self.program("clipa-train", &[stage, "--recipe", RECIPE, "--resume"]);
        command
            .args(["--data", &self.path("pairs"), "--output", run, "--device", "cpu"])
            .args(more);
        command.args(["--seed", &seed.to_string()]);
        if let Some(threads) = self.arguments.threads {
            command.args(["--threads", &threads.to_string()]);
        }
        for set in cells::COMMON.iter().map(|set| (*set).to_owned()).chain(cell.set.clone()) {
            command.args(["--set", &set]);
        }
        talk::command(&child::line(&command));
        child::run_silent("study", &mut command)
    }

    /// Part of the drawn classes' images that got their class.
    fn accuracy(&self, run: &str) -> Result<f64> {
        let classes = self.path("classes");
        let words = ["eval", "--run", run, "--data", &classes, "--device", "cpu", "--json"];
        let text = child::capture(&mut self.program("clipa-train", &words))?;
        results::top1(&text)
    }

    fn write(&self, name: &str, failures: &[Row]) -> Result<()> {
        let cells = cells::chosen(self.arguments.study, &[])?;
        let rows = self.rows(&cells, failures);
        let plot = match self.arguments.study {
            Study::Reductions => plot::rows(&cells, &rows),
            Study::Law => plot::lines(&cells, &rows),
        };
        for (file, text) in [
            ("results.csv", results::csv(name, &cells, &rows)),
            ("table.md", results::table(&cells, &rows)),
            ("plot.svg", plot),
        ] {
            let path = self.output.join(file);
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}
