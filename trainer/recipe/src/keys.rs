//! Unknown keys are errors that name the nearest known ones.

/// Greatest edit distance of a suggestion, in letters.
const MAX_DISTANCE: usize = 3;
/// Names of a suggestion.
const MAX_SUGGESTED: usize = 2;

/// The names that serde knows in the place of `key`, by its message about an unknown field; `None` where the message
/// is about something else.
///
/// serde says "unknown field `x`, expected one of `a`, `b`", and passes the names on in no other way.
pub(super) fn known_instead_of<'m>(key: &str, message: &'m str) -> Option<Vec<&'m str>> {
    let names = message.strip_prefix(&*format!("unknown field `{key}`, "))?;
    Some(names.split('`').skip(1).step_by(2).collect())
}

/// `, did you mean `a` or `b`?` for the names nearest to `wanted`; `None` where none is near.
pub(super) fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut near: Vec<(usize, &str)> = names
        .map(|name| (distance(wanted, name), name))
        .filter(|&(distance, name)| distance <= MAX_DISTANCE.min(name.len() / 2))
        .collect();
    near.sort_unstable();
    did_you_mean(near.into_iter().map(|(_, name)| name))
}

/// `, did you mean `a` or `b`?` for the first of these names; `None` where there is none.
pub(super) fn did_you_mean<'a>(names: impl Iterator<Item = &'a str>) -> Option<String> {
    let names = quoted(names.take(MAX_SUGGESTED));
    (!names.is_empty()).then(|| format!(", did you mean {}?", names.join(" or ")))
}

/// `; known here: `a`, `b``, for where no name is near.
pub(super) fn all<'a>(names: impl Iterator<Item = &'a str>) -> String {
    format!("; known here: {}", quoted(names).join(", "))
}

fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    names.map(|name| format!("`{name}`")).collect()
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
    fn names_are_those_of_serdes_message() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code)]
        struct Two {
            lr: f64,
            weight_decay: f64,
        }
        let error = toml::from_str::<Two>("'a`b' = 1").unwrap_err();
        assert_eq!(known_instead_of("a`b", error.message()), Some(vec!["lr", "weight_decay"]));
        assert_eq!(known_instead_of("lr", error.message()), None);
        let error = toml::from_str::<Two>("lr = 'high'").unwrap_err();
        assert_eq!(known_instead_of("lr", error.message()), None);
    }

    #[test]
    fn near_names_are_suggested_and_far_ones_are_not() {
        let names = ["warmup_steps", "weight_decay", "lr", "width", "widths"].into_iter();
        let near = |wanted| nearest(wanted, names.clone());
        assert_eq!(near("warm_up_steps").as_deref(), Some(", did you mean `warmup_steps`?"));
        assert_eq!(near("widht").as_deref(), Some(", did you mean `width` or `widths`?"));
        assert_eq!(near("momentum"), None);
        assert_eq!(all(names.take(2)), "; known here: `warmup_steps`, `weight_decay`");
    }
}
