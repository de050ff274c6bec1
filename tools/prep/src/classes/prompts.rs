//! Prompts: every template filled with every class name, tokenized and tagged.

use std::path::Path;

use anyhow::Result;
use clipa_schemas::{
    manifest::Manifest,
    prompts::{self, PROMPTS, Prompt, Prompts},
};
use clipa_talk::{figures, printable};
use clipa_text::TextParts;

use super::{set::ClassSet, templates::fill};

/// Templates for a set that brings none.
pub const DEFAULT_TEMPLATES: [&str; 4] =
    ["a photo of a {}.", "a picture of the {}.", "an image that shows a {}.", "{}"];

/// Differences that a message shows.
const SHOWN_DIFFERENCES: usize = 4;

/// What became of a set's prompts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Their number.
    pub prompts: usize,
    /// What an earlier run had otherwise, for a person; empty where nothing was replaced.
    pub replaced: Vec<String>,
}

/// Writes `prompts.parquet` of a data set, replacing what was there, and names it in the manifest.
///
/// # Errors
/// A template has no place for the class name, or the file cannot be written.
pub fn write_prompts(
    dataset: &Path,
    set: &ClassSet,
    text: &TextParts,
    token_columns: &[String],
) -> Result<Written> {
    let default = DEFAULT_TEMPLATES.map(str::to_owned);
    let templates = set.templates.as_deref().unwrap_or(&default);
    let mut encoder = text.encoder();
    let mut rows = Vec::with_capacity(set.class_names.len() * templates.len());
    for (class, class_name) in set.class_names.iter().enumerate() {
        for template in templates {
            let prompt = fill(template, class_name)?;
            let encoded = encoder.encode(&prompt);
            let held_out = set.held_out.as_ref().map(|marks| marks[class]);
            rows.push(Prompt {
                class: class as u32,
                class_name: class_name.clone(),
                template: template.clone(),
                prompt,
                held_out,
                pos: encoded.pos.clone(),
                tokens: encoded.into_columns(),
            });
        }
    }
    let replaced = differences(dataset, token_columns, &rows);
    let mut manifest = Manifest::read(dataset)?;
    let written = Some(prompts::write(dataset, token_columns, &rows)?);
    if manifest.prompts != written {
        manifest.prompts = written;
        manifest.write(dataset)?;
    }
    Ok(Written { prompts: rows.len(), replaced })
}

/// What an earlier run's prompts say otherwise.
fn differences(dataset: &Path, token_columns: &[String], now: &[Prompt]) -> Vec<String> {
    if !dataset.join(PROMPTS).is_file() {
        return Vec::new();
    }
    let Some(there) = token_columns.first().and_then(|c| prompts::read(dataset, c).ok()) else {
        return vec!["the prompts that were there could not be read".to_owned()];
    };
    let mut lines = name_differences(&there, now);
    let more = lines.len().saturating_sub(SHOWN_DIFFERENCES);
    lines.truncate(SHOWN_DIFFERENCES);
    if more > 0 {
        lines.push(format!("and {} more", figures::counted(more as u64, "class name")));
    }
    let first_class = |class: u32| now.iter().filter(move |prompt| prompt.class == class);
    let templates: Vec<&String> = first_class(0).map(|prompt| &prompt.template).collect();
    let before: Vec<&String> = (there.class.iter().zip(&there.template))
        .filter_map(|(&class, template)| (class == 0).then_some(template))
        .collect();
    if templates != before {
        let (before, now) = (before.len() as u64, templates.len() as u64);
        let (before, now) = (figures::counted(before, "template"), figures::count(now));
        lines.push(format!("{before} there, {now} others now"));
    }
    if there.held_out.iter().ne(now.iter().map(|prompt| &prompt.held_out)) && lines.is_empty() {
        lines.push("the held-out classes".to_owned());
    }
    lines
}

fn name_differences(there: &Prompts, now: &[Prompt]) -> Vec<String> {
    let mut names: Vec<Option<&String>> = vec![None; there.classes()];
    for (&class, name) in there.class.iter().zip(&there.class_name) {
        names[class as usize] = Some(name);
    }
    let mut lines = Vec::new();
    let mut last = None;
    for prompt in now {
        let before = names.get(prompt.class as usize).copied().flatten();
        if last != Some(prompt.class) && before != Some(&prompt.class_name) {
            let before = before.map_or("absent".into(), |name| printable(name));
            let (class, name) = (prompt.class, printable(&prompt.class_name));
            lines.push(format!("class {class}: `{before}` there, `{name}` now"));
        }
        last = Some(prompt.class);
    }
    lines
}
