//! Contractions that are two words: `cannot`, `gonna`, `'tis`.

use crate::characters::{is_plain_word_character, is_space, prefix_ignoring_case};

/// The two parts, and whether white space must follow (for the others a word must end).
const INSIDE: [(&str, &str, bool); 8] = [
    ("can", "not", false),
    ("d", "'ye", false),
    ("gim", "me", false),
    ("gon", "na", false),
    ("got", "ta", false),
    ("lem", "me", false),
    ("more", "'n", false),
    ("wan", "na", true),
];
/// After a space.
const AFTER_SPACE: [(&str, &str); 2] = [("'t", "is"), ("'t", "was")];

/// Splits the contractions inside a text. None of them contains another, so one pass does for all.
pub(super) fn split_words(text: &str, out: &mut String) {
    let mut previous_in_word = false;
    split(text, out, |rest| {
        let c = rest.chars().next()?;
        let starts_word = !previous_in_word && is_plain_word_character(c);
        previous_in_word = is_plain_word_character(c);
        if starts_word { inside(rest) } else { None }
    });
}

/// Splits `'tis` and `'twas` after a space, and replaces that space.
pub(super) fn split_after_space(text: &str, out: &mut String) {
    split(text, out, |rest| {
        let (first, second) = after_space(rest.strip_prefix(' ')?)?;
        Some((1 + first, second))
    });
}

/// Splits each contraction; `found` returns the bytes of the two parts of one at the start of its argument.
fn split(text: &str, out: &mut String, mut found: impl FnMut(&str) -> Option<(usize, usize)>) {
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let Some((first, second)) = found(rest) else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        let (first, after) = rest.split_at(first);
        let (second, after) = after.split_at(second);
        for part in [" ", first, " ", second, " "] {
            out.push_str(part);
        }
        rest = after;
    }
}

/// Bytes of the two parts of a contraction that `text` starts with.
fn inside(text: &str) -> Option<(usize, usize)> {
    INSIDE.iter().find_map(|&(first, second, space)| {
        let (first, second, after) = parts(text, first, second)?;
        let ends = if space {
            after.is_some_and(is_space)
        } else {
            !after.is_some_and(is_plain_word_character)
        };
        ends.then_some((first, second))
    })
}

fn after_space(text: &str) -> Option<(usize, usize)> {
    AFTER_SPACE.iter().find_map(|&(first, second)| {
        let (first, second, after) = parts(text, first, second)?;
        (!after.is_some_and(is_plain_word_character)).then_some((first, second))
    })
}

/// Bytes of the parts in `text`, and the character after them.
fn parts(text: &str, first: &str, second: &str) -> Option<(usize, usize, Option<char>)> {
    let first = prefix_ignoring_case(text, first)?;
    let second = prefix_ignoring_case(&text[first..], second)?;
    Some((first, second, text[first + second..].chars().next()))
}
