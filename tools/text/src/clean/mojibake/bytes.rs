//! Bytes that are almost UTF-8.

use std::sync::LazyLock;

use regex::bytes::Regex;

/// UTF-8 in which a byte A0 became a space; only where the result is a likely character.
static ALTERED: LazyLock<Regex> = LazyLock::new(|| {
    let next = r"[\x80-\x84\x86-\x9f\xa1-\xbf]";
    let any = r"[\x80-\xbf]";
    expression(&[
        r"[\xc2\xc3\xc5\xce\xd0\xd9][ ]".to_owned(),
        format!(r"[\xe2\xe3][ ]{next}"),
        format!(r"[\xe0-\xe3]{next}[ ]"),
        format!(r"\xf0[ ]{any}{any}"),
        format!(r"\xf0{any}[ ]{any}"),
        format!(r"\xf0{any}{any}[ ]"),
    ])
});

/// UTF-8 in which some bytes were lost (1A), or one became a question mark.
static LOSSY: LazyLock<Regex> = LazyLock::new(|| {
    let (lost, next) = (r"[\x1a?]", r"[\x1a\x80-\xbf]");
    expression(&[
        r"[\xc2-\xdf]\x1a".to_owned(),
        r"[\xc2-\xc3][?]".to_owned(),
        format!(r"\xed[\xa0-\xaf]{lost}\xed[\xb0-\xbf][\x1a?\x80-\xbf]"),
        format!(r"\xed[\xa0-\xaf][\x1a?\x80-\xbf]\xed[\xb0-\xbf]{lost}"),
        format!(r"[\xe0-\xef]{lost}{next}"),
        format!(r"[\xe0-\xef]{next}{lost}"),
        format!(r"[\xf0-\xf4]{lost}{next}{next}"),
        format!(r"[\xf0-\xf4]{next}{lost}{next}"),
        format!(r"[\xf0-\xf4]{next}{next}{lost}"),
        r"\x1a".to_owned(),
    ])
});

fn expression(alternatives: &[String]) -> Regex {
    Regex::new(&format!("(?-u){}", alternatives.join("|"))).expect("a valid expression")
}

/// Restores A0 where a space is inside what would be UTF-8 with it. `Ã` alone between spaces is `à`, the word, and
/// keeps its space, except at the start of Portuguese àquele, àquela, àquilo and às.
pub(super) fn restore_no_break_spaces(bytes: Vec<u8>) -> Vec<u8> {
    if !ALTERED.is_match(&bytes) {
        return bytes;
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes.as_slice();
    while let Some((&first, after)) = rest.split_first() {
        out.push(first);
        rest = after;
        if let (0xC3, Some(word)) = (first, after.strip_prefix(b" ")) {
            let joined = [&b" "[..], b"quele", b"quela", b"quilo", b"s "];
            if !joined.iter().any(|start| word.starts_with(start)) {
                out.extend([0xA0, b' ']);
                rest = word;
            }
        }
    }
    let restored = ALTERED.replace_all(&out, |found: &regex::bytes::Captures<'_>| {
        found[0].iter().map(|&byte| if byte == b' ' { 0xA0 } else { byte }).collect::<Vec<u8>>()
    });
    restored.into_owned()
}

/// Replaces sequences with lost bytes by U+FFFD.
pub(super) fn replace_lossy_sequences(bytes: Vec<u8>) -> Vec<u8> {
    if !bytes.iter().any(|byte| matches!(byte, 0x1A | b'?')) {
        return bytes;
    }
    LOSSY.replace_all(&bytes, &b"\xEF\xBF\xBD"[..]).into_owned()
}

/// Reads UTF-8, Java's null (C0 80) and surrogate pairs written as two characters of three bytes (CESU-8) included.
pub(super) fn decode(bytes: Vec<u8>) -> Option<String> {
    if !bytes.iter().any(|byte| matches!(byte, 0xC0 | 0xED)) {
        return String::from_utf8(bytes).ok();
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes.as_slice();
    while let Some((&first, after)) = rest.split_first() {
        match *rest {
            [0xC0, 0x80, ..] => {
                out.push(0);
                rest = &rest[2..];
            }
            [
                0xED,
                a @ 0xA0..=0xAF,
                b @ 0x80..=0xBF,
                0xED,
                c @ 0xB0..=0xBF,
                d @ 0x80..=0xBF,
                ..,
            ] => {
                let bits = |byte: u8, mask: u8, shift: u32| u32::from(byte & mask) << shift;
                let code =
                    bits(a, 0x0F, 16) + bits(b, 0x3F, 10) + bits(c, 0x0F, 6) + bits(d, 0x3F, 0);
                let c = char::from_u32(code + 0x1_0000)?;
                out.extend(c.encode_utf8(&mut [0; 4]).bytes());
                rest = &rest[6..];
            }
            _ => {
                out.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8(out).ok()
}
