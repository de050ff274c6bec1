//! What the cells found: kept one by one, and put together as CSV and as a table.

use super::cells::Cell;
use anyhow::{Context, Result};
use clipa_talk::figures;
use serde_json::{Value, json};
use std::fmt::Write;
use std::fs;
use std::path::Path;

const RESULT: &str = "result.json";

/// A cell's figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Figures {
    /// Top-1 accuracy at the lengths of pre-training, in `[0, 1]`.
    pub(super) pretrained: f64,
    /// After fine-tuning at full length.
    pub(super) finetuned: f64,
    /// All of it.
    pub(super) seconds: f64,
}

/// A cell with a seed, and what it found or why not.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) cell: &'static str,
    pub(super) seed: u32,
    pub(super) figures: Result<Figures, String>,
}

/// The figures that an earlier run kept in a cell's folder.
pub(super) fn read(folder: &Path) -> Option<Figures> {
    let text = fs::read_to_string(folder.join(RESULT)).ok()?;
    let value: Value = serde_json::from_str(&text).ok()?;
    let [pretrained, finetuned, seconds] =
        ["pretrained", "finetuned", "seconds"].map(|key| value.get(key).and_then(Value::as_f64));
    Some(Figures { pretrained: pretrained?, finetuned: finetuned?, seconds: seconds? })
}

/// Keeps figures in a cell's folder; the cell is done then.
pub(super) fn keep(folder: &Path, figures: &Figures) -> Result<()> {
    let Figures { pretrained, finetuned, seconds } = figures;
    let value = json!({"pretrained": pretrained, "finetuned": finetuned, "seconds": seconds});
    let (path, partial) = (folder.join(RESULT), folder.join("result.partial"));
    fs::write(&partial, format!("{value}\n"))
        .and_then(|()| fs::rename(&partial, &path))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Top-1 accuracy of `clipa-train eval --json`.
pub(super) fn top1(text: &str) -> Result<f64> {
    let value: Value = serde_json::from_str(text).context("the evaluation is not JSON")?;
    value.get("top1").and_then(Value::as_f64).context("the evaluation has no `top1`")
}

/// Every row, failures with their reasons.
pub(super) fn csv(study: &str, cells: &[Cell], rows: &[Row]) -> String {
    let mut text =
        "study,cell,seed,image_tokens,text_tokens,pretrained_top1,finetuned_top1,seconds,failure\n"
            .to_owned();
    for row in rows {
        let Some(cell) = cells.iter().find(|cell| cell.name == row.cell) else { continue };
        let found = match &row.figures {
            Ok(Figures { pretrained, finetuned, seconds }) => {
                format!("{pretrained:.4},{finetuned:.4},{seconds:.0},")
            }
            Err(reason) => format!(",,,\"{}\"", reason.replace('"', "\"\"").replace('\n', " ")),
        };
        let (image, words) = (cell.image_tokens, cell.text_tokens);
        let _ = writeln!(text, "{study},{},{},{image},{words},{found}", cell.name, row.seed);
    }
    text
}

/// Mean and standard deviation over seeds, in percent; no deviation of one.
pub(super) fn spread(values: &[f64]) -> Option<(f64, Option<f64>)> {
    let count = values.len() as f64;
    let mean = (count > 0.0).then(|| values.iter().sum::<f64>() / count)?;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let deviation = (count > 1.0).then(|| (squares / (count - 1.0)).sqrt());
    Some((100.0 * mean, deviation.map(|deviation| 100.0 * deviation)))
}

/// What was found of a cell, seed by seed.
pub(super) fn found<'r>(rows: &'r [Row], cell: &Cell) -> impl Iterator<Item = Figures> + use<'r> {
    let name = cell.name;
    rows.iter().filter(move |row| row.cell == name).filter_map(|row| row.figures.clone().ok())
}

/// Cell by cell, as Markdown.
pub(super) fn table(cells: &[Cell], rows: &[Row]) -> String {
    let mut text = "| cell | image tokens | text tokens | seeds | pre-trained, top-1 % | fine-tuned, top-1 % |\n\
                    |---|---|---|---|---|---|\n"
        .to_owned();
    for cell in cells {
        let found: Vec<Figures> = found(rows, cell).collect();
        let said =
            |of: fn(&Figures) -> f64| match spread(&found.iter().map(of).collect::<Vec<f64>>()) {
                Some((mean, Some(deviation))) => format!("{mean:.1} ± {deviation:.1}"),
                Some((mean, None)) => format!("{mean:.1}"),
                None => "none".to_owned(),
            };
        let (before, after) = (said(|found| found.pretrained), said(|found| found.finetuned));
        let (image, words) = (cell.image_tokens, cell.text_tokens);
        let count = figures::count(found.len() as u64);
        let _ =
            writeln!(text, "| {} | {image} | {words} | {count} | {before} | {after} |", cell.name);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::{
        cells::{Study, chosen},
        tests::some_rows,
    };
    use super::*;

    #[test]
    fn a_table_has_means_and_spread_and_failures_keep_their_reasons() {
        let cells = chosen(Study::Reductions, &[]).unwrap();
        let rows = some_rows(&cells);
        let table = table(&cells, &rows);
        assert!(
            table.contains("| resize+syntax | 17 | 8 | 3 | 25.0 ± 0.0 | 52.0 ± 2.0 |"),
            "{table}"
        );
        assert!(table.contains("| image-random | 17 | 8 | 2 |"), "{table}");
        let csv = csv("reductions", &cells, &rows);
        assert_eq!(csv.lines().count(), 1 + 21);
        assert!(csv.contains("reductions,resize+syntax,0,17,8,0.2500,0.5000,61,\n"), "{csv}");
        assert!(csv.contains("image-random,1,17,8,,,,\"no \"\"room\"\" left\"\n"), "{csv}");
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[0.5]), Some((50.0, None)));
    }

    #[test]
    fn figures_survive_the_disk() {
        let folder = std::env::temp_dir().join(format!("xtask-study-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        assert_eq!(read(&folder), None);
        let figures = Figures { pretrained: 0.125, finetuned: 0.5, seconds: 61.25 };
        keep(&folder, &figures).unwrap();
        assert_eq!(read(&folder), Some(figures));
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(top1(r#"{"samples": 4, "top1": 0.75}"#).unwrap(), 0.75);
        assert!(top1("{}").is_err());
    }
}
