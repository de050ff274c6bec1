//! Sentence ends by a rule of our own that needs no tables.
//!
//! A sentence ends after `.`, `?` or `!` (and closing quotes or brackets), before white space and a capital, a digit or an
//! opening quote, unless the period belongs to the word: after one letter (`J. Bach`), a word with a period inside
//! (`U.S.`), an ellipsis, or one of a few abbreviations that captions use. The last sentence ends with the text.

use crate::characters::{is_letter, is_space};

/// Words whose period does not end a sentence, in lower case.
const ABBREVIATIONS: [&str; 40] = [
    "approx", "ave", "blvd", "co", "capt", "corp", "cf", "col", "dept", "dr", "ed", "est", "etc",
    "ex", "feat", "fig", "ft", "gen", "gov", "hon", "inc", "jr", "lt", "ltd", "mr", "mrs", "ms",
    "mt", "no", "nr", "pp", "prof", "rev", "sgt", "sr", "st", "vol", "vols", "vs", "ver",
];
/// Longest abbreviation in bytes.
const ABBREVIATION_BYTES_MAX: usize = 6;

/// The sentences of `text`, without the white space between them.
///
/// ```
/// use clipa_text::words::sentences_by_rule;
/// let text = "A dog in the park. It runs after Mr. Smith (vol. 2).";
/// let sentences: Vec<_> = sentences_by_rule(text).collect();
/// assert_eq!(sentences, ["A dog in the park.", "It runs after Mr. Smith (vol. 2)."]);
/// ```
pub fn sentences_by_rule(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text.trim_matches(is_space);
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = first_end(rest).unwrap_or(rest.len());
        let (sentence, after) = rest.split_at(end);
        rest = after.trim_start_matches(is_space);
        Some(sentence)
    })
}

/// Where the first sentence of `text` ends, if another one follows.
fn first_end(text: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let mark = from + text[from..].find(['.', '?', '!'])?;
        let after = text[mark + 1..].trim_start_matches([')', ']', '}', '"', '\'', '”', '’', '»']);
        let end = text.len() - after.len();
        let next = after.trim_start_matches(is_space);
        let spaced = next.len() < after.len();
        if spaced && next.starts_with(opens_sentence) && ends_sentence(&text[..=mark]) {
            return Some(end);
        }
        from = mark + 1;
    }
}

fn opens_sentence(c: char) -> bool {
    c.is_uppercase() || c.is_numeric() || matches!(c, '"' | '\'' | '“' | '‘' | '«' | '(' | '[')
}

/// Whether the mark at the end of `text` ends a sentence rather than an abbreviation.
fn ends_sentence(text: &str) -> bool {
    let Some(before) = text.strip_suffix('.') else { return true };
    // The search stops within a few characters of an abbreviation's length, so a long word costs no more than a short one.
    let letters =
        before.chars().rev().take_while(|&c| is_letter(c)).take(ABBREVIATION_BYTES_MAX + 1);
    let length: usize = letters.map(char::len_utf8).sum();
    let word = &before[before.len() - length..];
    let period_before = before[..before.len() - length].ends_with('.');
    if period_before || word.chars().count() == 1 {
        return false;
    }
    !ABBREVIATIONS.iter().any(|abbreviation| word.eq_ignore_ascii_case(abbreviation))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentences(text: &str) -> Vec<&str> {
        sentences_by_rule(text).collect()
    }

    #[test]
    fn only_a_period_that_ends_a_sentence_splits() {
        assert_eq!(sentences("One. Two! \"Three?\" 4."), ["One.", "Two!", "\"Three?\"", "4."]);
        assert_eq!(sentences("J. S. Bach, op. posth. and U.S. Army... Yes").len(), 1);
        assert_eq!(sentences("Size 10.5. In stock.").len(), 2);
        assert_eq!(sentences("www.site.com. next"), ["www.site.com. next"]);
        assert_eq!(sentences("  \n "), [""; 0]);
        assert_eq!(sentences("Cut.) Then"), ["Cut.)", "Then"]);
    }

    #[test]
    fn many_sentences_and_many_marks_are_handled() {
        let text = "One dog. ".repeat(20_000);
        assert_eq!(sentences(&text).len(), 20_000);
        assert_eq!(sentences(&"?.)".repeat(100_000)).len(), 1);
    }
}
