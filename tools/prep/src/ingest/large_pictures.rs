//! Room for pictures that are large when they are decoded.

use clipa_pool::{Permit, Permits};

use crate::image::{DecodeError, DecodeLimits, Decoded, Orientation, decode};

/// Bytes that large pictures may take while they are decoded and resized, for each thread: room for a photograph of 24
/// megapixels in every thread, while 16 of the largest allowed, side by side, would take 8.6 GB.
pub(super) const BYTES_PER_THREAD: u64 = 192 << 20;

/// Pixels up to which a picture is not counted: 4 megapixels, 13 MB of RGB.
const COUNTED_PIXELS: u64 = 1 << 22;
/// Bytes a pixel that a large picture weighs: RGB as decoded and as turned, and some of the decoder's own.
const WEIGHT_OF_PIXEL: u64 = 8;

/// Decodes so that large pictures of all threads together stay within a number of bytes; who finds no room waits.
///
/// Clones share the room.
#[derive(Clone, Debug)]
pub(super) struct LargePictures {
    room: Permits,
}

impl LargePictures {
    /// Room for so many threads.
    pub(super) fn new(threads: usize) -> LargePictures {
        LargePictures { room: Permits::new(threads as u64 * BYTES_PER_THREAD) }
    }

    /// As [`decode`]; the picture has its room for as long as the permit is held.
    ///
    /// # Errors
    /// Those of [`decode`].
    pub(super) fn decode(
        &self,
        bytes: &[u8],
        limits: &DecodeLimits,
        exif_hint: Option<Orientation>,
    ) -> Result<(Decoded, Option<Permit>), DecodeError> {
        // Most pictures are small: only for one that is not, its header is read twice.
        let max_pixels = limits.max_pixels.min(COUNTED_PIXELS);
        let uncounted = DecodeLimits { max_pixels, ..*limits };
        let error = match decode(bytes, &uncounted, exif_hint) {
            Ok(decoded) => return Ok((decoded, None)),
            Err(error) => error,
        };
        let weight = match error {
            DecodeError::TooLarge { what: "pixels", value, .. } => value * WEIGHT_OF_PIXEL,
            DecodeError::TooLarge { what: "decoded bytes", value, .. } => value * 2,
            DecodeError::OverMemory { .. } => limits.max_pixels * WEIGHT_OF_PIXEL,
            _ => return Err(error),
        };
        // None where the run has ended early: nobody else begins then.
        let permit = self.room.take(weight);
        Ok((decode(bytes, limits, exif_hint)?, permit))
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Cursor, thread};

    use image::{DynamicImage, ImageFormat, Rgb, RgbImage, RgbaImage};

    use super::*;

    fn png(image: impl Into<DynamicImage>) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        image.into().write_to(&mut file, ImageFormat::Png).unwrap();
        file.into_inner()
    }

    fn striped(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, _| Rgb([(x % 250) as u8, 7, 9]))
    }

    #[test]
    fn a_picture_is_decoded_as_without_and_only_a_large_one_has_a_permit() {
        let (pictures, limits) = (LargePictures::new(1), DecodeLimits::default());
        let deep = DynamicImage::ImageRgba8(RgbaImage::new(1500, 1500)).to_rgba16();
        let held = [(png(striped(64, 48)), None), (png(striped(2500, 2000)), Some(40_000_000))];
        for (picture, weight) in held.into_iter().chain([(png(deep), Some(36_000_000))]) {
            let free = pictures.room.free();
            let (decoded, permit) = pictures.decode(&picture, &limits, None).unwrap();
            assert_eq!(decoded, decode(&picture, &limits, None).unwrap());
            assert_eq!(
                (permit.is_some(), free - pictures.room.free()),
                match weight {
                    Some(weight) => (true, weight),
                    None => (false, 0),
                }
            );
        }
        assert_eq!(pictures.room.free(), BYTES_PER_THREAD);
    }

    #[test]
    fn what_is_refused_is_refused_with_the_same_words() {
        let (pictures, whole) = (LargePictures::new(1), png(striped(2500, 2000)));
        let limits = DecodeLimits { max_pixels: 4_500_000, ..DecodeLimits::default() };
        for bytes in [&whole[..], &whole[..whole.len() / 2], &whole[..60], b"GIF89a"] {
            for limits in [limits, DecodeLimits::default()] {
                let found = pictures.decode(bytes, &limits, None).map(|(decoded, _)| decoded);
                let found = found.map_err(|error| error.to_string());
                let plain = decode(bytes, &limits, None).map_err(|error| error.to_string());
                assert_eq!(found, plain);
            }
        }
        assert_eq!(pictures.room.free(), BYTES_PER_THREAD);
    }

    #[test]
    fn many_threads_hold_no_more_than_the_room() {
        let pictures = LargePictures::new(1);
        let picture = png(striped(4000, 2000));
        thread::scope(|scope| {
            for _ in 0..8 {
                let (pictures, picture) = (pictures.clone(), &picture);
                scope.spawn(move || {
                    let (_, permit) =
                        pictures.decode(picture, &DecodeLimits::default(), None).unwrap();
                    thread::yield_now();
                    drop(permit);
                });
            }
        });
        let (held, all) = (pictures.room.most_held(), 8 * 8_000_000 * WEIGHT_OF_PIXEL);
        assert!(held > 0 && held <= BYTES_PER_THREAD && BYTES_PER_THREAD < all / 2, "{held}");
    }
}
