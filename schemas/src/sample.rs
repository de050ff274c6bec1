//! One row of a shard, before it is written.

use crate::{
    metadata::Metadata,
    record::record,
    text::{EncodedText, TokenizedText},
};

record! {
    /// An accepted sample with everything that is stored of it.
    #[derive(Clone, Debug, Default, PartialEq)]
    pub struct Sample {
        /// As found in the source.
        pub key: String,
        /// As found, not cleaned; the first one, where there are several.
        pub caption: String,
        /// All captions, [`Sample::caption`] first, at most [`crate::text::MAX_CAPTIONS`]; `None` where there is one.
        pub captions: Option<Vec<String>>,
        /// Where each of the captions comes from (`txt`, `json:caption`); empty where that is not known.
        pub caption_sources: Option<Vec<String>>,
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
        /// Tokens and tags of each of the captions, the first one's again; empty where there is one.
        pub captions_text: Vec<EncodedText>,
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
