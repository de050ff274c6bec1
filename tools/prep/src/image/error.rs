//! Why an image is rejected.

use thiserror::Error;

/// A bad image: a rejection with a reason, never the end of a run.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// No bytes at all, or a header that says that it has no pixels.
    #[error("the image has no bytes or no pixels")]
    Empty,
    /// The first bytes are none of JPEG, PNG, WebP, GIF, BMP.
    #[error("unsupported format: {looks_like}")]
    UnsupportedFormat {
        /// What it looks like instead.
        looks_like: &'static str,
    },
    /// The data ends before the image does.
    #[error("truncated {format}: {detail}")]
    Truncated {
        /// Name of the format.
        format: &'static str,
        /// The decoder's words.
        detail: String,
    },
    /// The data is not what the format promises.
    #[error("undecodable {format}: {detail}")]
    Undecodable {
        /// Name of the format.
        format: &'static str,
        /// The decoder's words.
        detail: String,
    },
    /// The decoder would need more memory beside the pixels than it may have (a text chunk or profile that unpacks to
    /// gigabytes).
    #[error("too large: {format} needs too much memory: {detail}")]
    OverMemory {
        /// Name of the format.
        format: &'static str,
        /// The decoder's words.
        detail: String,
    },
    /// Beyond one of [`super::DecodeLimits`]; nothing was decoded.
    #[error("too large: {what} {value} is over the limit of {limit}")]
    TooLarge {
        /// What is counted: `bytes`, `pixels`, `side`, `decoded bytes`.
        what: &'static str,
        /// The image's number.
        value: u64,
        /// The limit.
        limit: u64,
    },
}

impl DecodeError {
    /// The machine-readable reason of a rejection; stable.
    pub fn reason(&self) -> &'static str {
        match self {
            DecodeError::Empty => "empty_image",
            DecodeError::UnsupportedFormat { .. } => "unsupported_format",
            DecodeError::Truncated { .. } => "truncated",
            DecodeError::Undecodable { .. } => "undecodable",
            DecodeError::TooLarge { .. } | DecodeError::OverMemory { .. } => "too_large",
        }
    }
}
