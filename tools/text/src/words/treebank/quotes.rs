//! Quotes and clitics.

use crate::characters::is_word_character;

/// Clitics of one letter, and a lone apostrophe, before a space.
pub(super) const SHORT_CLITICS: [&str; 7] = ["'s", "'S", "'m", "'M", "'d", "'D", "'"];
/// Longer clitics; only these two spellings of each.
pub(super) const LONG_CLITICS: [&str; 8] = ["'ll", "'LL", "'re", "'RE", "'ve", "'VE", "n't", "N'T"];

/// Spaces around opening quotes and runs of back ticks.
pub(super) fn pad_opening(text: &str, out: &mut String) {
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '«' | '“' | '‘' | '„' => out.extend([' ', c, ' ']),
            '`' => {
                out.extend([' ', '`']);
                while characters.next_if_eq(&'`').is_some() {
                    out.push('`');
                }
                out.push(' ');
            }
            _ => out.push(c),
        }
    }
}

/// `"` or `''` after a space or an opening bracket opens a quotation: two back ticks, as a word.
pub(super) fn open_after_bracket_or_space(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        out.push(c);
        if !matches!(c, ' ' | '(' | '[' | '{' | '<') {
            continue;
        }
        if let Some(after) = rest.strip_prefix('"').or_else(|| rest.strip_prefix("''")) {
            out.push_str(" `` ");
            rest = after;
        }
    }
}

/// An apostrophe at the start of a word becomes a word, unless the whole word is a clitic.
pub(super) fn split_leading_apostrophe(text: &str, out: &mut String) {
    let mut previous_in_word = false;
    for (at, c) in text.char_indices() {
        out.push(c);
        if c == '\'' && !previous_in_word {
            let rest = &text[at + 1..];
            if rest.starts_with(is_word_character) && !starts_with_clitic(rest) {
                out.push(' ');
            }
        }
        previous_in_word = is_word_character(c);
    }
}

/// Whether `text` starts with re, ve, ll, m, t, s, d or n in any case, as a whole word.
fn starts_with_clitic(text: &str) -> bool {
    let length = text.find(|c| !is_word_character(c)).unwrap_or(text.len());
    let mut letters =
        text[..length].chars().map(|c| if c == 'ſ' { 's' } else { c.to_ascii_lowercase() });
    matches!(
        (letters.next(), letters.next(), letters.next()),
        (Some('m' | 't' | 's' | 'd' | 'n'), None, None)
            | (Some('r' | 'v'), Some('e'), None)
            | (Some('l'), Some('l'), None)
    )
}

/// An apostrophe between any other character and a space becomes a word.
pub(super) fn split_apostrophe_before_space(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        out.push(c);
        if c != '\''
            && let Some(after) = rest.strip_prefix("' ")
        {
            out.push_str(" ' ");
            rest = after;
        }
    }
}

/// Runs of white space become single spaces.
pub(super) fn collapse_spaces(text: &str, out: &mut String) {
    let mut in_space = false;
    for c in text.chars() {
        let space = c.is_whitespace();
        if !space {
            out.push(c);
        } else if !in_space {
            out.push(' ');
        }
        in_space = space;
    }
}

/// A clitic between a character that is neither an apostrophe nor a space, and a space, becomes a word.
pub(super) fn split_clitics(text: &str, clitics: &[&str], out: &mut String) {
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        out.push(c);
        if matches!(c, '\'' | ' ') || !rest.starts_with(['\'', 'n', 'N']) {
            continue;
        }
        let followed = |clitic: &&&str| {
            rest.strip_prefix(**clitic).is_some_and(|after| after.starts_with(' '))
        };
        if let Some(clitic) = clitics.iter().find(followed) {
            out.push(' ');
            out.push_str(clitic);
            out.push(' ');
            rest = &rest[clitic.len() + 1..];
        }
    }
}
