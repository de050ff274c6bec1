//! From a stored image to the pixels of a batch, in one pass.

use clipa_schemas::image_column::ImageEncoding;
use fast_image_resize::{
    FilterType, ResizeAlg, ResizeOptions, Resizer,
    images::{TypedCroppedImage, TypedImage, TypedImageRef},
    pixels::U8x3,
};
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
    options: ResizeOptions,
    resizer: Resizer,
    decoder: Option<Decompressor>,
    decoded: Vec<u8>,
}

impl Painter {
    /// Paints squares of `side` pixels.
    pub(super) fn new(side: u32, filter: Filter) -> Painter {
        let filter = match filter {
            Filter::Bicubic => FilterType::CatmullRom,
            Filter::Bilinear => FilterType::Bilinear,
        };
        let options =
            ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter)).use_alpha(false);
        Painter { side, options, resizer: Resizer::new(), decoder: None, decoded: Vec::new() }
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
        match stored.encoding {
            ImageEncoding::Rgb8Square | ImageEncoding::Rgb8 => scale(
                &mut self.resizer,
                &self.options,
                self.side,
                stored.bytes,
                (width, height),
                crop,
                out,
            ),
            ImageEncoding::Jpeg => {
                self.decode(stored)?;
                scale(
                    &mut self.resizer,
                    &self.options,
                    self.side,
                    &self.decoded,
                    (width, height),
                    crop,
                    out,
                )
            }
        }
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

fn scale(
    resizer: &mut Resizer,
    options: &ResizeOptions,
    side: u32,
    pixels: &[u8],
    (width, height): (u32, u32),
    crop: CropBox,
    out: &mut [u8],
) -> Result<(), String> {
    let expected = width as usize * height as usize * 3;
    if pixels.len() != expected {
        return Err(format!("{} bytes for {width}x{height} pixels, not {expected}", pixels.len()));
    }
    if (width, height) == (side, side) && (crop.width, crop.height) == (side, side) {
        out.copy_from_slice(pixels);
        return Ok(());
    }
    let source =
        TypedImageRef::<U8x3>::from_buffer(width, height, pixels).map_err(|e| e.to_string())?;
    // The crop is a view of its own, so that the kernel never reaches across its border, as in
    // crop-then-resize.
    let source = TypedCroppedImage::from_ref(&source, crop.left, crop.top, crop.width, crop.height)
        .map_err(|e| e.to_string())?;
    let mut target = TypedImage::<U8x3>::from_buffer(side, side, out).map_err(|e| e.to_string())?;
    resizer.resize_typed(&source, &mut target, options).map_err(|e| e.to_string())
}
