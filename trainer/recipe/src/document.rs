//! A recipe as it is read: its text, the changes of `--set`, and the place of everything that is wrong.

use std::collections::BTreeSet;

use serde_path_to_error::{Path, Segment};
use toml::{
    Table, Value,
    de::{DeTable, Deserializer},
};

use super::{Recipe, RecipeError, keys, open_clip_keys, overrides::Change};

/// What a recipe is read from.
#[derive(Clone, Copy)]
pub(super) struct Document<'d> {
    /// The recipe's TOML.
    pub(super) text: &'d str,
    /// Its name or path, for messages.
    pub(super) origin: &'d str,
    /// Changes, each `KEY=VALUE`.
    pub(super) set: &'d [String],
    /// The stage that `stage.KEY` means in a change.
    pub(super) running: Option<&'d str>,
}

/// What serde did not accept.
struct Refused {
    /// The key's path through tables, without the indices of arrays.
    path: Vec<String>,
    /// The change that it stands in, by index; `None` where it stands in the text.
    change: Option<usize>,
    error: toml::de::Error,
}

enum Failure {
    Recipe(RecipeError),
    Refused(Box<Refused>),
}

impl Document<'_> {
    /// The recipe, its values unchecked.
    ///
    /// # Errors
    /// The first thing that is no recipe, with its key and line.
    pub(super) fn read(self) -> Result<Recipe, RecipeError> {
        self.deserialize().map_err(|failure| match failure {
            Failure::Recipe(error) => error,
            Failure::Refused(refused) => self.explain(*refused),
        })
    }

    fn deserialize(self) -> Result<Recipe, Failure> {
        let changes = Change::all(self.set, self.text.len()).map_err(Failure::Recipe)?;
        let mut root = DeTable::parse(self.text)
            .map_err(|error| Failure::Recipe(self.malformed(&[], error)))?;
        open_clip_keys::translate(root.get_mut(), self.text, self.origin)
            .map_err(Failure::Recipe)?;
        for change in &changes {
            change.apply(root.get_mut(), self.running).map_err(Failure::Recipe)?;
        }
        serde_path_to_error::deserialize(Deserializer::from(root)).map_err(|error| {
            let path = keys_of(error.path());
            let error = error.into_inner();
            let change = error.span().and_then(|span| {
                changes.iter().position(|change| change.place().contains(&span.start))
            });
            Failure::Refused(Box::new(Refused { path, change, error }))
        })
    }

    fn explain(self, refused: Refused) -> RecipeError {
        let Refused { path, change, error } = refused;
        let key = path.last().map_or("", String::as_str);
        let known = keys::known_instead_of(key, error.message());
        match (known, change) {
            (Some(known), _) => {
                let elsewhere = change.map_or(Vec::new(), |index| self.tables_with(index, key));
                let suggestion = keys::did_you_mean(elsewhere.iter().map(String::as_str))
                    .or_else(|| keys::nearest(key, known.iter().copied()))
                    .unwrap_or_else(|| keys::all(known.into_iter()));
                let origin = change.map_or(self.origin, |_| "--set").to_owned();
                RecipeError::UnknownKey { origin, key: path.join("."), suggestion }
            }
            (None, Some(index)) => RecipeError::Malformed {
                origin: format!("{} with {}", self.origin, self.set[index]),
                message: format!("`{}`: {}", path.join("."), error.message()),
            },
            (None, None) => self.malformed(&path, error),
        }
    }

    /// An error in the text, shown with its line.
    fn malformed(self, path: &[String], mut error: toml::de::Error) -> RecipeError {
        error.set_input(Some(self.text));
        let within =
            if path.is_empty() { String::new() } else { format!("in `{}`: ", path.join(".")) };
        let message = format!("{within}{}", error.to_string().trim_end());
        RecipeError::Malformed { origin: self.origin.to_owned(), message }
    }

    /// The full keys under which the change of this index, whose last key is `key`, would have been understood.
    ///
    /// Every table of the recipe is tried, so that no list of keys has to be kept.
    fn tables_with(self, index: usize, key: &str) -> Vec<String> {
        let Some((changed, value)) = self.set[index].split_once('=') else { return Vec::new() };
        let Ok(table) = self.text.parse::<Table>() else { return Vec::new() };
        if changed.trim().rsplit('.').next() != Some(key) {
            return Vec::new();
        }
        let mut paths = BTreeSet::new();
        table_paths(&table, "", &mut paths);
        let first_stage =
            table.get("stage").and_then(|stages| stages.get(0)?.get("name")?.as_str());
        let running = self.running.or(first_stage);
        let mut set = self.set.to_vec();
        let understood = |path: &String| {
            set[index] = format!("{path}.{key}={value}");
            Document { set: &set, running, ..self }.deserialize().is_ok()
        };
        let paths: Vec<String> = paths.into_iter().filter(understood).collect();
        paths.into_iter().map(|path| format!("{path}.{key}")).collect()
    }
}

/// Collects the path of every table, as `--set` writes it.
fn table_paths(table: &Table, path: &str, paths: &mut BTreeSet<String>) {
    for (key, value) in table {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let tables = match value {
            Value::Table(_) => std::slice::from_ref(value),
            Value::Array(items) => items,
            _ => continue,
        };
        for table in tables.iter().filter_map(Value::as_table) {
            table_paths(table, &path, paths);
            paths.insert(path.clone());
        }
    }
}

fn keys_of(path: &Path) -> Vec<String> {
    let key = |segment: &Segment| match segment {
        Segment::Map { key } => Some(key.clone()),
        _ => None,
    };
    path.iter().filter_map(key).collect()
}
