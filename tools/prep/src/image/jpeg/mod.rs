//! JPEG through turbojpeg, with libjpeg's warnings taken seriously.
//!
//! libjpeg fills what is missing with grey and calls it a warning; turbojpeg reports any warning as an error,
//! *after* decoding, and keeps only the text of the first. So an error is told from a warning by its text, and
//! the harmless ones (stray bytes, odd header values) are mended away and the image is decoded again.

mod markers;
mod restarts;

use turbojpeg::{Colorspace, DecompressHeader, Decompressor, Image, PixelFormat, ScalingFactor};

use self::markers::{Head, read_head};
use super::{
    DecodeError, DecodeLimits, Orientation, Repair, Repairs,
    decoded::{Decoded, Unturned},
    exif::orientation_in,
    format::ImageFormat,
    pixels::rgb_from_cmyk,
};

/// Most scans of a progressive JPEG. Encoders write about 10; thousands of empty ones are an attack on time.
const MAX_SCANS: u32 = 100;

/// libjpeg's words for image data that is missing (`JWRN_JPEG_EOF`, `JWRN_HIT_MARKER`).
const MISSING_DATA: [&str; 2] =
    ["Premature end of JPEG file", "Corrupt JPEG data: premature end of data segment"];

/// The beginnings of warnings that say nothing about the pixels, if the image decodes without them once they are
/// mended (`JWRN_EXTRANEOUS_DATA`, `JWRN_JFIF_MAJOR`, `JWRN_ADOBE_XFORM`, `JWRN_NOT_SEQUENTIAL`, `JWRN_BOGUS_ICC`).
const MENDABLE: [&str; 5] = [
    STRAY_BYTES,
    "Corrupt JPEG data: bad ICC marker",
    "Warning: unknown JFIF revision number",
    "Unknown Adobe color transform code",
    "Invalid SOS parameters for sequential JPEG",
];

/// Decodes a JPEG to upright RGB.
pub(super) fn decode_jpeg(
    jpeg: &[u8],
    limits: &DecodeLimits,
    exif_hint: Option<Orientation>,
) -> Result<Decoded, DecodeError> {
    let head = read_head(jpeg);
    if head.ends_early {
        let detail = "the bytes end before the first scan".to_owned();
        return Err(Failure::Missing(detail).into());
    }
    let mut repairs = Repairs::default();
    let raw = match decode_once(jpeg, &head, limits) {
        Err(Failure::Mendable(detail)) => {
            repairs.insert(Repair::Markers);
            let mended = head.mended(jpeg).ok_or_else(|| undecodable(detail))?;
            decode_once(&mended, &read_head(&mended), limits)
        }
        result => result,
    };
    let raw = raw?;
    repairs.insert_if(raw.has_stray_end, Repair::Markers);
    repairs.insert_if(raw.colorspace == Colorspace::Gray, Repair::Grey);
    repairs.insert_if(head.has_icc, Repair::IccIgnored);
    let is_cmyk = matches!(raw.colorspace, Colorspace::CMYK | Colorspace::YCCK);
    repairs.insert_if(is_cmyk, Repair::Cmyk);
    let rgb = if is_cmyk { rgb_from_cmyk(&raw.pixels, head.is_adobe) } else { raw.pixels };
    let own = head.exif.iter().find_map(|range| orientation_in(&jpeg[range.clone()]));
    let Raw { width, height, full_size, divisor, .. } = raw;
    let format = ImageFormat::Jpeg;
    let image = Unturned { rgb, width, height, format, repairs, divisor, full_size };
    Ok(image.upright(own.or(exif_hint)))
}

/// Pixels as turbojpeg returns them, with what was seen on the way.
struct Raw {
    pixels: Vec<u8>,
    width: u32,
    height: u32,
    full_size: (u32, u32),
    colorspace: Colorspace,
    divisor: u32,
    has_stray_end: bool,
}

/// Why one pass of the decoder failed, by what can be done about it.
enum Failure {
    Limit(DecodeError),
    Missing(String),
    Mendable(String),
    Broken(String),
}

impl From<Failure> for DecodeError {
    fn from(failure: Failure) -> DecodeError {
        match failure {
            Failure::Limit(error) => error,
            Failure::Missing(detail) => {
                DecodeError::Truncated { format: ImageFormat::Jpeg.name(), detail }
            }
            Failure::Mendable(detail) | Failure::Broken(detail) => undecodable(detail),
        }
    }
}

fn undecodable(detail: String) -> DecodeError {
    DecodeError::Undecodable { format: ImageFormat::Jpeg.name(), detail }
}

/// One pass of the decoder; pixels are RGB, or CMYK where the file is.
fn decode_once(jpeg: &[u8], head: &Head, limits: &DecodeLimits) -> Result<Raw, Failure> {
    let mut decompressor = Decompressor::new().map_err(|error| classify(&error))?;
    let header = decompressor.read_header(jpeg).map_err(|error| classify(&error))?;
    let divisor = prepare(&mut decompressor, &header, limits)?;
    let full_size = (header.width as u32, header.height as u32);
    let header = header.scaled(ScalingFactor::new(1, divisor as usize));
    let format = match header.colorspace {
        Colorspace::CMYK | Colorspace::YCCK => PixelFormat::CMYK,
        Colorspace::RGB | Colorspace::YCbCr | Colorspace::Gray => PixelFormat::RGB,
    };
    let pitch = header.width * format.size();
    let mut image = Image {
        pixels: vec![0; pitch * header.height],
        width: header.width,
        pitch,
        height: header.height,
        format,
    };
    let result = decompressor.decompress(jpeg, image.as_deref_mut());
    let has_stray_end = match &result {
        Ok(()) => false,
        Err(error) if is_stray_end(error, head) => true,
        Err(error) => return Err(classify(error)),
    };
    Ok(Raw {
        pixels: image.pixels,
        width: header.width as u32,
        height: header.height as u32,
        full_size,
        colorspace: header.colorspace,
        divisor,
        has_stray_end,
    })
}

/// Checks the limits and sets the scale; returns its divisor.
fn prepare(
    decompressor: &mut Decompressor,
    header: &DecompressHeader,
    limits: &DecodeLimits,
) -> Result<u32, Failure> {
    let (width, height) = (header.width as u32, header.height as u32);
    limits.check_size(width, height).map_err(Failure::Limit)?;
    let divisor = if header.is_lossless { 1 } else { limits.dct_divisor(width, height) };
    let scale = ScalingFactor::new(1, divisor as usize);
    decompressor.set_scan_limit(MAX_SCANS).map_err(|error| classify(&error))?;
    decompressor.set_scaling_factor(scale).map_err(|error| classify(&error))?;
    Ok(divisor)
}

fn classify(error: &turbojpeg::Error) -> Failure {
    let detail = error.to_string();
    let says = |list: &[&str]| list.iter().any(|words| detail.contains(words));
    if says(&MISSING_DATA) {
        Failure::Missing(detail)
    } else if says(&MENDABLE) {
        Failure::Mendable(detail)
    } else {
        Failure::Broken(detail)
    }
}

const STRAY_BYTES: &str = "extraneous bytes before marker";

/// Stray bytes before the end marker (cameras pad so): every scan was whole by then. Not where there are restart
/// markers, because there the same words can mean that the decoder looked for one in vain.
fn is_stray_end(error: &turbojpeg::Error, head: &Head) -> bool {
    !head.has_restarts && error.to_string().contains(&format!("{STRAY_BYTES} 0xd9"))
}
