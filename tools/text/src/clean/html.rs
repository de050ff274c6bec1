//! HTML character references, by the rules of Python's `html.unescape` (which are HTML5's, for text).

use std::borrow::Cow;
use std::sync::LazyLock;

use encoding_rs::WINDOWS_1252;
use entities::ENTITIES;
use rustc_hash::FxHashMap;

/// Longest entity name in characters, without the `;`.
const NAME_CHARS_MAX: usize = 32;

/// Names with their `;`, or without it where HTML allows that; the leading `&` left out.
static CHARACTERS_BY_NAME: LazyLock<FxHashMap<&str, &str>> = LazyLock::new(|| {
    ENTITIES.iter().map(|entity| (&entity.entity[1..], entity.characters)).collect()
});

/// The characters of a named reference (`amp;`, `frac12`), without the `&`.
pub(super) fn named(name: &str) -> Option<&'static str> {
    CHARACTERS_BY_NAME.get(name).copied()
}

/// Replaces every reference once: `&amp;lt;` becomes `&lt;`. A named reference without `;` is read where HTML allows
/// it, also at the start of a longer word (`&notit` is `¬it`); anything else stays.
pub(super) fn unescape(text: &str) -> Cow<'_, str> {
    let Some(first) = text.find('&') else { return Cow::Borrowed(text) };
    let mut out = String::with_capacity(text.len());
    out.push_str(&text[..first]);
    let mut rest = &text[first..];
    while let Some(reference) = rest.strip_prefix('&') {
        let used = unescape_one(reference, &mut out);
        let after = &reference[used..];
        let plain = after.find('&').unwrap_or(after.len());
        out.push_str(&after[..plain]);
        rest = &after[plain..];
    }
    Cow::Owned(out)
}

/// Appends the characters of the reference after an `&`; returns the bytes that were read.
fn unescape_one(text: &str, out: &mut String) -> usize {
    if let Some(number) = text.strip_prefix('#') {
        return match numeric(number) {
            Some((character, used)) => {
                out.extend(character);
                used + 1
            }
            None => {
                out.push('&');
                0
            }
        };
    }
    let name = |c: char| !matches!(c, '\t' | '\n' | '\x0c' | ' ' | '<' | '&' | '#' | ';');
    let mut end = 0;
    for (at, c) in text.char_indices().take(NAME_CHARS_MAX) {
        if !name(c) {
            break;
        }
        end = at + c.len_utf8();
    }
    let full = if end > 0 && text[end..].starts_with(';') { end + 1 } else { end };
    // All names are ASCII, so a prefix that is one ends at a character.
    let longest = (2..=full).rev().find_map(|length| {
        let known = named(text.get(..length)?)?;
        Some((known, length))
    });
    match longest {
        Some((characters, used)) => {
            out.push_str(characters);
            used
        }
        None => {
            out.push('&');
            0
        }
    }
}

/// The character of `123;` or `x7B;` (nothing for one that HTML forbids) and the bytes read; `None` without digits.
fn numeric(text: &str) -> Option<(Option<char>, usize)> {
    let (radix, start) = if text.starts_with(['x', 'X']) { (16, 1) } else { (10, 0) };
    let digits = text[start..].bytes().take_while(|&byte| char::from(byte).is_digit(radix)).count();
    if digits == 0 {
        return None;
    }
    let end = start + digits;
    let number = text[start..end].bytes().fold(0u32, |number, byte| {
        let digit = char::from(byte).to_digit(radix).unwrap_or(0);
        number.saturating_mul(radix).saturating_add(digit)
    });
    Some((character(number), end + usize::from(text[end..].starts_with(';'))))
}

fn character(number: u32) -> Option<char> {
    let forbidden = matches!(number, 0x01..=0x08 | 0x0B | 0x0E..=0x1F | 0x7F | 0xFDD0..=0xFDEF)
        || (number & 0xFFFE == 0xFFFE && number <= 0x10_FFFF);
    match number {
        0 => Some(char::REPLACEMENT_CHARACTER),
        0x80..=0x9F => WINDOWS_1252.decode_without_bom_handling(&[number as u8]).0.chars().next(),
        _ if forbidden => None,
        // Surrogates and numbers beyond Unicode.
        _ => Some(char::from_u32(number).unwrap_or(char::REPLACEMENT_CHARACTER)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values from Python 3.11's `html.unescape`.
    #[test]
    fn references_are_unescaped_as_by_python() {
        for (text, expected) in [
            ("a &amp; b &lt;&gt; &quot;x&quot;", "a & b <> \"x\""),
            ("&notit; &notin; &ampx &am &;&& &", "¬it; ∉ &x &am &;&& &"),
            ("&#39;&#x27;&#X27 &#x; &#; &#8217s", "''' &#x; &#; ’s"),
            (
                "&#0;&#128;&#x81;&#1;&#xD800;&#x110000;&#99999999999;",
                "\u{fffd}€\u{81}\u{fffd}\u{fffd}\u{fffd}",
            ),
            ("&#xFDD0;&#xFFFE;&#13;&#10;", "\r\n"),
            ("&Eacute;&eacute&EACUTE; &amp;amp;", "Éé&EACUTE; &amp;"),
            ("&NotEqualTilde;é &é; &ampé", "≂\u{338}é &é; &é"),
            ("", ""),
        ] {
            assert_eq!(unescape(text), expected, "{text}");
        }
    }
}
