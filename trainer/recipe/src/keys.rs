//! Unknown keys are errors that name the nearest known ones.

use toml::Value;

use super::RecipeError;

/// Greatest edit distance of a suggestion, in letters.
const MAX_DISTANCE: usize = 3;

/// Compares the keys of `recipe` with those of `known`, a recipe in which every key is given.
pub(super) fn check(recipe: &Value, known: &Value, origin: &str) -> Result<(), RecipeError> {
    compare(recipe, known, "", origin)
}

fn compare(value: &Value, known: &Value, path: &str, origin: &str) -> Result<(), RecipeError> {
    match (value, known) {
        (Value::Table(table), Value::Table(known)) => {
            for (key, value) in table {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                let Some(known_value) = known.get(key) else {
                    let hint = nearest(key, known.keys().map(String::as_str));
                    let origin = origin.to_owned();
                    return Err(RecipeError::UnknownKey { origin, key: path, hint });
                };
                compare(value, known_value, &path, origin)?;
            }
            Ok(())
        }
        (Value::Array(items), Value::Array(known))
            if known.first().is_some_and(Value::is_table) =>
        {
            items.iter().try_for_each(|item| compare(item, &known[0], path, origin))
        }
        // A value of another type is the deserializer's to explain.
        _ => Ok(()),
    }
}

/// `, did you mean `a` or `b``; all names where none is near.
pub(super) fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    let mut near: Vec<(usize, &str)> = names
        .iter()
        .map(|&name| (distance(wanted, name), name))
        .filter(|&(distance, name)| distance <= MAX_DISTANCE.min(name.len() / 2))
        .collect();
    near.sort_unstable();
    let quoted = |names: &mut dyn Iterator<Item = &str>| {
        names.map(|name| format!("`{name}`")).collect::<Vec<_>>()
    };
    match near.is_empty() {
        true => format!("; known here: {}", quoted(&mut names.iter().copied()).join(", ")),
        false => {
            let near = quoted(&mut near.iter().take(2).map(|&(_, name)| name));
            format!(", did you mean {}?", near.join(" or "))
        }
    }
}

/// Levenshtein's edit distance.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &r) in right.iter().enumerate() {
            let substituted = diagonal + usize::from(l != r);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_levenshteins() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("lr", "lr"), 0);
    }

    #[test]
    fn near_names_are_suggested_and_far_ones_listed() {
        let names = ["warmup_steps", "weight_decay", "lr"];
        assert_eq!(nearest("warm_up_steps", names.into_iter()), ", did you mean `warmup_steps`?");
        let hint = nearest("momentum", names.into_iter());
        assert_eq!(hint, "; known here: `warmup_steps`, `weight_decay`, `lr`");
    }
}
