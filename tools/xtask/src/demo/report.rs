//! What the demo says at the end: accuracy beside chance, the files to look at, the commands.

use super::{options::DemoOptions, steps::DoneStep};
use crate::talk;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use clipa_talk::figures;
use serde_json::Value;
use std::fmt::Write;
use std::path::Path;

/// Prints the report on stdout.
pub(super) fn print(workspace: &Workspace, options: &DemoOptions, done: &[DoneStep]) -> Result<()> {
    let mut text = String::from("\nThe commands, to repeat or change:\n");
    for DoneStep { step, took } in done {
        writeln!(text, "  {:>12}  {}", figures::time(*took), step.line())?;
    }
    let total = done.iter().map(|done| done.took).sum();
    writeln!(text, "  {:>12}  in all\n", figures::time(total))?;
    text.push_str(&accuracy(workspace, options, done)?);
    let sheet = options.output.join("sheet.png");
    writeln!(text, "\nContact sheet of the stored images: {}", sheet.display())?;
    talk::printer().data(text.trim_end());
    Ok(())
}

fn accuracy(workspace: &Workspace, options: &DemoOptions, done: &[DoneStep]) -> Result<String> {
    let evaluations: Vec<&Path> = done
        .iter()
        .filter(|done| done.step.name.starts_with("eval"))
        .filter_map(|done| done.step.saves.as_deref())
        .collect();
    let [pretrained, finetuned] = evaluations[..] else {
        let output = options.output.display();
        return Ok(format!(
            "No zero-shot set was given (--classes DIR), so no accuracy. The run is in {output}/finetune\n"
        ));
    };
    let pretrained = Evaluation::read(&workspace.root().join(pretrained))?;
    let finetuned = Evaluation::read(&workspace.root().join(finetuned))?;
    Ok(table(&pretrained, &finetuned))
}

/// The figures of one `clipa-train eval --json`.
struct Evaluation {
    image_size: u64,
    context_length: u64,
    classes: u64,
    /// Part of guesses that are right, in `[0, 1]`.
    chance: f64,
    all: Accuracy,
    held_out: Option<Accuracy>,
}

/// Images, and the part of them that got their class, in `[0, 1]`.
struct Accuracy {
    images: u64,
    top1: f64,
}

impl Accuracy {
    fn from_json(value: &Value) -> Option<Self> {
        Some(Self { images: value.get("samples")?.as_u64()?, top1: value.get("top1")?.as_f64()? })
    }
}

impl Evaluation {
    fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("cannot read {}", file.display()))?;
        let value: Value = serde_json::from_str(&text)
            .with_context(|| format!("{} is not JSON", file.display()))?;
        Self::from_json(&value)
            .with_context(|| format!("{} lacks a figure of the evaluation", file.display()))
    }

    fn from_json(value: &Value) -> Option<Self> {
        let held_out = match value.get("held_out")? {
            Value::Null => None,
            part => Some(Accuracy::from_json(part)?),
        };
        Some(Self {
            image_size: value.get("image_size")?.as_u64()?,
            context_length: value.get("context_length")?.as_u64()?,
            classes: value.get("classes")?.as_u64()?,
            chance: value.get("chance")?.as_f64()?,
            all: Accuracy::from_json(value)?,
            held_out,
        })
    }

    fn lengths(&self) -> String {
        format!("{} px, {} tokens", self.image_size, self.context_length)
    }
}

fn table(before: &Evaluation, after: &Evaluation) -> String {
    let title = format!("Zero-shot top-1 over {} classes", after.classes);
    let mut rows = vec![
        [title, "pre-trained".into(), "fine-tuned".into(), "chance".into()],
        [String::new(), before.lengths(), after.lengths(), String::new()],
    ];
    let mut compare = |name: &str, before: &Accuracy, after: &Accuracy, chance: f64| {
        let name = format!("  {name} ({} images)", after.images);
        let figures = [before.top1, after.top1, chance].map(figures::fraction);
        let [before, after, chance] = figures;
        rows.push([name, before, after, chance]);
    };
    compare("all", &before.all, &after.all, after.chance);
    if let (Some(held_before), Some(held_after)) = (&before.held_out, &after.held_out) {
        compare("combinations never seen in training", held_before, held_after, after.chance);
    }
    rows.iter()
        .map(|[name, before, after, chance]| {
            format!("{name:<52}{before:>18}{after:>18}{chance:>10}").trim_end().to_owned() + "\n"
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn evaluation(top1: f64, held_out: f64) -> Value {
        json!({
            "image_size": 32, "context_length": 8, "prompts": 96, "classes": 48, "chance": 1.0 / 48.0,
            "samples": 480, "top1": top1, "top5": 1.0,
            "held_out": {"samples": 80, "top1": held_out, "top5": 1.0},
        })
    }

    #[test]
    fn the_table_shows_both_stages_beside_chance() {
        let before = Evaluation::from_json(&evaluation(0.5, 0.25)).unwrap();
        let after = Evaluation::from_json(&evaluation(0.75, 1.0)).unwrap();
        let table = table(&before, &after);
        let rows: Vec<Vec<&str>> = table
            .lines()
            .map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect())
            .collect();
        assert_eq!(rows[0][0], "Zero-shot top-1 over 48 classes");
        assert_eq!(rows[1], ["32 px, 8 tokens", "32 px, 8 tokens"]);
        assert_eq!(rows[2], ["all (480 images)", "50.0 %", "75.0 %", "2.08 %"]);
        let unseen = "combinations never seen in training (80 images)";
        assert_eq!(rows[3], [unseen, "25.0 %", "100 %", "2.08 %"]);
    }

    #[test]
    fn a_missing_figure_is_noticed_and_a_set_may_hold_nothing_out() {
        let mut value = evaluation(0.5, 0.5);
        value["held_out"] = Value::Null;
        assert!(Evaluation::from_json(&value).is_some_and(|read| read.held_out.is_none()));
        value["top1"] = Value::Null;
        assert!(Evaluation::from_json(&value).is_none());
    }
}
