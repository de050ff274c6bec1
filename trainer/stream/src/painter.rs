//! From a stored image to the pixels of a batch, in one pass.

use clipa_resize::{Part, Picture, Resizer};
use clipa_schemas::image_column::ImageEncoding;
use turbojpeg::{Decompressor, Image, PixelFormat};

use clipa_recipe::augment::Filter;

use super::crop::CropBox;

/// A stored image, borrowed from the shard's mapping.
#[derive(Clone, Copy, Debug)]
pub(super) struct StoredPixels<'a> {
    /// As stored.
    pub(super) bytes: &'a [u8],
    pub(super) encoding: ImageEncoding,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// One worker's tools and scratch memory.
pub(super) struct Painter {
    side: u32,
    filter: clipa_resize::Filter,
    resizer: Resizer,
    decoder: Option<Decompressor>,
    decoded: Vec<u8>,
}

impl Painter {
    /// Paints squares of `side` pixels.
    pub(super) fn new(side: u32, filter: Filter) -> Painter {
        let filter = match filter {
            Filter::Bicubic => clipa_resize::Filter::Bicubic,
            Filter::Bilinear => clipa_resize::Filter::Bilinear,
        };
        Painter { side, filter, resizer: Resizer::new(), decoder: None, decoded: Vec::new() }
    }

    /// Fills `out` (side × side × 3 bytes) with what `crop` shows of the image. `crop` lies inside it.
    ///
    /// # Errors
    /// A sentence, where the stored bytes are not such an image.
    pub(super) fn paint(
        &mut self,
        stored: StoredPixels<'_>,
        crop: CropBox,
        out: &mut [u8],
    ) -> Result<(), String> {
        let (width, height) = (stored.width, stored.height);
        let rgb = match stored.encoding {
            ImageEncoding::Rgb8Square | ImageEncoding::Rgb8 => stored.bytes,
            ImageEncoding::Jpeg => {
                self.decode(stored)?;
                &self.decoded
            }
        };
        let expected = width as usize * height as usize * 3;
        if rgb.len() != expected {
            return Err(format!("{} bytes for {width}x{height} pixels, not {expected}", rgb.len()));
        }
        let CropBox { left, top, width: crop_width, height: crop_height } = crop;
        let side = (self.side, self.side);
        if (width, height) == side && (crop_width, crop_height) == side {
            out.copy_from_slice(rgb);
            return Ok(());
        }
        // Cut first, so that the kernel never reaches across the border, as in crop-then-resize.
        let part = Part::Cut { left, top, width: crop_width, height: crop_height };
        let resized =
            self.resizer.resize(Picture { rgb, width, height }, part, self.filter, out, side);
        resized.map_err(|error| error.to_string())
    }

    fn decode(&mut self, stored: StoredPixels<'_>) -> Result<(), String> {
        let decoder = match &mut self.decoder {
            Some(decoder) => decoder,
            none => none.insert(Decompressor::new().map_err(|error| error.to_string())?),
        };
        let header = decoder.read_header(stored.bytes).map_err(|error| error.to_string())?;
        let (width, height) = (stored.width as usize, stored.height as usize);
        if (header.width, header.height) != (width, height) {
            return Err(format!(
                "the JPEG is {}x{} pixels, its row says {width}x{height}",
                header.width, header.height
            ));
        }
        self.decoded.resize(width * height * 3, 0);
        let image = Image {
            pixels: self.decoded.as_mut_slice(),
            width,
            pitch: width * 3,
            height,
            format: PixelFormat::RGB,
        };
        decoder.decompress(stored.bytes, image).map_err(|error| error.to_string())
    }
}
