//! What an image may cost.

use super::DecodeError;

/// Least short side, in pixels, from which a JPEG may be scaled while it is decoded. Below, entropy decoding
/// dominates: on 256 px sources scaling would save a seventh of the time and change every pixel.
pub const DCT_MIN_SHORT_PX: u32 = 768;

/// Divisors at which a JPEG may be scaled while it is decoded. libjpeg could also divide by 8, but its pixels are plain means
/// then, and even at eight times the target only within 45 dB of a full decode.
const DCT_DIVISORS: [u32; 2] = [4, 2];

/// How many times the largest stored side a JPEG's short side must keep when it is scaled while decoded. At four times drawn
/// photographs of every size around a multiple of eight, in every orientation, are within 55 dB of a full decode; at twice
/// photographs were at 43.
const DCT_MIN_OVERSAMPLING: u32 = 4;

/// Limits of one image; each is checked before the memory that it bounds is allocated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Bytes of the encoded image.
    pub max_bytes: u64,
    /// Width times height, of the image in the file.
    pub max_pixels: u64,
    /// Width, and height, in pixels.
    pub max_side_px: u32,
    /// The largest side that will be stored ([`super::RenderPlan::largest_side`]): a JPEG whose short side is many
    /// times that may be decoded at 1/2 or 1/4 of its size. `None` decodes everything in full.
    pub largest_side_px: Option<u32>,
}

impl Default for DecodeLimits {
    /// 64 MiB, 67 megapixels (200 MB of RGB), sides of 65,535 pixels (all that a JPEG can have).
    fn default() -> Self {
        DecodeLimits {
            max_bytes: 64 << 20,
            max_pixels: 1 << 26,
            max_side_px: u16::MAX as u32,
            largest_side_px: None,
        }
    }
}

impl DecodeLimits {
    pub(super) fn check_bytes(&self, bytes: usize) -> Result<(), DecodeError> {
        at_most("bytes", bytes as u64, self.max_bytes)
    }

    pub(super) fn check_size(&self, width: u32, height: u32) -> Result<(), DecodeError> {
        if width == 0 || height == 0 {
            return Err(DecodeError::Empty);
        }
        at_most("side", u64::from(width.max(height)), u64::from(self.max_side_px))?;
        at_most("pixels", u64::from(width) * u64::from(height), self.max_pixels)
    }

    /// Checks the size of a decoder's output, which may have more than four bytes a pixel.
    pub(super) fn check_output(&self, bytes: u64) -> Result<(), DecodeError> {
        at_most("decoded bytes", bytes, self.max_output_bytes())
    }

    pub(super) fn max_output_bytes(&self) -> u64 {
        self.max_pixels.saturating_mul(4)
    }

    /// The divisor (1, 2, 4, 8) at which a JPEG of this size is decoded.
    pub(super) fn dct_divisor(&self, width: u32, height: u32) -> u32 {
        let short = width.min(height);
        let Some(largest) = self.largest_side_px.filter(|_| short >= DCT_MIN_SHORT_PX) else {
            return 1;
        };
        let least = largest.saturating_mul(DCT_MIN_OVERSAMPLING);
        DCT_DIVISORS.into_iter().find(|divisor| short.div_ceil(*divisor) >= least).unwrap_or(1)
    }
}

fn at_most(what: &'static str, value: u64, limit: u64) -> Result<(), DecodeError> {
    if value > limit { Err(DecodeError::TooLarge { what, value, limit }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scaling_keeps_four_times_the_largest_side_and_spares_small_sources() {
        let limits = |side| DecodeLimits { largest_side_px: Some(side), ..DecodeLimits::default() };
        assert_eq!(limits(64).dct_divisor(256, 256), 1);
        assert_eq!(limits(64).dct_divisor(767, 4000), 1);
        assert_eq!(limits(224).dct_divisor(1024, 768), 1);
        assert_eq!(limits(224).dct_divisor(2000, 1790), 1);
        assert_eq!(limits(224).dct_divisor(2000, 1792), 2);
        assert_eq!(limits(112).dct_divisor(4000, 3000), 4);
        assert_eq!(limits(64).dct_divisor(4000, 3000), 4);
        assert_eq!(limits(16).dct_divisor(4096, 4096), 4);
        assert_eq!(limits(u32::MAX).dct_divisor(4000, 3000), 1);
        assert_eq!(DecodeLimits::default().dct_divisor(8000, 8000), 1);
    }
}
