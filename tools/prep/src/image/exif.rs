//! The orientation in an EXIF block, wherever the container keeps it.

use exif::{In, Reader, Tag};

use super::Orientation;

/// Largest EXIF block that is parsed, in bytes; a JPEG segment cannot hold more than 64 KiB.
const MAX_EXIF_BYTES: usize = 1 << 20;

/// The orientation in a TIFF-structured EXIF block, with or without the `Exif\0\0` that JPEG puts before it.
/// Damaged blocks are read as far as they go; `None` where there is no (valid) orientation.
pub(super) fn orientation_in(block: &[u8]) -> Option<Orientation> {
    let block = block.strip_prefix(b"Exif\0\0").unwrap_or(block);
    if block.len() > MAX_EXIF_BYTES {
        return None;
    }
    let parsed = Reader::new()
        .continue_on_error(true)
        .read_raw(block.to_vec())
        .or_else(|error| error.distill_partial_result(|_| ()))
        .ok()?;
    let value = parsed.get_field(Tag::Orientation, In::PRIMARY)?.value.get_uint(0)?;
    Orientation::from_exif(value)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A little-endian block with nothing but an orientation.
    pub(in crate::image) fn block(orientation: u16) -> Vec<u8> {
        let mut block = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
        block.extend_from_slice(&orientation.to_le_bytes());
        block.extend_from_slice(&[0; 6]);
        block
    }

    #[test]
    fn the_orientation_is_found_and_nonsense_is_none() {
        assert_eq!(orientation_in(&block(6)), Some(Orientation::Rotate90));
        assert_eq!(
            orientation_in(&[b"Exif\0\0", &block(3)[..]].concat()),
            Some(Orientation::Rotate180)
        );
        for nonsense in [block(0), block(77), b"II*\0".to_vec(), Vec::new(), vec![0xff; 64]] {
            assert_eq!(orientation_in(&nonsense), None);
        }
        // Cut behind the value: what was read counts.
        assert_eq!(orientation_in(&block(6)[..22]), Some(Orientation::Rotate90));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(
            flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
            more in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            let mut bytes = [block(6), more].concat();
            for (place, byte) in flips {
                let at = place.index(bytes.len());
                bytes[at] = byte;
            }
            let found = orientation_in(&bytes);
            prop_assert!(found.is_none_or(|found| (1..=8).contains(&found.exif())));
        }
    }
}
