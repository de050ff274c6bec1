//! One row of a shard, before it is written.

use crate::text::TokenizedText;

/// An accepted sample with everything that is stored of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// As found in the source.
    pub key: String,
    /// Where the image came from.
    pub url: Option<String>,
    /// As found, not cleaned.
    pub caption: String,
    /// Byte offset of the image's data in the source tar.
    pub source_offset: u64,
    /// Width of the image on the web, in pixels.
    pub original_width: Option<u32>,
    /// Height of the image on the web, in pixels.
    pub original_height: Option<u32>,
    /// SHA-256 of the image on the web, from the sidecar.
    pub sha256: Option<[u8; 32]>,
    /// SHA-256 of the image bytes that were read.
    pub image_hash: [u8; 32],
    /// Image-text similarity, from the source.
    pub similarity: Option<f64>,
    /// Probability of unsafe content, from the source.
    pub punsafe: Option<f64>,
    /// Probability of a watermark, from the source.
    pub pwatermark: Option<f64>,
    /// NSFW verdict, from the source.
    pub nsfw: Option<String>,
    /// Licence, from the source.
    pub license: Option<String>,
    /// Language, from the source.
    pub language: Option<String>,
    /// Class of a classification set.
    pub label: Option<u32>,
    /// Token columns, in the writer's order of token columns.
    pub tokens: Vec<TokenizedText>,
    /// Penn tag of each word; empty without a tagger.
    pub pos: Vec<u8>,
    /// Images, in the writer's order of image columns.
    pub images: Vec<StoredImage>,
}

/// The bytes of one image column, and what they show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredImage {
    /// Pixels from left to right.
    pub width: u16,
    /// Pixels from top to bottom.
    pub height: u16,
    /// Raw RGB rows or a JPEG, as the column's encoding says.
    pub bytes: Vec<u8>,
}
