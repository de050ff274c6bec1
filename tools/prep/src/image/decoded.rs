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
    /// 1, or by how much a JPEG was scaled down while it was decoded (2, 4).
    pub divisor: u32,
    /// Size of the image before that scaling, upright, in pixels: what filters go by. Divided by the divisor it is the part of
    /// the rows that shows the image: where a side is no multiple of the divisor, the last column or row is partly beyond it.
    pub full_size: (u32, u32),
    /// Whether that column is the first one because the image was turned, and whether that row is.
    pub starts_beyond: (bool, bool),
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
        repairs.insert_if(is_one_colour(&rgb), Repair::Blank);
        let (rgb, width, height) = orientation.apply(rgb, width, height);
        let starts_beyond = orientation.moves_end_to_start();
        Decoded { width, height, rgb, format, repairs, divisor, full_size, starts_beyond }
    }
}

/// True where every pixel is the first one.
fn is_one_colour(rgb: &[u8]) -> bool {
    // A picture that is the same when it is moved by one pixel; compared as memory, and done at the first difference.
    rgb.len() <= 3 || rgb[3..] == rgb[..rgb.len() - 3]
}
