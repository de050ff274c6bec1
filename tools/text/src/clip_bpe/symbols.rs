//! How CLIP numbers its tokens: bytes, bytes that end a piece, merges, special tokens.

/// Ids 0..256 are the bytes, 256..512 the bytes that end a piece; merges follow.
pub(super) const WORD_FINAL: u16 = 256;
/// Id of the first merge.
pub(super) const FIRST_MERGE: u16 = 512;
/// One past the last merge (49,408 less the two special tokens).
pub(super) const MERGES_END: u16 = 49_406;
/// Id of `<start_of_text>`.
pub const START_OF_TEXT: u16 = 49_406;
/// Id of `<end_of_text>`; the largest id.
pub const END_OF_TEXT: u16 = 49_407;

/// Id of the first byte symbol that is not printable.
const FIRST_UNPRINTABLE: u16 = 188;

/// The symbol of a byte inside a piece. CLIP numbers the printable bytes of Latin-1 first, in order, and the others
/// after them, in order.
pub(super) fn byte_symbol(byte: u8) -> u16 {
    let printable = |byte: u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..);
    let before = |wanted: bool| (0..byte).filter(|&b| printable(b) == wanted).count() as u16;
    if printable(byte) { before(true) } else { FIRST_UNPRINTABLE + before(false) }
}
