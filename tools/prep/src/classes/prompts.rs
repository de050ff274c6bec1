//! Prompts: every template filled with every class name, tokenized and tagged.

use std::path::Path;

use anyhow::{Result, bail};
use clipa_schemas::{
    manifest::Manifest,
    prompts::{self, Prompt},
};

use super::layout::ClassSet;
use clipa_text::TextParts;

/// Templates for a set that brings none.
pub const DEFAULT_TEMPLATES: [&str; 4] =
    ["a photo of a {}.", "a picture of the {}.", "an image that shows a {}.", "{}"];

/// Writes `prompts.parquet` of a data set, replacing what was there, and names it in the manifest; returns the number
/// of prompts.
///
/// # Errors
/// A template has no place for the class name, or the file cannot be written.
pub fn write_prompts(
    dataset: &Path,
    set: &ClassSet,
    text: &TextParts,
    token_columns: &[String],
) -> Result<usize> {
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
    let mut manifest = Manifest::read(dataset)?;
    let written = Some(prompts::write(dataset, token_columns, &rows)?);
    if manifest.prompts != written {
        manifest.prompts = written;
        manifest.write(dataset)?;
    }
    Ok(rows.len())
}

/// CLIP_benchmark writes `{c}`, open_clip and OpenAI `{}`.
fn fill(template: &str, class_name: &str) -> Result<String> {
    for place in ["{}", "{c}"] {
        if template.contains(place) {
            return Ok(template.replace(place, class_name));
        }
    }
    bail!("template `{template}` has no {{}} or {{c}} where the class name goes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_places_are_filled() {
        assert_eq!(fill("a photo of a {}.", "dog").unwrap(), "a photo of a dog.");
        assert_eq!(fill("art of the {c}", "dog").unwrap(), "art of the dog");
        assert!(fill("a photo", "dog").is_err());
    }
}
