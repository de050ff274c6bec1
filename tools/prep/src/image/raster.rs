//! PNG, WebP, GIF and BMP through the `image` crate, with limits.

use std::io::{Cursor, ErrorKind};

use image::{
    ColorType, ImageDecoder, ImageError, Limits,
    codecs::{bmp::BmpDecoder, gif::GifDecoder, png::PngDecoder, webp::WebPDecoder},
};

use super::{
    DecodeError, DecodeLimits, Orientation, Repair, Repairs,
    decoded::{Decoded, Unturned},
    exif::orientation_in,
    format::ImageFormat,
    pixels::{eight_bit, rgb_from_grey, rgb_from_grey_alpha, rgb_from_rgba},
};

/// Memory that a decoder may take beside its output (rows, profiles, text chunks), in bytes.
const MAX_WORKING_BYTES: u64 = 64 << 20;

/// Decodes PNG, WebP, GIF or BMP to upright RGB; the first frame where there are several.
pub(super) fn decode_raster(
    format: ImageFormat,
    bytes: &[u8],
    limits: &DecodeLimits,
    exif_hint: Option<Orientation>,
) -> Result<Decoded, DecodeError> {
    let mut repairs = Repairs::default();
    let explain = |error: ImageError| explain(format, &error);
    let source = Cursor::new(bytes);
    let pixels = match format {
        ImageFormat::Png => match png_without_end(bytes) {
            None => read_png(bytes, limits, &mut repairs).map_err(explain)??,
            Some(completed) => {
                repairs.insert(Repair::NoEnd);
                let pixels = read_png(&completed, limits, &mut repairs);
                // Whole chunks, but not all of them: pixels are missing too.
                pixels.map_err(|error| DecodeError::Truncated {
                    format: format.name(),
                    detail: error.to_string(),
                })??
            }
        },
        ImageFormat::WebP => {
            if let Some(detail) = webp_is_short(bytes) {
                return Err(DecodeError::Truncated { format: format.name(), detail });
            }
            let decoder = WebPDecoder::new(source).map_err(explain)?;
            repairs.insert_if(decoder.has_animation(), Repair::Animated);
            read(decoder, limits).map_err(explain)??
        }
        ImageFormat::Gif => {
            let decoder = GifDecoder::new(source).map_err(explain)?;
            repairs.insert(Repair::Palette);
            repairs.insert_if(gif_has_frames(bytes, 2), Repair::Animated);
            read(decoder, limits).map_err(explain)??
        }
        // A JPEG never comes here; as a bitmap it would be an error.
        ImageFormat::Bmp | ImageFormat::Jpeg => {
            let decoder = BmpDecoder::new(source).map_err(explain)?;
            let bits = bytes.get(28..30).map_or(24, |pair| u16::from_le_bytes([pair[0], pair[1]]));
            repairs.insert_if(bits <= 8, Repair::Palette);
            read(decoder, limits).map_err(explain)??
        }
    };
    repairs.insert_if(pixels.has_icc, Repair::IccIgnored);
    let (width, height, own) = (pixels.width, pixels.height, pixels.orientation);
    let rgb = to_rgb(pixels, format, &mut repairs)?;
    let full_size = (width, height);
    let image = Unturned { rgb, width, height, format, repairs, divisor: 1, full_size };
    Ok(image.upright(own.or(exif_hint)))
}

fn read_png(
    png: &[u8],
    limits: &DecodeLimits,
    repairs: &mut Repairs,
) -> Result<Result<Pixels, DecodeError>, ImageError> {
    let decoder = PngDecoder::with_limits(Cursor::new(png), working_limits(limits))?;
    repairs.insert_if(decoder.is_apng()?, Repair::Animated);
    // The decoder expands palettes; only the header still tells (colour type 3).
    repairs.insert_if(png.get(25) == Some(&3), Repair::Palette);
    read(decoder, limits)
}

/// Pixels as the `image` crate returns them.
struct Pixels {
    bytes: Vec<u8>,
    width: u32,
    height: u32,
    color: ColorType,
    orientation: Option<Orientation>,
    has_icc: bool,
}

fn working_limits(limits: &DecodeLimits) -> Limits {
    let mut working = Limits::no_limits();
    working.max_alloc = Some(limits.max_output_bytes().saturating_add(MAX_WORKING_BYTES));
    working
}

/// Decodes, limits checked first; errors of the decoder outside, ours inside.
fn read<D: ImageDecoder>(
    mut decoder: D,
    limits: &DecodeLimits,
) -> Result<Result<Pixels, DecodeError>, ImageError> {
    let (width, height) = decoder.dimensions();
    let checked = limits.check_size(width, height);
    if let Err(error) = checked.and_then(|()| limits.check_output(decoder.total_bytes())) {
        return Ok(Err(error));
    }
    decoder.set_limits(working_limits(limits))?;
    // Broken metadata is no reason to lose the pixels.
    let exif = decoder.exif_metadata().ok().flatten();
    let has_icc = decoder.icc_profile().ok().flatten().is_some();
    let color = decoder.color_type();
    let mut bytes = vec![0; decoder.total_bytes() as usize];
    decoder.read_image(&mut bytes)?;
    let orientation = exif.and_then(|block| orientation_in(&block));
    Ok(Ok(Pixels { bytes, width, height, color, orientation, has_icc }))
}

