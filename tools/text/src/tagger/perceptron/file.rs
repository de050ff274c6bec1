//! The file of weights: small, checked, the same for the same training.
//!
//! | part | bytes |
//! |---|---|
//! | `CLIPAPOS`, version 1 | 9 |
//! | words with one tag | count (u32), then hash (u32) and tag (u8) each, by hash |
//! | words with their possible tags | count (u32), then hash (u32) and set (u64) each, by hash |
//! | features | count (u32), then each by hash: distance to the last hash (varint), entries (u8), tag (u8) and weight (i8) of each |
//!
//! Numbers are little-endian.

use clipa_schemas::penn::PennTag;

use super::lexicon::{Lexicon, TAGS, TagSet};
use super::weights::{FeatureWeights, WEIGHTS_MAX, Weight, Weights};
use crate::tagger::error::TaggerError;

const MAGIC: &[u8; 9] = b"CLIPAPOS\x01";

fn damaged(reason: &'static str) -> TaggerError {
    TaggerError::Weights { reason }
}

/// Writes the file. Features are in the order of their hashes.
pub(super) fn write(lexicon: &Lexicon, features: &[FeatureWeights]) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    let mut certain: Vec<_> = lexicon.certain.iter().collect();
    certain.sort_unstable();
    out.extend((certain.len() as u32).to_le_bytes());
    for (hash, tag) in certain {
        out.extend(hash.to_le_bytes());
        out.push(tag.byte());
    }
    let mut possible: Vec<_> =
        lexicon.possible.iter().map(|(hash, set)| (*hash, set.bits())).collect();
    possible.sort_unstable();
    out.extend((possible.len() as u32).to_le_bytes());
    for (hash, set) in possible {
        out.extend(hash.to_le_bytes());
        out.extend(set.to_le_bytes());
    }
    out.extend((features.len() as u32).to_le_bytes());
    let mut last = 0;
    for (hash, weights) in features {
        varint(hash - last, &mut out);
        last = *hash;
        out.push(weights.len() as u8);
        out.extend(weights.iter().flat_map(|weight| [weight.tag, weight.value as u8]));
    }
    out
}

fn varint(mut number: u32, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Fewest bytes of a feature: a distance, a count, and one weight.
const FEATURE_BYTES_MIN: usize = 4;

/// Reads the file.
pub(super) fn read(bytes: &[u8]) -> Result<(Lexicon, Weights), TaggerError> {
    let mut bytes =
        Reader(bytes.strip_prefix(MAGIC).ok_or_else(|| damaged("it does not start as one"))?);
    let mut lexicon = Lexicon::default();
    for _ in 0..bytes.u32()? {
        lexicon.certain.insert(bytes.u32()?, bytes.tag()?);
    }
    for _ in 0..bytes.u32()? {
        let hash = bytes.u32()?;
        lexicon.possible.insert(hash, TagSet::from_bits(u64::from_le_bytes(bytes.take()?)));
    }
    let features = bytes.u32()?;
    if features as usize > bytes.0.len() / FEATURE_BYTES_MIN {
        return Err(damaged("it is cut short"));
    }
    let mut weights = Weights::with_capacity(features as usize);
    let (mut last, mut entries) = (0u32, 0);
    let mut of_feature = [Weight::default(); TAGS];
    for index in 0..features {
        let distance = bytes.varint()?;
        if distance == 0 && index > 0 {
            return Err(damaged("a feature occurs twice"));
        }
        last = last.checked_add(distance).ok_or_else(|| damaged("a hash is too large"))?;
        let [count] = bytes.take()?;
        entries += usize::from(count);
        if count == 0 || usize::from(count) > TAGS || entries >= WEIGHTS_MAX {
            return Err(damaged("a feature has no weights, or too many"));
        }
        let of_feature = &mut of_feature[..usize::from(count)];
        for weight in &mut *of_feature {
            *weight = Weight { tag: bytes.tag()?.byte(), value: i8::from_le_bytes(bytes.take()?) };
        }
        weights.insert(last, of_feature.iter().copied());
    }
    if bytes.0.is_empty() {
        Ok((lexicon, weights))
    } else {
        Err(damaged("it goes on after its end"))
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], TaggerError> {
        let (head, rest) = self.0.split_first_chunk().ok_or_else(|| damaged("it is cut short"))?;
        self.0 = rest;
        Ok(*head)
    }

    fn u32(&mut self) -> Result<u32, TaggerError> {
        Ok(u32::from_le_bytes(self.take()?))
    }

    fn varint(&mut self) -> Result<u32, TaggerError> {
        let mut number = 0u64;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.take()?;
            number |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return u32::try_from(number).map_err(|_| damaged("a number is too large"));
            }
        }
        Err(damaged("a number is too large"))
    }

    fn tag(&mut self) -> Result<PennTag, TaggerError> {
        let [byte] = self.take()?;
        let tag = PennTag::from_byte(byte);
        if tag == PennTag::UNKNOWN { Err(damaged("a tag is unknown")) } else { Ok(tag) }
    }
}

#[cfg(test)]
mod tests {
    use clipa_schemas::file::sha256_hex;

    use super::*;

    fn example() -> (Lexicon, Vec<FeatureWeights>) {
        let mut lexicon = Lexicon::default();
        let tag = |name| PennTag::from_name(name).unwrap();
        lexicon.certain.extend([(7, tag("DT")), (3, tag("."))]);
        lexicon.possible.extend([(9, TagSet::from_bits(6)), (1, TagSet::from_bits(1 << 45))]);
        let weight = |tag, value| Weight { tag, value };
        let features = vec![
            (0, vec![weight(1, -127)]),
            (300, vec![weight(2, 5), weight(45, 127)]),
            (u32::MAX, vec![weight(20, 2)]),
        ];
        (lexicon, features)
    }

    #[test]
    fn what_was_written_is_read() {
        let (lexicon, features) = example();
        let (read_lexicon, weights) = read(&write(&lexicon, &features)).unwrap();
        for (hash, expected) in &features {
            assert_eq!(weights.of(*hash), expected);
        }
        assert!(weights.of(301).is_empty());
        assert_eq!(read_lexicon.certain, lexicon.certain);
        assert_eq!(read_lexicon.possible, lexicon.possible);
    }

    #[test]
    fn a_cut_file_is_an_error_and_a_flipped_bit_no_panic() {
        let (lexicon, features) = example();
        let bytes = write(&lexicon, &features);
        for length in 0..bytes.len() {
            assert!(read(&bytes[..length]).is_err(), "{length} bytes");
        }
        assert!(read(&[&bytes[..], b"x"].concat()).is_err());
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            // The format has no checksum, so some flips are other valid weights; the identity's hash differs.
            let _ = read(&flipped);
            assert_ne!(sha256_hex(&flipped), sha256_hex(&bytes));
        }
    }
}
