//! `--set key=value`: changes of a recipe from the command line.

use std::{borrow::Cow, ops::Range};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    RecipeError, open_clip_keys,
    tree::{stages_mut, table_mut},
};

/// Pairs of which a stage has exactly one: setting one removes the other.
const EXCLUSIVE: [(&str, &str); 2] = [("lr", "base_lr"), ("samples", "epochs")];
/// What is parsed in a change is a document of this one key.
const KEY: &str = "value";

/// One `--set KEY=VALUE`.
pub(super) struct Change<'s> {
    /// As it was given.
    text: &'s str,
    path: Vec<&'s str>,
    value: &'s str,
    /// TOML that starts with as much space as there is text before it: the recipe's, and the changes that came
    /// first. So the place of an error says by itself what it stands in.
    document: String,
    start: usize,
}

impl<'s> Change<'s> {
    /// All changes; the first lies right behind the recipe's text of `text_length` bytes.
    ///
    /// # Errors
    /// A change that is not `KEY=VALUE`.
    pub(super) fn all(
        set: &'s [String],
        text_length: usize,
    ) -> Result<Vec<Change<'s>>, RecipeError> {
        // An error at the end of the text may lie one byte behind it.
        let mut start = text_length + 1;
        let mut changes = Vec::with_capacity(set.len());
        for text in set {
            let (key, value) = text
                .split_once('=')
                .ok_or_else(|| error(text, "it is not KEY=VALUE".to_owned()))?;
            let (path, value) = (key.trim().split('.').collect(), value.trim());
            let document = format!("{:start$}{KEY} = {value}", "");
            let end = document.len();
            changes.push(Change { text, path, value, document, start });
            start = end;
        }
        Ok(changes)
    }

    /// Where its value and keys lie.
    pub(super) fn place(&self) -> Range<usize> {
        self.start..self.document.len()
    }

    /// Applies it. `stage.KEY` is a key of `running`, the stage that runs; `stage.NAME.KEY` of the stage of that
    /// name. The value is TOML; what is not TOML is a string.
    ///
    /// # Errors
    /// A key that leads nowhere.
    pub(super) fn apply<'c>(
        &'c self,
        recipe: &mut DeTable<'c>,
        running: Option<&str>,
    ) -> Result<(), RecipeError> {
        self.try_apply(recipe, running).map_err(|why| error(self.text, why))
    }

    fn try_apply<'c>(
        &'c self,
        recipe: &mut DeTable<'c>,
        running: Option<&str>,
    ) -> Result<(), String> {
        let rest = match self.path.as_slice() {
            ["stage", rest @ ..] if !rest.is_empty() => rest,
            path => return self.insert(recipe, path),
        };
        let stages = stages_mut(recipe).ok_or("the recipe has no stage")?;
        let find = |wanted: &str| stages.iter().position(|stage| name(stage) == Some(wanted));
        let (index, path) = match rest {
            [name, path @ ..] if !path.is_empty() && find(name).is_some() => (find(name), path),
            path => (find(running.ok_or("name the stage: `stage.NAME.KEY`")?), path),
        };
        let ours = open_clip_keys::translated(path);
        let path = ours.as_ref().map_or(path, std::slice::from_ref);
        let stage = index.and_then(|index| table_mut(stages.get_mut(index)?.get_mut()));
        let stage = stage.ok_or("the recipe has no such stage")?;
        if let [key] = path {
            remove_rival(stage, key);
        }
        self.insert(stage, path)
    }

    fn insert<'c>(&'c self, table: &mut DeTable<'c>, path: &[&'c str]) -> Result<(), String> {
        let (key, rest) = path.split_first().ok_or("the key is empty")?;
        let spanned_key = Spanned::new(self.place(), Cow::Borrowed(*key));
        if rest.is_empty() {
            table.insert(spanned_key, self.parse());
            return Ok(());
        }
        let empty = || Spanned::new(self.place(), DeValue::Table(DeTable::new()));
        let inner = table_mut(table.entry(spanned_key).or_insert_with(empty).get_mut());
        self.insert(inner.ok_or_else(|| format!("`{key}` holds no keys"))?, rest)
    }

    fn parse(&self) -> Spanned<DeValue<'_>> {
        let parsed = DeTable::parse(&self.document).ok();
        parsed.and_then(|mut document| document.get_mut().remove(KEY)).unwrap_or_else(|| {
            Spanned::new(self.place(), DeValue::String(Cow::Borrowed(self.value)))
        })
    }
}

fn error(text: &str, why: String) -> RecipeError {
    RecipeError::Override { text: text.to_owned(), why }
}

fn name<'s>(stage: &'s Spanned<DeValue<'_>>) -> Option<&'s str> {
    stage.get_ref().get("name")?.get_ref().as_str()
}

fn remove_rival(stage: &mut DeTable<'_>, key: &str) {
    for (left, right) in EXCLUSIVE {
        if key == left {
            stage.remove(right);
        } else if key == right {
            stage.remove(left);
        }
    }
}
