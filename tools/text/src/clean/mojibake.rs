//! Undoes mojibake: UTF-8 that was read as a single-byte encoding (`CafÃ©`), once or several times over.
//!
//! Follows ftfy 6.3 (Apache-2.0, Robyn Speer): whether a text is bad is judged by pairs of characters that hardly ever
//! meet ([`badness`]); a bad text is written back in each encoding in turn ([`charmaps`]) until its bytes are UTF-8.

mod badness;
mod bytes;
mod charmaps;

use std::sync::LazyLock;

use encoding_rs::WINDOWS_1252;
use regex::Regex;

use badness::is_bad;
use charmaps::{CHARMAPS, Charmap};

/// Most times that one text is decoded; each round shortens it, so only adversarial text needs this many.
const ROUNDS_MAX: usize = 32;

/// Repairs the encoding of a text; `None` where nothing is wrong, or nothing helps.
pub(super) fn fix_encoding(text: &str) -> Option<String> {
    let mut fixed = fix_once(text)?;
    for _ in 1..ROUNDS_MAX {
        match fix_once(&fixed) {
            Some(better) if better != fixed => fixed = better,
            _ => break,
        }
    }
    Some(fixed)
}

fn fix_once(text: &str) -> Option<String> {
    if text.is_ascii() || !is_bad(text) {
        return None;
    }
    let whole = CHARMAPS.iter().find_map(|charmap| decode_as_utf8(charmap, text));
    if let Some(whole) = whole {
        return Some(whole);
    }
    let in_parts = fix_embedded(text);
    if in_parts.as_ref().is_some_and(|fixed| fixed != text) {
        return in_parts;
    }
    text.contains(is_c1).then(|| replace_c1(text))
}

/// C1 control characters: in text they come from Windows-1252 read as Latin-1.
pub(super) fn is_c1(c: char) -> bool {
    ('\u{80}'..='\u{9f}').contains(&c)
}

/// The text with every C1 control character replaced by what Windows-1252 has at its number.
pub(super) fn replace_c1(text: &str) -> String {
    text.chars().map(|c| if is_c1(c) { windows_1252(c as u8) } else { c }).collect()
}

/// The character of one byte of Windows-1252.
pub(super) fn windows_1252(byte: u8) -> char {
    let bytes = [byte];
    let decoded = WINDOWS_1252.decode_without_bom_handling(&bytes).0;
    decoded.chars().next().unwrap_or(char::from(byte))
}

/// The text written in a single-byte encoding and read as UTF-8.
fn decode_as_utf8(charmap: &Charmap, text: &str) -> Option<String> {
    let mut encoded = charmap.encode(text)?;
    if charmap.restores_spaces() {
        encoded = bytes::restore_no_break_spaces(encoded);
    }
    if charmap.is_sloppy() {
        encoded = bytes::replace_lossy_sequences(encoded);
    }
    bytes::decode(encoded)
}

/// One character of UTF-8 read in any of the encodings; a stretch is a run of them.
static UNIT: LazyLock<Regex> = LazyLock::new(|| {
    let (two, three) = (class(0xC2..=0xDF), class(0xE0..=0xEF));
    // Emoji, and the tags of flags.
    let four = format!("[{}{}]", class(0xF0..=0xF0), class(0xF3..=0xF3));
    let next = format!("[ {}]", class(0x80..=0xBF));
    Regex::new(&format!("{two}{next}|{three}{next}{{2}}|{four}{next}{{3}}"))
        .expect("a valid expression")
});

fn class(bytes: std::ops::RangeInclusive<u8>) -> String {
    let escaped =
        charmaps::characters_of(bytes).into_iter().map(|c| format!("\\u{{{:x}}}", u32::from(c)));
    format!("[{}]", escaped.collect::<String>())
}

/// Characters that continue such a stretch and are hardly ever anything else: no stretch starts right after one.
static CONTINUES: LazyLock<Vec<char>> = LazyLock::new(|| {
    let mut all = charmaps::characters_of(0x80..=0xBF);
    all.retain(|c| !matches!(c, '–' | '—' | '―' | '‘' | '’' | '‚' | '“' | '”' | '„' | '•' | '…'));
    all
});

/// Repairs the stretches of mojibake in a text that is not mojibake as a whole; `None` where there is none.
///
/// Unit by unit: a search for whole stretches would read a long one again from each place where none may start.
fn fix_embedded(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let (mut copied, mut found) = (0, false);
    let mut next = UNIT.find(text);
    while let Some(unit) = next {
        let before = text[..unit.start()].chars().next_back();
        if before.is_some_and(|c| CONTINUES.binary_search(&c).is_ok()) {
            let first = unit.as_str().chars().next().map_or(1, char::len_utf8);
            next = UNIT.find_at(text, unit.start() + first);
            continue;
        }
        found = true;
        let mut end = unit.end();
        next = UNIT.find_at(text, end);
        while let Some(unit) = next.filter(|unit| unit.start() == end) {
            end = unit.end();
            next = UNIT.find_at(text, end);
        }
        let stretch = &text[unit.start()..end];
        // Only a part: the whole was tried before.
        if stretch.len() < text.len()
            && is_bad(stretch)
            && let Some(fixed) = fix_encoding(stretch)
        {
            out.push_str(&text[copied..unit.start()]);
            out.push_str(&fixed);
            copied = end;
        }
    }
    out.push_str(&text[copied..]);
    found.then_some(out)
}
