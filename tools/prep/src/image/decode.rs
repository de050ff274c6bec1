//! Bytes of an image to upright RGB.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{
    DecodeError, DecodeLimits, Orientation, Repair, Repairs, format::ImageFormat,
    jpeg::decode_jpeg, raster::decode_raster,
};

/// An upright 8-bit RGB image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Rows from the top, width·height·3 bytes.
    pub rgb: Vec<u8>,
    /// Format of the source bytes.
    pub format: ImageFormat,
    /// What was done to get here.
    pub repairs: Repairs,
    /// 1, or by how much a JPEG was scaled down while it was decoded (2, 4, 8).
    pub divisor: u32,
    /// Size of the image before that scaling, upright, in pixels: what filters go by.
    pub full_size: (u32, u32),
}

/// Decodes JPEG, PNG, WebP, GIF or BMP, told apart by their first bytes.
///
/// `exif_hint` is the orientation that the sidecar knows ([`crate::archive::sidecar::Sidecar::orientation`]); it
/// counts where the bytes themselves carry none.
///
/// # Errors
/// The image is broken, cut, of another format, or beyond a limit; limits are checked before memory is taken.
pub fn decode(
    bytes: &[u8],
    limits: &DecodeLimits,
    exif_hint: Option<Orientation>,
) -> Result<Decoded, DecodeError> {
    let format = ImageFormat::sniff(bytes)?;
    limits.check_bytes(bytes.len())?;
    // A parser that stumbles over untrusted bytes costs a sample, not the run.
    let decoded = catch_unwind(AssertUnwindSafe(|| match format {
        ImageFormat::Jpeg => decode_jpeg(bytes, limits, exif_hint),
        _ => decode_raster(format, bytes, limits, exif_hint),
    }));
    decoded.unwrap_or_else(|_| {
        let detail = "the decoder panicked".to_owned();
        Err(DecodeError::Undecodable { format: format.name(), detail })
    })
}

/// RGB rows on their way to being upright.
pub(super) struct Upright {
    pub(super) rgb: Vec<u8>,
    pub(super) width: u32,
    pub(super) height: u32,
    /// Width and height before any scaling.
    pub(super) full_size: (u32, u32),
    pub(super) repairs: Repairs,
}

impl Upright {
    /// Turns the rows as EXIF says.
    pub(super) fn turned(self, orientation: Option<Orientation>) -> Upright {
        let orientation = orientation.unwrap_or(Orientation::Upright);
        let Upright { rgb, width, height, mut full_size, mut repairs } = self;
        repairs.insert_if(orientation != Orientation::Upright, Repair::Orientation);
        if orientation.swaps_sides() {
            full_size = (full_size.1, full_size.0);
        }
        let (rgb, width, height) = orientation.apply(rgb, width, height);
        Upright { rgb, width, height, full_size, repairs }
    }

    pub(super) fn decoded(self, format: ImageFormat, divisor: u32) -> Decoded {
        let Upright { rgb, width, height, full_size, repairs } = self;
        Decoded { width, height, rgb, format, repairs, divisor, full_size }
    }
}
