//! One row of a shard, before it is written.

use crate::{metadata::Metadata, record::record, text::TokenizedText};

record! {
    /// An accepted sample with everything that is stored of it.
    #[derive(Clone, Debug, Default, PartialEq)]
    pub struct Sample {
        /// As found in the source.
        pub key: String,
        /// As found, not cleaned.
        pub caption: String,
        /// Byte offset of the image's data in the source tar.
        pub source_offset: u64,
        /// SHA-256 of the image bytes that were read.
        pub image_hash: [u8; 32],
        /// Class of a classification set.
        pub label: Option<u32>,
    } beside {
        /// What the source says of it: further columns.
        pub metadata: Metadata,
        /// Token columns, in the writer's order of token columns.
        pub tokens: Vec<TokenizedText>,
        /// Penn tag of each word; empty without a tagger.
        pub pos: Vec<u8>,
        /// Images, in the writer's order of image columns.
        pub images: Vec<StoredImage>,
    }
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
