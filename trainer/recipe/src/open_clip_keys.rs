//! open_clip's words for a stage's text, understood beside our own.
//!
//! CLIPA and open_clip until October 2023 wrote `text_mask` (first, syntax, random, block), open_clip 3 reads
//! `tokenizer_kwargs.reduction_mask` (simple, random, shuffle, syntax), and its documents name `tokenizer_kwargs.text_mask`.
//! The values are [`TextReduction`]'s to understand.
//!
//! [`TextReduction`]: clipa_schemas::reduction::text::TextReduction

use std::borrow::Cow;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    RecipeError,
    tree::{stages_mut, table_mut},
};

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

/// Puts our keys in the place of open_clip's in every stage of `recipe`, which was parsed from `text`.
///
/// # Errors
/// [`RecipeError::Value`] where a stage has a value under both names.
pub(super) fn translate(
    recipe: &mut DeTable<'_>,
    text: &str,
    origin: &str,
) -> Result<(), RecipeError> {
    let stages = stages_mut(recipe).into_iter().flat_map(|stages| stages.iter_mut());
    for stage in stages.filter_map(|stage| table_mut(stage.get_mut())) {
        for (key, ours, (place, value)) in taken(stage) {
            if stage.contains_key(ours) {
                let name = stage.get("name").and_then(|name| name.get_ref().as_str());
                return Err(RecipeError::Value {
                    recipe: origin.to_owned(),
                    stage: name.unwrap_or_default().to_owned(),
                    key,
                    value: text.get(value.span()).unwrap_or_default().to_owned(),
                    why: format!("so is `{ours}`, which means the same; choose one"),
                });
            }
            stage.insert(Spanned::new(place.span(), Cow::Borrowed(ours)), value);
        }
    }
    Ok(())
}

/// A key and its value.
type Entry<'t> = (Spanned<Cow<'t, str>>, Spanned<DeValue<'t>>);

/// Takes open_clip's keys out of a stage; each with ours.
fn taken<'t>(stage: &mut DeTable<'t>) -> Vec<(&'static str, &'static str, Entry<'t>)> {
    let mut entries = Vec::new();
    if let Some(options) = stage.get_mut(TOKENIZER).and_then(|value| table_mut(value.get_mut())) {
        for (key, ours) in KEYS {
            entries.extend(options.remove_entry(key).map(|entry| (key, ours, entry)));
        }
        if options.is_empty() {
            stage.remove(TOKENIZER);
        }
    }
    for (key, ours) in KEYS.into_iter().filter(|(key, ours)| key != ours) {
        entries.extend(stage.remove_entry(key).map(|entry| (key, ours, entry)));
    }
    entries
}
