//! Character classes as Python defines them, because every rule of the originals is written in them.
//!
//! Letters and numbers are those of Unicode 18 (crate `unicode-properties` 0.1.5), like those of Python's `regex` 2026.11, which
//! open_clip's tokenizer uses; the standard library's tables are a version behind.

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// `\p{L}`: any letter.
#[inline]
pub(crate) fn is_letter(c: char) -> bool {
    is_in_group(c, char::is_ascii_alphabetic, GeneralCategoryGroup::Letter)
}

/// `\p{N}`: decimal digits, letter numbers, other numbers.
#[inline]
pub(crate) fn is_number(c: char) -> bool {
    is_in_group(c, char::is_ascii_digit, GeneralCategoryGroup::Number)
}

/// Punctuation as BERT's tokenizer counts it: `\p{P}`, and in ASCII the symbols (`$`, `+`, `~`, ...) too.
#[inline]
pub(crate) fn is_punctuation(c: char) -> bool {
    is_in_group(c, char::is_ascii_punctuation, GeneralCategoryGroup::Punctuation)
}

/// The test for ASCII, which needs no table, and the Unicode group for every other character.
#[inline]
fn is_in_group(c: char, ascii: impl Fn(&char) -> bool, group: GeneralCategoryGroup) -> bool {
    if c.is_ascii() { ascii(&c) } else { c.general_category_group() == group }
}

/// `\d` of Python's `re`: a decimal digit of any script.
#[inline]
pub(crate) fn is_decimal_digit(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_digit();
    }
    c.general_category() == GeneralCategory::DecimalNumber
}

/// `str.isdigit()` of Python for one character: decimal digits, and digits that are raised, lowered or in a circle.
#[inline]
pub(crate) fn is_numeric_digit(c: char) -> bool {
    is_decimal_digit(c)
        || matches!(
            u32::from(c),
            0xB2 | 0xB3
                | 0xB9
                | 0x1369..=0x1371
                | 0x19DA
                | 0x2070
                | 0x2074..=0x2079
                | 0x2080..=0x2089
                | 0x2460..=0x2468
                | 0x2474..=0x247C
                | 0x2488..=0x2490
                | 0x24EA
                | 0x24F5..=0x24FD
                | 0x24FF
                | 0x2776..=0x277E
                | 0x2780..=0x2788
                | 0x278A..=0x2792
                | 0x10A40..=0x10A43
                | 0x10E60..=0x10E68
                | 0x11052..=0x1105A
                | 0x1F100..=0x1F10A
        )
}

/// `\w` of Python's `regex`, with which NLTK cuts: letters, marks, decimal digits, connectors, joiners.
#[inline]
pub(crate) fn is_word_character(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || c == '_';
    }
    let category = c.general_category();
    c.is_alphabetic()
        || is_letter(c)
        || c.general_category_group() == GeneralCategoryGroup::Mark
        || category == GeneralCategory::DecimalNumber
        || category == GeneralCategory::ConnectorPunctuation
        || matches!(c, '\u{200c}' | '\u{200d}')
}

/// `\w` of Python's own `re`, with which NLTK finds contractions: letters, numbers and the underscore; no marks.
#[inline]
pub(crate) fn is_plain_word_character(c: char) -> bool {
    c == '_' || is_letter(c) || is_number(c)
}

/// `str.isspace()`, `str.split()` and `\s` of Python's own `re`: Unicode's white space and the four ASCII separators. `\s` of
/// Python's `regex` is white space alone, [`char::is_whitespace`].
#[inline]
pub(crate) fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\x1c'..='\x1f')
}

/// Bytes of the prefix of `text` that spells `name` (lower-case ASCII) in any case. As in Python's regular expressions
/// that ignore case, `ſ` is an `s`, and `İ` and `ı` are an `i`.
#[inline]
pub(crate) fn prefix_ignoring_case(text: &str, name: &str) -> Option<usize> {
    let mut bytes = 0;
    let mut characters = text.chars();
    for wanted in name.chars() {
        let c = characters.next()?;
        let same = c.to_ascii_lowercase() == wanted
            || matches!((c, wanted), ('ſ', 's') | ('İ' | 'ı', 'i'));
        if !same {
            return None;
        }
        bytes += c.len_utf8();
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_not_letters() {
        assert!(is_letter('é') && is_letter('語') && is_letter('ª'));
        assert!(!is_letter('\u{301}') && !is_plain_word_character('\u{301}'));
        assert!(is_word_character('\u{301}') && is_word_character('‿') && !is_word_character('½'));
        // Alphabetic to Unicode, but a number (Ⅷ) and a mark (Devanagari vowel sign), not letters.
        assert!(!is_letter('Ⅷ') && is_number('Ⅷ') && !is_letter('\u{93e}'));
        assert!(is_decimal_digit('३') && !is_decimal_digit('²') && is_number('²'));
        assert!(is_space('\x1f') && is_space('\u{3000}') && !is_space('\u{200b}'));
    }
    #[test]
    fn bert_counts_ascii_symbols_as_punctuation() {
        assert!(is_punctuation('$') && is_punctuation('~') && is_punctuation('。'));
        assert!(!is_punctuation('€') && !is_punctuation('a') && !is_punctuation(' '));
    }

    #[test]
    fn a_prefix_is_found_in_any_case() {
        assert_eq!(prefix_ignoring_case("'TIſx", "'tis"), Some(5));
        assert_eq!(prefix_ignoring_case("'Tİs", "'tis"), Some(5));
        assert_eq!(prefix_ignoring_case("'ti", "'tis"), None);
        assert_eq!(prefix_ignoring_case("'tas", "'tis"), None);
    }
}
