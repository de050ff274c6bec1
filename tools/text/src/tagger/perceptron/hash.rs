//! The hashes of words and features. They are part of the weights' file format.

/// A hash of bytes.
#[inline]
pub(super) fn hash(bytes: &[u8]) -> u64 {
    let mut state = 0x9E37_79B9_7F4A_7C15u64 ^ bytes.len() as u64;
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        state = fold_multiply(
            state ^ u64::from_le_bytes(chunk.try_into().expect("8 bytes")),
            MULTIPLIER,
        );
    }
    let mut last = [0; 8];
    last[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
    fold_multiply(state ^ u64::from_le_bytes(last), MULTIPLIER)
}

const MULTIPLIER: u64 = 0xD6E8_FEB8_6659_FD93;

/// The two halves of the 128-bit product, folded together.
#[inline]
fn fold_multiply(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product >> 64) as u64 ^ product as u64
}

/// A feature's hash, from the number of its kind and up to two values.
#[inline]
pub(super) fn mix(kind: u64, a: u64, b: u64) -> u32 {
    let a = fold_multiply(a ^ (kind + 1).wrapping_mul(0xA076_1D64_78BD_642F), MULTIPLIER);
    let all = fold_multiply(a ^ b.wrapping_mul(0xE703_7ED1_A0B4_28DB) ^ kind, MULTIPLIER);
    (all >> 32) as u32 ^ all as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hashes are on disk: if they change, the embedded weights have to be trained anew.
    #[test]
    fn the_hashes_are_those_that_the_weights_were_trained_with() {
        let all: Vec<u64> =
            ["", "a", "dog", "eight by", "eight bytes"].map(|word| hash(word.as_bytes())).into();
        assert_eq!(all, HASHES);
        assert_eq!([mix(1, 2, 3), mix(2, 1, 3), mix(0, 0, 0)], MIXED);
    }

    const HASHES: [u64; 5] = [
        14_544_503_408_999_129_173,
        6_970_428_254_152_358_277,
        8_107_365_512_619_091_307,
        2_682_848_406_687_474_933,
        5_529_194_192_707_268_972,
    ];
    const MIXED: [u32; 3] = [1_139_793_949, 507_934_407, 3_246_996_562];
}
