//! `clipa-train bench`: a recipe's step on the clock.

use std::{ffi::OsStr, path::Path, time::Duration};

use anyhow::{Result, anyhow};
use clipa_recipe::{Precision, Recipe, model::cost::Cost};
use clipa_stream::Stream;
use clipa_talk::{Outcome, Printer, WithHint, figures, printable};
use serde::Serialize;
use tch::{Device, Tensor};

use super::{arguments::BenchArguments, machine};
use crate::{
    checkpoint::tensors,
    run::{Measured, Plan, Resources, Timing},
};

/// What is printed.
#[derive(Debug, Serialize)]
struct Report {
    recipe: String,
    stage: String,
    device: String,
    precision: Precision,
    parameters: i64,
    image_tokens: i64,
    text_tokens: i64,
    batch: u64,
    micro_batch: u64,
    /// The median of the timed steps.
    step_s: f64,
    samples_per_s: f64,
    /// Operations of the published formulas, forward and backward, without what is computed twice.
    flop_per_s: f64,
    data_wait_percent: f64,
    processor_ms_per_sample: f64,
    #[serde(flatten)]
    measured: Measured,
}

pub(super) fn bench(arguments: &BenchArguments, printer: &Printer) -> Result<Outcome> {
    let resources = machine::settle(&arguments.machine)?;
    let recipe = Recipe::load(&arguments.recipe, &arguments.set, Some(&arguments.stage))?;
    if let Some(file) = &arguments.numbers {
        // Before minutes are spent.
        check_new(file)?;
    }
    let drawn = if arguments.data.is_some() { 0 } else { u64::from(arguments.batches) };
    let asked = arguments.micro_batch;
    let mut timing =
        Timing::new(&recipe, &arguments.stage, (arguments.seed, drawn), asked, resources)?;
    if let Some(from) = &arguments.from {
        timing.begin_with(from)?;
    }
    if let Some(data) = &arguments.data {
        let plan = Plan::new(recipe.clone(), &arguments.stage, arguments.seed, data)?;
        let mut config = plan.stream_config(resources, timing.micro_batch());
        config.trust_data = arguments.trust_data;
        timing.stream(Stream::open(data, config, Default::default())?);
    }
    if let Some(file) = &arguments.numbers {
        let numbers: Vec<(String, Tensor)> = timing.numbers()?;
        tensors::write(file, numbers)?;
        printer.say(format!("numbers     {}", file.display()));
    }
    let measured = timing.measure(arguments.warmup.into(), arguments.steps as usize)?;
    let report = Report::new(&recipe, &arguments.stage, timing.micro_batch(), resources, measured)?;
    if arguments.json {
        printer.json(&report)?;
    } else {
        report.print(printer);
    }
    Ok(Outcome::Fine)
}

fn check_new(file: &Path) -> Result<()> {
    if file.exists() {
        return Err(anyhow!("{} is there already", file.display()))
            .hint("choose another --numbers FILE, or remove it");
    }
    // A checkpoint is known by its files' names.
    if file.extension() != Some(OsStr::new("safetensors")) {
        return Err(anyhow!("--numbers {} does not end in .safetensors", file.display()))
            .hint("name it NAME.safetensors");
    }
    Ok(())
}

impl Report {
    fn new(
        recipe: &Recipe,
        stage: &str,
        micro_batch: u64,
        resources: Resources,
        measured: Measured,
    ) -> Result<Report> {
        let stage = recipe.stage(stage)?;
        let cost = Cost::new(&recipe.model, stage.sizes(), stage.kept_patches(&recipe.model));
        let mut sorted = measured.seconds.clone();
        sorted.sort_by(f64::total_cmp);
        let step_s = (sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2]) / 2.0;
        let batch = stage.batch as f64;
        let [all, waited]: [f64; 2] =
            [&measured.seconds, &measured.waited].map(|seconds| seconds.iter().sum());
        let samples = batch * measured.seconds.len() as f64;
        let flop = cost.training_flops(recipe.model.embed_dim, stage.batch as i64);
        Ok(Report {
            recipe: recipe.name.clone(),
            stage: stage.name.clone(),
            device: match resources.device {
                Device::Cuda(_) => "cuda".to_owned(),
                _ => "cpu".to_owned(),
            },
            precision: stage.precision,
            parameters: cost.parameters(),
            image_tokens: cost.image_tokens,
            text_tokens: cost.text_tokens,
            batch: stage.batch,
            micro_batch,
            step_s,
            samples_per_s: batch / step_s,
            flop_per_s: flop * batch / step_s,
            data_wait_percent: 100.0 * waited / all.max(1e-9),
            processor_ms_per_sample: 1e3 * measured.processor_s / samples,
            measured,
        })
    }

    fn print(&self, printer: &Printer) {
        let Measured { seconds, peak_bytes, .. } = &self.measured;
        let [recipe, stage] = [&self.recipe, &self.stage].map(|name| printable(name));
        let [batch, micro_batch] = [self.batch, self.micro_batch].map(figures::count);
        let step = figures::time(Duration::from_secs_f64(self.step_s));
        for line in [
            format!("recipe      {recipe}, stage {stage}, on {}", self.device),
            format!(
                "step        {step} for {batch} pairs, {micro_batch} at a time (median of {})",
                figures::counted(seconds.len() as u64, "step"),
            ),
            format!("rate        {} samples/s", figures::significant(self.samples_per_s)),
            format!("operations  {}/s", figures::scaled(self.flop_per_s, "FLOP")),
            format!(
                "processor   {} ms a sample",
                figures::significant(self.processor_ms_per_sample)
            ),
            format!("data wait   {}", figures::fraction(self.data_wait_percent / 100.0)),
            format!("peak        {}", peak_bytes.map_or("not known".to_owned(), figures::bytes)),
        ] {
            printer.data(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_counts_and_waiting_is_a_share_of_all_steps() {
        let recipe = Recipe::load("tiny-i17-t8", &[], None).unwrap();
        let measured = Measured {
            seconds: vec![4.0, 1.0, 2.0, 1.0],
            waited: vec![1.0, 0.5, 0.5, 0.0],
            losses: vec![1.0; 4],
            processor_s: 16.0,
            peak_bytes: Some(1_500_000_000),
        };
        let resources = Resources { device: Device::Cpu, workers: 1 };
        let report = Report::new(&recipe, "pretrain", 32, resources, measured).unwrap();
        assert_eq!((report.step_s, report.data_wait_percent), (1.5, 25.0));
        assert_eq!(report.processor_ms_per_sample, 62.5);
        assert!((report.samples_per_s - 64.0 / 1.5).abs() < 1e-9);
        let (printer, captured) = Printer::captured();
        report.print(&printer);
        let said = captured.data();
        assert!(said.contains("step        1.50 s for 64 pairs, 32 at a time"), "{said}");
        assert!(said.contains("peak        1.50 GB"), "{said}");
    }
}
