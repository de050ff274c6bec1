//! `--set key=value`: changes of a recipe from the command line.

use toml::{Table, Value};

use super::{RecipeError, open_clip_keys};

/// Pairs of which a stage has exactly one: setting one removes the other.
const EXCLUSIVE: [(&str, &str); 2] = [("lr", "base_lr"), ("samples", "epochs")];

/// Applies `key=value`. `stage.KEY` is a key of `running`, the stage that runs; `stage.NAME.KEY` of the stage of that
/// name. The value is TOML; what is not TOML is a string.
pub(super) fn apply(
    recipe: &mut Table,
    text: &str,
    running: Option<&str>,
) -> Result<(), RecipeError> {
    let error = |why: &str| RecipeError::Override { text: text.to_owned(), why: why.to_owned() };
    let (key, value) = text.split_once('=').ok_or_else(|| error("it is not KEY=VALUE"))?;
    let (key, value) = (key.trim(), parse(value.trim()));
    let parts: Vec<&str> = key.split('.').collect();
    match parts.as_slice() {
        ["stage", rest @ ..] if !rest.is_empty() => {
            let stages = recipe.get_mut("stage").and_then(Value::as_array_mut);
            let stages = stages.ok_or_else(|| error("the recipe has no stage"))?;
            let (name, path) = match rest {
                [name, path @ ..] if !path.is_empty() && find(stages, name).is_some() => {
                    (*name, path)
                }
                path => {
                    let why = "name the stage: `stage.NAME.KEY`";
                    (running.ok_or_else(|| error(why))?, path)
                }
            };
            let ours = open_clip_keys::translated(path);
            let path = ours.as_ref().map_or(path, std::slice::from_ref);
            let stage = find(stages, name).and_then(|index| stages[index].as_table_mut());
            let stage = stage.ok_or_else(|| error("the recipe has no such stage"))?;
            if let [key] = path {
                remove_rival(stage, key);
            }
            set(stage, path, value).map_err(|why| error(&why))
        }
        path => set(recipe, path, value).map_err(|why| error(&why)),
    }
}

fn find(stages: &[Value], name: &str) -> Option<usize> {
    stages.iter().position(|stage| stage.get("name").and_then(Value::as_str) == Some(name))
}

fn remove_rival(stage: &mut Table, key: &str) {
    for (left, right) in EXCLUSIVE {
        if key == left {
            stage.remove(right);
        } else if key == right {
            stage.remove(left);
        }
    }
}

fn set(table: &mut Table, path: &[&str], value: Value) -> Result<(), String> {
    match path {
        [] => Err("the key is empty".to_owned()),
        [key] => {
            table.insert((*key).to_owned(), value);
            Ok(())
        }
        [key, rest @ ..] => {
            let inner = table.entry(*key).or_insert_with(|| Value::Table(Table::new()));
            let inner = inner.as_table_mut().ok_or_else(|| format!("`{key}` holds no keys"))?;
            set(inner, rest, value)
        }
    }
}

fn parse(text: &str) -> Value {
    let document = format!("value = {text}");
    let parsed = document.parse::<Table>().ok().and_then(|mut table| table.remove("value"));
    parsed.unwrap_or_else(|| Value::String(text.to_owned()))
}
