//! The bytes of a JSON document to text, and places in that text.

use std::borrow::Cow;

use super::{MAX_SIDECAR_BYTES, SidecarError, json::JsonError};

/// What stands behind a document and means nothing: white space, and NULs of whoever padded the file.
pub(super) const PADDING: [char; 5] = ['\0', ' ', '\t', '\n', '\r'];

/// The text of a JSON document, and whether bytes of it were no text and became U+FFFD. A byte order mark decides for
/// UTF-16; so does a NUL beside the first byte, which in JSON is ASCII.
pub(super) fn decoded(bytes: &[u8]) -> Result<(Cow<'_, str>, bool), SidecarError> {
    if bytes.len() as u64 > MAX_SIDECAR_BYTES {
        return Err(SidecarError::TooLarge { bytes: bytes.len() });
    }
    let wide = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units = bytes.chunks(2).map(|pair| unit([pair[0], *pair.get(1).unwrap_or(&0)]));
        let mut is_broken = bytes.len() % 2 == 1;
        let signs = char::decode_utf16(units).map(|sign| {
            is_broken |= sign.is_err();
            sign.unwrap_or(char::REPLACEMENT_CHARACTER)
        });
        let text: String = signs.collect();
        (Cow::Owned(text), is_broken)
    };
    Ok(match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        [first, 0, ..] if first.is_ascii() && *first != 0 => wide(bytes, u16::from_le_bytes),
        [0, second, ..] if second.is_ascii() && *second != 0 => wide(bytes, u16::from_be_bytes),
        _ => {
            let text =
                String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes));
            let not_utf8 = matches!(text, Cow::Owned(_));
            (text, not_utf8)
        }
    })
}

/// The error with line and column, as editors count them.
pub(super) fn located(text: &str, error: JsonError) -> SidecarError {
    let mut offset = error.offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    SidecarError::Syntax {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        what: error.what,
    }
}
