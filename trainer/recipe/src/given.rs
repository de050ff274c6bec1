//! Which keys a recipe gives, and which it leaves to their defaults.

use toml::{Table, Value};

use super::{RecipeError, text_of};

/// Does the recipe, or a change of `--set`, give the key (`model.gelu`)? A key that is not given has its default, and
/// what lies beside weights may say better.
///
/// # Errors
/// As for [`super::Recipe::load`], where there is no such recipe; a text that is no TOML gives nothing.
pub fn gives(recipe: &str, set: &[String], key: &str) -> Result<bool, RecipeError> {
    let is_key = |change: &String| change.split_once('=').is_some_and(|(k, _)| k.trim() == key);
    if set.iter().any(is_key) {
        return Ok(true);
    }
    let text = text_of(recipe)?;
    let Ok(table) = text.parse::<Table>() else { return Ok(false) };
    let root = Value::Table(table);
    Ok(key.split('.').try_fold(&root, |value, part| value.get(part)).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_changes_give_keys() {
        let gives = |set: &[&str], key| {
            let set: Vec<String> = set.iter().map(|&set| set.to_owned()).collect();
            gives("tiny-i17-t8", &set, key).unwrap()
        };
        assert!(gives(&[], "model.gelu") && gives(&[], "model.text.heads"));
        assert!(!gives(&[], "model.text.none"));
        assert!(gives(&["model.text.none=1"], "model.text.none"));
        assert!(super::gives("no-such-recipe", &[], "model.gelu").is_err());
    }
}