fn to_rgb(
    pixels: Pixels,
    format: ImageFormat,
    repairs: &mut Repairs,
) -> Result<Vec<u8>, DecodeError> {
    use ColorType::{L8, L16, La8, La16, Rgb8, Rgb16, Rgba8, Rgba16};
    let Pixels { bytes, color, .. } = pixels;
    let is_wide = matches!(color, L16 | La16 | Rgb16 | Rgba16);
    repairs.insert_if(is_wide, Repair::SixteenBit);
    repairs.insert_if(matches!(color, L8 | L16 | La8 | La16), Repair::Grey);
    let bytes = if is_wide { eight_bit(&bytes) } else { bytes };
    let (rgb, was_transparent) = match color {
        L8 | L16 => (rgb_from_grey(&bytes), false),
        La8 | La16 => rgb_from_grey_alpha(&bytes),
        Rgb8 | Rgb16 => (bytes, false),
        Rgba8 | Rgba16 => rgb_from_rgba(&bytes),
        other => {
            let detail = format!("pixels of {other:?}");
            return Err(DecodeError::Undecodable { format: format.name(), detail });
        }
    };
    repairs.insert_if(was_transparent, Repair::Alpha);
    Ok(rgb)
}

/// A cut file is told from a broken one where the decoder or the container does so.
fn explain(format: ImageFormat, error: &ImageError) -> DecodeError {
    let detail = error.to_string();
    let is_cut = match error {
        ImageError::Limits(_) => return DecodeError::OverMemory { format: format.name(), detail },
        ImageError::IoError(cause) => cause.kind() == ErrorKind::UnexpectedEof,
        _ => {
            let words = detail.to_ascii_lowercase();
            words.contains("unexpected end") || words.contains("unexpected eof")
        }
    };
    if is_cut {
        DecodeError::Truncated { format: format.name(), detail }
    } else {
        DecodeError::Undecodable { format: format.name(), detail }
    }
}

const PNG_END: [u8; 12] = [0, 0, 0, 0, b'I', b'E', b'N', b'D', 0xae, 0x42, 0x60, 0x82];

/// The bytes of a PNG that ends behind its image data without the last chunk, with that chunk: nothing that is seen is
/// missing there. What is left of a chunk that was cut is dropped. `None` where the PNG has its end, or ends earlier.
fn png_without_end(png: &[u8]) -> Option<Vec<u8>> {
    let (mut at, mut has_data) = (8usize, false);
    loop {
        let chunk = png.get(at..)?;
        let Some((length, kind)) = chunk.first_chunk::<8>().map(|head| head.split_at(4)) else {
            break;
        };
        let length = u32::from_be_bytes(*length.first_chunk()?) as usize;
        let Some(next) = at.checked_add(length)?.checked_add(12).filter(|&end| end <= png.len())
        else {
            // A cut chunk of image data is missing pixels.
            has_data &= !matches!(kind, b"IDAT");
            break;
        };
        match kind {
            b"IEND" => return None,
            b"IDAT" => has_data = true,
            _ => {}
        }
        at = next;
    }
    has_data.then(|| [&png[..at], &PNG_END].concat())
}

/// What is missing of a WebP that has fewer bytes than its RIFF header says; libwebp refuses it whatever is missing.
fn webp_is_short(webp: &[u8]) -> Option<String> {
    let length: &[u8; 4] = webp.get(4..8)?.first_chunk()?;
    let (said, there) = (u64::from(u32::from_le_bytes(*length)) + 8, webp.len() as u64);
    (said > there).then(|| format!("its header says {said} bytes, and there are {there}"))
}

/// True where a GIF has at least `wanted` frames; follows the blocks without decoding them.
fn gif_has_frames(gif: &[u8], wanted: usize) -> bool {
    count_gif_frames(gif, wanted).unwrap_or_else(|counted| counted) >= wanted
}

/// Frames, at most `wanted`; `Err` with those before the end where the blocks break off.
fn count_gif_frames(gif: &[u8], wanted: usize) -> Result<usize, usize> {
    let table_bytes = |flags: u8| if flags & 0x80 != 0 { 6usize << (flags & 7) } else { 0 };
    let mut at = 13 + table_bytes(*gif.get(10).ok_or(0usize)?);
    let mut frames = 0;
    while frames < wanted {
        match gif.get(at).ok_or(frames)? {
            0x21 => at += 2,
            0x2c => {
                frames += 1;
                // Descriptor, colour table, and the code size before the data.
                at += 10 + table_bytes(*gif.get(at + 9).ok_or(frames)?) + 1;
            }
            _ => return Ok(frames),
        }
        loop {
            let length = usize::from(*gif.get(at).ok_or(frames)?);
            at += 1 + length;
            if length == 0 {
                break;
            }
        }
    }
    Ok(frames)
}
