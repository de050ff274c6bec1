//! Character classes as Python sees them, because every rule of the originals is written in them.

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// `\p{L}`: any letter.
#[inline]
pub(crate) fn is_letter(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphabetic();
    }
    c.is_alphabetic() && c.general_category_group() == GeneralCategoryGroup::Letter
}

/// `\p{N}`: decimal digits, letter numbers, other numbers.
#[inline]
pub(crate) fn is_number(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_digit() } else { c.is_numeric() }
}

/// `\d` of Python's `re`: a decimal digit of any script.
#[inline]
pub(crate) fn is_decimal_digit(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_digit();
    }
    c.is_numeric() && c.general_category() == GeneralCategory::DecimalNumber
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

/// `\w` of Python's `re`: letters, numbers and the underscore; no combining marks.
#[inline]
pub(crate) fn is_word_character(c: char) -> bool {
    c == '_' || is_letter(c) || is_number(c)
}

/// `str.isspace()`, `str.split()` and `\s` of Python's `re`: Unicode's white space and the four ASCII separators.
#[inline]
pub(crate) fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\x1c'..='\x1f')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_neither_letters_nor_word_characters() {
        assert!(is_letter('é') && is_letter('語') && is_letter('ª'));
        assert!(!is_letter('\u{301}') && !is_word_character('\u{301}'));
        // Alphabetic to Unicode, but a number (Ⅷ) and a mark (Devanagari vowel sign), not letters.
        assert!(!is_letter('Ⅷ') && is_number('Ⅷ') && !is_letter('\u{93e}'));
        assert!(is_decimal_digit('३') && !is_decimal_digit('²') && is_number('²'));
        assert!(is_space('\x1f') && is_space('\u{3000}') && !is_space('\u{200b}'));
    }
}
