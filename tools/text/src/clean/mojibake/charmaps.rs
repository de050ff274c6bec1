//! The single-byte encodings through which UTF-8 gets garbled.

use std::ops::RangeInclusive;
use std::sync::LazyLock;

use encoding_rs::{
    Encoding, ISO_8859_2, MACINTOSH, WINDOWS_1250, WINDOWS_1251, WINDOWS_1252, WINDOWS_1253,
    WINDOWS_1254, WINDOWS_1257,
};
use rustc_hash::FxHashMap;

/// The byte of a lost character, which is U+FFFD in the text.
pub(super) const LOST: u8 = 0x1A;

/// One encoding: a character for each byte.
pub(super) struct Charmap {
    kind: Kind,
    characters: [char; 256],
    bytes: FxHashMap<char, u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Windows' encodings as browsers read them: what is not assigned is Latin-1, and U+FFFD is byte [`LOST`].
    Sloppy,
    Plain,
    /// Plain, and a space is never taken for a lost no-break space, which has another number there.
    Macintosh,
}

/// The encodings in the order in which they are tried. The first seven also define what mojibake looks like.
pub(super) static CHARMAPS: LazyLock<[Charmap; 10]> = LazyLock::new(|| {
    let whatwg = |encoding: &'static Encoding, kind| {
        Charmap::new(kind, |byte| {
            let decoded = encoding.decode_without_bom_handling(&[byte]).0.chars().next();
            decoded.filter(|&c| c != char::REPLACEMENT_CHARACTER).unwrap_or(char::from(byte))
        })
    };
    [
        Charmap::new(Kind::Plain, char::from),
        whatwg(WINDOWS_1252, Kind::Sloppy),
        whatwg(WINDOWS_1251, Kind::Sloppy),
        whatwg(WINDOWS_1250, Kind::Sloppy),
        whatwg(WINDOWS_1253, Kind::Sloppy),
        whatwg(WINDOWS_1254, Kind::Sloppy),
        whatwg(WINDOWS_1257, Kind::Sloppy),
        whatwg(ISO_8859_2, Kind::Plain),
        whatwg(MACINTOSH, Kind::Macintosh),
        Charmap::new(Kind::Plain, |byte| {
            let upper = usize::from(byte)
                .checked_sub(0x80)
                .and_then(|index| CODE_PAGE_437.chars().nth(index));
            upper.unwrap_or(char::from(byte))
        }),
    ]
});

/// How many of [`CHARMAPS`] define what mojibake looks like.
const DETECTING: usize = 7;

/// The upper half of the IBM PC's character set.
const CODE_PAGE_437: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀\
                             αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

impl Charmap {
    fn new(kind: Kind, character: impl Fn(u8) -> char) -> Charmap {
        let mut characters: [char; 256] = std::array::from_fn(|byte| character(byte as u8));
        if kind == Kind::Sloppy {
            characters[usize::from(LOST)] = char::REPLACEMENT_CHARACTER;
        }
        let bytes = (0..=u8::MAX).map(|byte| (characters[usize::from(byte)], byte)).collect();
        Charmap { kind, characters, bytes }
    }

    /// The text in this encoding; `None` if it has characters that the encoding lacks.
    pub(super) fn encode(&self, text: &str) -> Option<Vec<u8>> {
        text.chars().map(|c| self.bytes.get(&c).copied()).collect()
    }

    /// Whether the encoding has a byte for a lost character.
    pub(super) fn is_sloppy(&self) -> bool {
        self.kind == Kind::Sloppy
    }

    /// Whether spaces may have been no-break spaces.
    pub(super) fn restores_spaces(&self) -> bool {
        self.kind != Kind::Macintosh
    }
}

/// What these bytes are in any of the detecting encodings, sorted.
pub(super) fn characters_of(bytes: RangeInclusive<u8>) -> Vec<char> {
    let detecting = &CHARMAPS[..DETECTING];
    let mut all: Vec<char> = bytes
        .flat_map(|byte| detecting.iter().map(move |map| map.characters[usize::from(byte)]))
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}
