//! From image bytes to the stored pixels.
//!
//! ```text
//! bytes ──► decode ──► Decoded (RGB, upright, with what was repaired) ──► unpad? ──► render ──► one StoredImage per column
//! ```
//!
//! Untrusted bytes: sizes are checked against [`DecodeLimits`] before anything is allocated, and whatever a
//! decoder says, a bad image is a [`DecodeError`] with a stable reason name.

mod bars;
mod decode;
mod decoded;
mod error;
mod exif;
mod format;
mod jpeg;
mod limits;
mod orientation;
mod pixels;
mod raster;
mod render;
mod repair;
#[cfg(test)]
mod tests;
mod unpad;

pub use bars::content_size;
pub use decode::decode;
pub use decoded::Decoded;
pub use error::DecodeError;
pub use format::ImageFormat;
pub use limits::{DCT_MIN_SHORT_PX, DecodeLimits};
pub use orientation::Orientation;
pub use render::{
    DEFAULT_JPEG_QUALITY, DEFAULT_MAX_ASPECT, RenderError, RenderOptions, RenderPlan, Scratch,
    render,
};
pub use repair::{Repair, Repairs};
pub use unpad::{ContentBox, content_box, unpad};
