//! What the demo says at the end: accuracy beside chance, the files to look at, the commands.

use super::{DemoOptions, DoneStep};
use crate::printer;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use serde_json::Value;
use std::fmt::Write;
use std::path::Path;

/// Prints the report on stdout.
pub(super) fn print(workspace: &Workspace, options: &DemoOptions, done: &[DoneStep]) -> Result<()> {
    let mut text = String::from("\nThe commands, to repeat or change:\n");
    for DoneStep { step, took } in done {
        writeln!(text, "  {:>12}  {}", printer::seconds(*took), step.line())?;
    }
    let total = done.iter().map(|done| done.took).sum();
    writeln!(text, "  {:>12}  in all\n", printer::seconds(total))?;
    text.push_str(&accuracy(workspace, options, done)?);
    let sheet = options.output.join("sheet.png");
    writeln!(text, "\nContact sheet of the stored images: {}", sheet.display())?;
    printer::data(&text);
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

/// The figures of one `clipa-train eval --json`, fractions between 0 and 1.
struct Evaluation {
    classes: u64,
    images: u64,
    top1: f64,
    held_out: Option<(u64, f64)>,
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
        let held_out = match value.get("held_out") {
            None | Some(Value::Null) => None,
            Some(part) => Some((part.get("samples")?.as_u64()?, part.get("top1")?.as_f64()?)),
        };
        Some(Self {
            classes: value.get("classes")?.as_u64()?,
            images: value.get("samples")?.as_u64()?,
            top1: value.get("top1")?.as_f64()?,
            held_out,
        })
    }
}

fn table(pretrained: &Evaluation, finetuned: &Evaluation) -> String {
    let mut lines = vec![format!(
        "Zero-shot top-1, {} images of {} classes{:>14}{:>14}{:>10}",
        finetuned.images, finetuned.classes, "pre-trained", "fine-tuned", "chance"
    )];
    let width = lines[0].len() - 38;
    let chance = 1.0 / finetuned.classes as f64;
    let mut row = |name: String, before: f64, after: f64| {
        lines.push(format!(
            "{name:<width$}{:>14}{:>14}{:>10}",
            percent(before),
            percent(after),
            percent(chance)
        ));
    };
    row("  all".into(), pretrained.top1, finetuned.top1);
    if let (Some((_, before)), Some((images, after))) = (pretrained.held_out, finetuned.held_out) {
        row(format!("  compositions never seen ({images})"), before, after);
    }
    lines.join("\n") + "\n"
}

/// Three significant figures.
fn percent(fraction: f64) -> String {
    let percent = fraction * 100.0;
    match percent {
        ..9.995 => format!("{percent:.2} %"),
        ..99.95 => format!("{percent:.1} %"),
        _ => format!("{percent:.0} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_table_shows_both_stages_beside_chance() {
        let value = |top1, held_out| {
            json!({"classes": 48, "samples": 480, "top1": top1,
                "held_out": {"samples": 80, "top1": held_out}})
        };
        let before = Evaluation::from_json(&value(0.5, 0.25)).unwrap();
        let after = Evaluation::from_json(&value(0.75, 1.0)).unwrap();
        let table = table(&before, &after);
        let rows: Vec<Vec<&str>> = table
            .lines()
            .map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect())
            .collect();
        assert_eq!(rows[1], ["all", "50.0 %", "75.0 %", "2.08 %"]);
        assert_eq!(rows[2], ["compositions never seen (80)", "25.0 %", "100 %", "2.08 %"]);
        let widths: Vec<usize> = table.lines().map(str::len).collect();
        assert!(widths.iter().all(|width| *width == widths[0]), "{table}");
    }

    #[test]
    fn a_missing_figure_is_noticed() {
        assert!(Evaluation::from_json(&json!({"classes": 48, "samples": 480})).is_none());
    }
}
