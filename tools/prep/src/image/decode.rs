//! Bytes of an image to upright RGB: the format decides the decoder.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{
    DecodeError, DecodeLimits, Orientation, decoded::Decoded, format::ImageFormat,
    jpeg::decode_jpeg, raster::decode_raster,
};

/// Decodes JPEG, PNG, WebP, GIF or BMP, told apart by their first bytes.
///
/// `exif_hint` is the orientation that is known from beside the bytes (img2dataset's `exif`); it counts where the
/// bytes themselves carry none.
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
