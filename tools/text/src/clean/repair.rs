//! Repairs text as `ftfy.fix_text` does with its default settings.
//!
//! The steps, their order and their tables of cases follow ftfy 6.3 (Apache-2.0, Robyn Speer), which open_clip runs on every
//! caption; the code is ours. Lines are repaired one by one, each until nothing changes any more.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::{html, mojibake};
use crate::characters::is_decimal_digit;

/// Rounds of repair for one line; ftfy has no limit, and text that needs more than a few is adversarial.
const ROUNDS_MAX: usize = 16;
/// Longest entity name that is unescaped here.
const ENTITY_CHARS_MAX: usize = 24;

/// Repairs `text`; the same text where there is nothing to repair.
pub(super) fn fix_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // After a literal `<` the text counts as HTML, where entities may be meant as they are.
    let mut entities = true;
    for line in text.split_inclusive('\n') {
        entities &= !line.contains('<');
        fix_line(line, entities, &mut out);
    }
    out
}

fn fix_line(line: &str, entities: bool, out: &mut String) {
    let mut text = Cow::Borrowed(line);
    for _ in 0..ROUNDS_MAX {
        let before = text.clone().into_owned();
        if entities && !text.contains('<') {
            text = unescape_unambiguous(text);
        }
        if let Some(fixed) = mojibake::fix_encoding(&text) {
            text = Cow::Owned(fixed);
        }
        if text.contains(mojibake::is_c1) {
            text = Cow::Owned(mojibake::replace_c1(&text));
        }
        text = replace_characters(text);
        text = drop_terminal_escapes(text);
        if !is_nfc(&text) {
            text = Cow::Owned(text.nfc().collect());
        }
        if text == before {
            break;
        }
    }
    out.push_str(&text);
}

/// Entities that end in `;`, and those of Latin letters in capitals (`&EACUTE;`).
fn unescape_unambiguous(text: Cow<'_, str>) -> Cow<'_, str> {
    if !text.contains('&') {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = &*text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let inner = &rest[1..];
        let number = inner.strip_prefix('#');
        let name = number.unwrap_or(inner);
        let length = name.bytes().take_while(u8::is_ascii_alphanumeric).count();
        let ends = (1..=ENTITY_CHARS_MAX).contains(&length) && name[length..].starts_with(';');
        let end = 1 + usize::from(number.is_some()) + length + 1;
        match ends.then(|| entity(&rest[..end])).flatten() {
            Some(characters) => {
                out.push_str(&characters);
                rest = &rest[end..];
            }
            None => {
                out.push('&');
                rest = inner;
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The characters of an entity with its `&` and `;`.
fn entity(reference: &str) -> Option<String> {
    if reference.starts_with("&#") {
        let unescaped = html::unescape(reference);
        return (!unescaped.contains(';')).then(|| unescaped.into_owned());
    }
    let name = &reference[1..];
    if let Some(characters) = html::named(name) {
        return Some(characters.to_owned());
    }
    let shouted = !name.bytes().any(|byte| byte.is_ascii_lowercase());
    if shouted && html::unescape(reference) == reference {
        return html::named(&name.to_ascii_lowercase()).map(str::to_uppercase);
    }
    None
}

/// Character by character: ligatures, widths, quotes, line breaks and control characters.
fn replace_characters(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\n' | b'\t' | b'\x0c' | b'\x1b')) {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\r' => {
                out.push('\n');
                characters.next_if_eq(&'\n');
            }
            '\u{2028}' | '\u{2029}' | '\u{85}' => out.push('\n'),
            '\u{2bc}' | '\u{2018}'..='\u{201b}' => out.push('\''),
            '\u{201c}'..='\u{201f}' => out.push('"'),
            '\u{3000}' => out.push(' '),
            // Half and full widths: NFKC makes the standard one.
            '\u{ff01}'..='\u{ffef}' => out.extend(std::iter::once(c).nfkc()),
            // The escape character itself is dropped with the others, after the sequences have been.
            '\x1b' => out.push(c),
            '\0'..='\x08' | '\x0b' | '\x0e'..='\x1f' | '\x7f' => {}
            '\u{206a}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffc}' => {}
            _ => match ligature(c) {
                Some(letters) => out.push_str(letters),
                None => out.push(c),
            },
        }
    }
    Cow::Owned(out)
}

/// The letters of a Latin ligature or digraph.
fn ligature(c: char) -> Option<&'static str> {
    Some(match c {
        'Ĳ' => "IJ",
        'ĳ' => "ij",
        'ŉ' => "ʼn",
        'Ǆ' => "DŽ",
        'ǅ' => "Dž",
        'ǆ' => "dž",
        'Ǉ' => "LJ",
        'ǈ' => "Lj",
        'ǉ' => "lj",
        'Ǌ' => "NJ",
        'ǋ' => "Nj",
        'ǌ' => "nj",
        'Ǳ' => "DZ",
        'ǲ' => "Dz",
        'ǳ' => "dz",
        'ﬀ' => "ff",
        'ﬁ' => "fi",
        'ﬂ' => "fl",
        'ﬃ' => "ffi",
        'ﬄ' => "ffl",
        'ﬅ' => "ſt",
        'ﬆ' => "st",
        _ => return None,
    })
}

/// Drops `ESC [ 1 ; 31 m` and its like, then lone escapes.
fn drop_terminal_escapes(text: Cow<'_, str>) -> Cow<'_, str> {
    if !text.contains('\x1b') {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    for (at, part) in text.split('\x1b').enumerate() {
        out.push_str(if at == 0 { part } else { after_sequence(part).unwrap_or(part) });
    }
    Cow::Owned(out)
}

/// The rest after the sequence at the start of `part`.
fn after_sequence(part: &str) -> Option<&str> {
    let arguments =
        part.strip_prefix('[')?.trim_start_matches(|c: char| c == ';' || is_decimal_digit(c));
    arguments.strip_prefix(|c: char| c.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values from ftfy 6.3.1.
    #[test]
    fn texts_are_repaired_as_by_ftfy() {
        for (text, expected) in [
            ("Broken text&hellip; it&#x2019;s ﬂubberiﬁc!", "Broken text… it's flubberific!"),
            ("ＬＯＵＤ　ＮＯＩＳＥＳ Ｕﾀｰﾝ", "LOUD NOISES Uターン"),
            ("\u{201c}here\u{2019}s a test\u{201d}", "\"here's a test\""),
            ("P&EACUTE;REZ &nTILDE; BUNDESSTRA&SZLIG;E", "PÉREZ &nTILDE; BUNDESSTRASSE"),
            ("<b> &amp; &lt;\n&amp;", "<b> &amp; &lt;\n&amp;"),
            ("&amp;\n<b>&amp;", "&\n<b>&amp;"),
            ("\x1b[36;44mblue\x1b[0m \x1bx", "blue x"),
            ("a\r\nb\rc\u{2028}d\u{0}\u{feff}", "a\nb\nc\nd"),
            ("e\u{301} ŉ", "é 'n"),
            ("&#1234567; &#x41; &#xZZ;", "\u{fffd} A &#xZZ;"),
        ] {
            assert_eq!(fix_text(text), expected, "{text}");
        }
    }
}
