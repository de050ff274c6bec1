//! One 512-byte block of a tar: zeros, a header, or neither.
//!
//! Layout: POSIX.1-1988 ustar, with GNU's base-256 numbers and old (V7) headers that have no magic.

/// Size of a tar block, and the unit in which data is padded.
pub(super) const BLOCK_BYTES: usize = 512;

/// Where "ustar" stands in a header.
pub(super) const MAGIC_AT: usize = 257;

/// The five bytes that POSIX and GNU headers share.
pub(super) const MAGIC: &[u8; 5] = b"ustar";

/// The fields of a header that the walk needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    /// Type flag byte; NUL for a V7 file.
    pub(super) flag: u8,
    /// Path as raw bytes, the ustar prefix included.
    pub(super) name: Vec<u8>,
    /// Target of a link, raw.
    pub(super) link: Vec<u8>,
    /// Size field in bytes.
    pub(super) size: u64,
    /// GNU sparse only: further blocks of the sparse map follow.
    pub(super) more_sparse_blocks: bool,
}

/// What a block is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Block {
    /// 512 zeros.
    Zeros,
    /// A header whose checksum holds and whose size can be read.
    Header(Header),
    /// Anything else.
    Invalid,
}

/// Tells what a block is. `block` must have [`BLOCK_BYTES`] bytes.
pub(super) fn classify(block: &[u8]) -> Block {
    if block.iter().all(|&byte| byte == 0) {
        return Block::Zeros;
    }
    if !checksum_holds(block) {
        return Block::Invalid;
    }
    let Some(size) = number(&block[124..136]) else {
        return Block::Invalid;
    };
    let mut name = text(&block[..100]).to_vec();
    // GNU headers ("ustar  ") keep times where POSIX has the prefix.
    if &block[MAGIC_AT..MAGIC_AT + 6] == b"ustar\0" && block[345] != 0 {
        let mut joined = text(&block[345..500]).to_vec();
        joined.push(b'/');
        joined.append(&mut name);
        name = joined;
    }
    Block::Header(Header {
        flag: block[156],
        name,
        link: text(&block[157..257]).to_vec(),
        size,
        more_sparse_blocks: block[482] != 0,
    })
}

/// A header with a magic: what may be believed in the middle of damaged bytes, where one random block in
/// some millions passes the checksum alone.
pub(super) fn is_strict_header(block: &[u8]) -> bool {
    &block[MAGIC_AT..MAGIC_AT + MAGIC.len()] == MAGIC && matches!(classify(block), Block::Header(_))
}

/// Sum of all bytes with the checksum field taken as spaces; some old writers summed signed bytes.
fn checksum_holds(block: &[u8]) -> bool {
    let Some(stored) = number(&block[148..156]) else {
        return false;
    };
    let field = 148..156;
    let (mut unsigned, mut signed) = (8 * i64::from(b' '), 8 * i64::from(b' '));
    for (at, &byte) in block.iter().enumerate() {
        if !field.contains(&at) {
            unsigned += i64::from(byte);
            signed += i64::from(byte as i8);
        }
    }
    i64::try_from(stored).is_ok_and(|stored| stored == unsigned || stored == signed)
}

/// Octal text (spaces and NULs around it), or GNU base-256; `None` where it is neither, or negative.
fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 != 0 {
        // 0xff leads a negative number; 0x80 a positive one, whose other bits all belong to the value.
        let first = u64::from(field[0] & 0x7f);
        return field[1..]
            .iter()
            .try_fold(first, |value, &byte| value.checked_mul(256)?.checked_add(u64::from(byte)));
    }
    let is_blank = |byte: &u8| *byte == b' ' || *byte == 0;
    let start = field.iter().position(|byte| !is_blank(byte)).unwrap_or(field.len());
    let digits = &field[start..];
    let digits = &digits[..digits.iter().position(is_blank).unwrap_or(digits.len())];
    digits.iter().try_fold(0u64, |value, &byte| match byte {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    })
}

/// The bytes before the first NUL.
fn text(field: &[u8]) -> &[u8] {
    &field[..field.iter().position(|&byte| byte == 0).unwrap_or(field.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_octal_or_base_256() {
        assert_eq!(number(b"00000000144\0"), Some(100));
        assert_eq!(number(b"      144 \0\0"), Some(100));
        assert_eq!(number(&[0; 12]), Some(0));
        assert_eq!(number(b"0000000014x\0"), None);
        let mut field = [0u8; 12];
        field[0] = 0x80;
        field[4..].copy_from_slice(&(1u64 << 40).to_be_bytes());
        assert_eq!(number(&field), Some(1 << 40));
        assert_eq!(number(&[0xff; 12]), None, "negative or beyond 64 bits");
    }

    #[test]
    fn garbage_is_neither_zeros_nor_a_header() {
        assert_eq!(classify(&[0; BLOCK_BYTES]), Block::Zeros);
        assert_eq!(classify(&[0x41; BLOCK_BYTES]), Block::Invalid);
        assert_eq!(classify(&[0xff; BLOCK_BYTES]), Block::Invalid);
    }
}
