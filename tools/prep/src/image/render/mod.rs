//! From upright RGB to one stored image per column.
//!
//! Resizing is `clipa_resize`'s bicubic, which is Pillow's; the crop is the resizer's crop box in the same pass. A small size is taken from the source, or from the largest suitable one that
//! was itself taken from the source: a chain 224→112→84→64 would cost 10 dB.

mod geometry;
mod plan;

use clipa_resize::{Filter, Part, Resizer};
use clipa_schemas::{
    image_column::{ImageColumn, ImageEncoding},
    sample::StoredImage,
};
use turbojpeg::{Compressor, PixelFormat, Subsamp};

use self::geometry::{Frame, Picture, Scaled};
pub use self::plan::{
    DEFAULT_JPEG_QUALITY, DEFAULT_MAX_ASPECT, RenderError, RenderOptions, RenderPlan,
};
use super::{Decoded, ImageFormat};

/// How many times smaller than its base an image must be to be taken from it. At 2 the result is within 50 dB (mean
/// over 200 photographs; the worst 43) of one taken from the source, at 1.5 within 46, at 1.25 within 43.
const MIN_BASE_RATIO: u32 = 2;

/// Buffers of one worker thread.
#[derive(Default)]
pub struct Scratch {
    resizer: Resizer,
    pixels: Vec<u8>,
    compressor: Option<Compressor>,
}

impl Scratch {
    /// Empty buffers; they grow with the first images.
    pub fn new() -> Scratch {
        Scratch::default()
    }
}

/// Renders one image for every column, in the order of [`RenderPlan::columns`].
///
/// `source_bytes` are those that were decoded: a `jpeg` column stores them as they are where nothing was repaired and
/// nothing has to be resized or cropped.
///
/// # Errors
/// The resizer or the encoder refuses; not because of what the image shows.
pub fn render(
    decoded: &Decoded,
    source_bytes: &[u8],
    plan: &RenderPlan,
    scratch: &mut Scratch,
) -> Result<Vec<StoredImage>, RenderError> {
    let columns = plan.columns();
    let max_aspect = plan.options().max_aspect;
    let mut stored: Vec<Option<StoredImage>> = vec![None; columns.len()];
    // Raw images that were taken from the source, largest first.
    let mut bases: Vec<(usize, Picture)> = Vec::new();
    for &place in &plan.order {
        let column = columns[place];
        let (full_width, full_height) = decoded.full_size;
        let picture = Picture::of(column, full_width, full_height, max_aspect);
        let base = bases.iter().find(|(_, base)| is_base_of(base, &picture));
        let from = base.and_then(|&(place, picture)| {
            stored[place].as_ref().map(|image| View::stored(image, picture))
        });
        let is_direct = from.is_none();
        let from = from.unwrap_or_else(|| View::source(decoded));
        let bytes = match column.encoding {
            ImageEncoding::Jpeg if passes_through(decoded, &picture) => source_bytes.to_vec(),
            ImageEncoding::Jpeg => {
                let mut pixels = std::mem::take(&mut scratch.pixels);
                let resized = resize(column, &from, &picture, &mut scratch.resizer, &mut pixels);
                scratch.pixels = pixels;
                resized?;
                encode(column, &picture, plan.options().jpeg_quality, scratch)?
            }
            ImageEncoding::Rgb8Square | ImageEncoding::Rgb8 => {
                let mut pixels = Vec::new();
                resize(column, &from, &picture, &mut scratch.resizer, &mut pixels)?;
                pixels
            }
        };
        let (width, height) = (picture.width as u16, picture.height as u16);
        stored[place] = Some(StoredImage { width, height, bytes });
        if is_direct && column.encoding != ImageEncoding::Jpeg {
            bases.push((place, picture));
        }
    }
    Ok(stored.into_iter().flatten().collect())
}

/// True where `picture` may be taken from `base` instead of the source: the same picture, `base` itself smaller
/// than the source (else nothing is saved), and enough larger than `picture`.
fn is_base_of(base: &Picture, picture: &Picture) -> bool {
    // Every picture shows the whole short side of the source, so short sides compare scales, free of rounding.
    let is_reduced = f64::from(base.short_side()) < base.frame.width.min(base.frame.height);
    let is_enough = base.short_side() >= picture.short_side().saturating_mul(MIN_BASE_RATIO);
    is_reduced && is_enough && base.shows(picture)
}

/// Pixels to take a picture from.
struct View<'a> {
    rgb: &'a [u8],
    width: u32,
    height: u32,
    shows: Shows,
}

/// Where the source lies in the pixels of a [`View`].
enum Shows {
    /// All of it, scaled while it was decoded.
    Source(Scaled),
    /// As much as a stored picture shows.
    Picture(Picture),
}

impl<'a> View<'a> {
    fn source(decoded: &'a Decoded) -> View<'a> {
        let (width, height) = (decoded.width, decoded.height);
        let shows = Shows::Source(Scaled::of(decoded));
        View { rgb: &decoded.rgb, width, height, shows }
    }

    fn stored(image: &'a StoredImage, picture: Picture) -> View<'a> {
        let (width, height) = (picture.width, picture.height);
        View { rgb: &image.bytes, width, height, shows: Shows::Picture(picture) }
    }
}

/// Crops and resizes into `pixels`, replacing what is there.
fn resize(
    column: ImageColumn,
    from: &View<'_>,
    picture: &Picture,
    resizer: &mut Resizer,
    pixels: &mut Vec<u8>,
) -> Result<(), RenderError> {
    let failed = |detail: String| RenderError::Failed { column: column.to_string(), detail };
    let frame = match &from.shows {
        Shows::Source(scaled) => scaled.locate(picture.frame),
        Shows::Picture(base) => base.locate(picture.frame),
    };
    let Frame { left, top, width, height } = frame;
    pixels.clear();
    pixels.resize(picture.width as usize * picture.height as usize * 3, 0);
    let source = clipa_resize::Picture { rgb: from.rgb, width: from.width, height: from.height };
    let part = Part::Box { left, top, width, height };
    let size = (picture.width, picture.height);
    let resized = resizer.resize(source, part, Filter::Bicubic, pixels, size);
    resized.map_err(|error| failed(error.to_string()))
}

/// True where the source's own bytes are the stored image.
fn passes_through(decoded: &Decoded, picture: &Picture) -> bool {
    decoded.format == ImageFormat::Jpeg
        && decoded.divisor == 1
        && decoded.repairs.source_is_as_good()
        && (picture.width, picture.height) == (decoded.width, decoded.height)
}

/// Encodes the pixels in `scratch`.
fn encode(
    column: ImageColumn,
    picture: &Picture,
    quality: u8,
    scratch: &mut Scratch,
) -> Result<Vec<u8>, RenderError> {
    let failed = |error: turbojpeg::Error| RenderError::Failed {
        column: column.to_string(),
        detail: error.to_string(),
    };
    let mut compressor = match scratch.compressor.take() {
        Some(compressor) => compressor,
        None => Compressor::new().map_err(failed)?,
    };
    compressor.set_quality(i32::from(quality)).map_err(failed)?;
    // Trained on at a fraction of its size: halved colour would be visible there first.
    compressor.set_subsamp(Subsamp::None).map_err(failed)?;
    let image = turbojpeg::Image {
        pixels: scratch.pixels.as_slice(),
        width: picture.width as usize,
        pitch: picture.width as usize * 3,
        height: picture.height as usize,
        format: PixelFormat::RGB,
    };
    let encoded = compressor.compress_to_vec(image).map_err(failed)?;
    scratch.compressor = Some(compressor);
    Ok(encoded)
}
