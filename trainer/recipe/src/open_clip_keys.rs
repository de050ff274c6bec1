//! open_clip's words for a stage's text, understood beside our own.
//!
//! CLIPA and open_clip until October 2023 wrote `text_mask` (first, syntax, random, block), open_clip 3 reads
//! `tokenizer_kwargs.reduction_mask` (simple, random, shuffle, syntax), and its documents name `tokenizer_kwargs.text_mask`.
//! The values are [`TextReduction`]'s to understand.
//!
//! [`TextReduction`]: clipa_schemas::reduction::text::TextReduction

use toml::{Table, Value};

use super::RecipeError;

/// open_clip's table of the tokenizer's options.
const TOKENIZER: &str = "tokenizer_kwargs";
/// Keys of open_clip, in [`TOKENIZER`] or beside it, and ours.
const KEYS: [(&str, &str); 3] = [
    ("text_mask", "text_reduction"),
    ("reduction_mask", "text_reduction"),
    ("strip_sep_token", "strip_sep_token"),
];

/// Our key for a key of a stage in open_clip's words.
pub(super) fn translated<'a>(path: &[&'a str]) -> Option<&'a str> {
    let ([key] | [TOKENIZER, key]) = path else { return None };
    KEYS.iter().find(|(theirs, _)| theirs == key).map(|&(_, ours)| ours)
}

/// Puts our keys in the place of open_clip's in every stage; gives whether there were any.
///
/// # Errors
/// [`RecipeError::Value`] where a stage has a value under both names.
pub(super) fn translate(recipe: &mut Table, origin: &str) -> Result<bool, RecipeError> {
    let mut found = false;
    let stages = recipe.get_mut("stage").and_then(Value::as_array_mut);
    for stage in stages.into_iter().flatten().filter_map(Value::as_table_mut) {
        let mut theirs: Vec<(&'static str, Value)> = Vec::new();
        if let Some(options) = stage.get_mut(TOKENIZER).and_then(Value::as_table_mut) {
            theirs.extend(KEYS.iter().filter_map(|(key, _)| Some((*key, options.remove(*key)?))));
            if options.is_empty() {
                stage.remove(TOKENIZER);
            }
        }
        let beside = KEYS.iter().filter(|(key, ours)| key != ours);
        theirs.extend(beside.filter_map(|(key, _)| Some((*key, stage.remove(*key)?))));
        for (key, value) in theirs {
            let Some(ours) = translated(&[key]) else { continue };
            if stage.contains_key(ours) {
                let name = stage.get("name").and_then(Value::as_str).unwrap_or_default();
                return Err(RecipeError::Value {
                    recipe: origin.to_owned(),
                    stage: name.to_owned(),
                    key,
                    value: value.to_string(),
                    why: format!("so is `{ours}`, which means the same; choose one"),
                });
            }
            stage.insert(ours.to_owned(), value);
            found = true;
        }
    }
    Ok(found)
}
