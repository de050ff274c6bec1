//! Templates: where the class name goes.

use anyhow::{Result, anyhow, bail};
use clipa_talk::{Failure, printable};

/// What may stand between the braces of a place: nothing (open_clip, OpenAI), `c` (CLIP_benchmark), and the words that other collections of
/// templates have.
const PLACES: [&str; 11] =
    ["", "0", "c", "x", "name", "label", "class", "cls", "classname", "class_name", "category"];

/// Fills a template with a class name.
///
/// # Errors
/// It has no place for the name, a place with a word that is not known, or places of two kinds.
pub(super) fn fill(template: &str, class_name: &str) -> Result<String> {
    let mut filled = String::with_capacity(template.len() + class_name.len());
    let (mut rest, mut kind) = (template, None);
    while let Some(at) = rest.find('{') {
        let Some(end) = rest[at..].find('}').map(|end| at + end) else { break };
        let place = &rest[at + 1..end];
        let template = printable(template);
        if !PLACES.contains(&place) {
            let error =
                anyhow!("template `{template}`: `{{{}}}` is not understood", printable(place));
            return Err(Failure::new(error, HINT).into());
        }
        if *kind.get_or_insert(place) != place {
            bail!("template `{template}` has places of two kinds");
        }
        filled.push_str(&rest[..at]);
        filled.push_str(class_name);
        rest = &rest[end + 1..];
    }
    if kind.is_none() {
        let error = anyhow!("template `{}` has no place for the class name", printable(template));
        return Err(Failure::new(error, HINT).into());
    }
    Ok(filled + rest)
}

const HINT: &str = "write {} or {c} where the class name goes, as in `a photo of a {}.`";

/// Checks that each can be filled.
///
/// # Errors
/// The first that cannot.
pub(super) fn check(templates: &[String]) -> Result<()> {
    templates.iter().try_for_each(|template| fill(template, "").map(drop))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_place_is_filled() {
        assert_eq!(fill("a photo of a {}.", "dog").unwrap(), "a photo of a dog.");
        assert_eq!(fill("art of the {c}", "dog").unwrap(), "art of the dog");
        assert_eq!(fill("{classname}: a {classname}", "dog").unwrap(), "dog: a dog");
        assert_eq!(fill("a {}", "{c} {}").unwrap(), "a {c} {}");
    }

    #[test]
    fn a_template_that_would_be_filled_wrongly_is_refused() {
        for (template, said) in [
            ("a photo", "no place"),
            ("a photo of a %s.", "no place"),
            ("a {} {c}", "two kinds"),
            ("a {colour} thing", "`{colour}` is not understood"),
            ("a {", "no place"),
        ] {
            let error = fill(template, "dog").unwrap_err().to_string();
            assert!(error.contains(said), "{template}: {error}");
        }
    }
}
