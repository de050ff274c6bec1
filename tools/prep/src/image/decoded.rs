//! An image on its way out of a decoder, and what becomes of it.

use super::{Orientation, Repair, Repairs, format::ImageFormat};

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

/// What a decoder returns: RGB as the rows lie in the file, not yet turned as EXIF says.
pub(super) struct Unturned {
    pub(super) rgb: Vec<u8>,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) format: ImageFormat,
    pub(super) repairs: Repairs,
    /// As in [`Decoded`].
    pub(super) divisor: u32,
    /// Width and height before any scaling, as they lie in the file.
    pub(super) full_size: (u32, u32),
}

impl Unturned {
    /// Turns the rows as EXIF says.
    pub(super) fn upright(self, orientation: Option<Orientation>) -> Decoded {
        let orientation = orientation.unwrap_or(Orientation::Upright);
        let Unturned { rgb, width, height, format, mut repairs, divisor, mut full_size } = self;
        repairs.insert_if(orientation != Orientation::Upright, Repair::Orientation);
        if orientation.swaps_sides() {
            full_size = (full_size.1, full_size.0);
        }
        let (rgb, width, height) = orientation.apply(rgb, width, height);
        Decoded { width, height, rgb, format, repairs, divisor, full_size }
    }
}
