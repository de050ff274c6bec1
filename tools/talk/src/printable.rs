//! Text from data made fit for a terminal.

use std::borrow::Cow;

/// A piece of data made fit for one line of a terminal: control characters, also the invisible ones
/// that change the direction of text, are gone; tabs and line ends are spaces.
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_unwanted) {
        let spaced: String =
            text.chars().map(|c| if matches!(c, '\n' | '\r' | '\t') { ' ' } else { c }).collect();
        Cow::Owned(strip(&spaced, &[]).into_owned())
    } else {
        Cow::Borrowed(text)
    }
}

/// The text without unwanted characters other than those in `kept`.
pub(crate) fn strip<'a>(text: &'a str, kept: &[char]) -> Cow<'a, str> {
    let unwanted = |c: char| is_unwanted(c) && !kept.contains(&c);
    if text.chars().any(unwanted) {
        Cow::Owned(text.chars().filter(|&c| !unwanted(c)).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// JSON in which what a terminal must not see is written as `\u` escapes; it reads back the same.
pub(crate) fn escape_json(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        // Outside of strings JSON has no such letters but ends of lines; all of them are below U+10000.
        if letter != '\n' && is_unwanted(letter) {
            escaped.push_str(&format!("\\u{:04x}", letter as u32));
        } else {
            escaped.push(letter);
        }
    }
    escaped
}

/// Control characters, and marks that reorder or hide the text around them.
pub(crate) fn is_unwanted(c: char) -> bool {
    let invisible = matches!(c,
        '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}');
    c.is_control() || invisible
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_not_copied() {
        assert!(matches!(printable("a naïve café 猫"), Cow::Borrowed(_)));
    }
}
