//! What is known of a sample beside its pixels: the `.json` that img2dataset writes beside each image, and the
//! table that it writes beside each tar.

mod captions;
mod document;
mod exif_text;
mod fields;
mod json;
mod parse;
mod table;

use clipa_schemas::metadata::Metadata;
use thiserror::Error;

pub use self::{
    captions::{FoundCaption, captions_of_json},
    exif_text::orientation_from_exif_json,
    fields::hash_from_hex,
    table::{Fate, MAX_TABLE_BYTES, MAX_TABLE_ROWS, MetadataTable},
};
use crate::image::Orientation;

/// Largest sidecar that is read, in bytes. The real ones have 1-3 KB; the `exif` string can add some tens.
pub const MAX_SIDECAR_BYTES: u64 = 1 << 20;

/// Why a sidecar cannot be used. A bad sample, not an operating error: the ingest decides what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SidecarError {
    /// Larger than [`MAX_SIDECAR_BYTES`].
    #[error("the .json of {bytes} bytes is over the limit of {MAX_SIDECAR_BYTES}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Not JSON, or no object.
    #[error("the .json is not a JSON object: {what} at line {line}, column {column}")]
    Syntax {
        /// Where, from 1.
        line: usize,
        /// Where in the line, in characters from 1.
        column: usize,
        /// What is wrong.
        what: &'static str,
    },
}

impl SidecarError {
    /// The machine-readable reason of a rejection.
    pub fn reason(&self) -> &'static str {
        "bad_sidecar"
    }
}

/// What is known of a sample beside its pixels. A field that is absent, null, NaN or not of its kind is `None`.
///
/// Names of LAION (`TEXT`, `NSFW`), img2dataset, COYO-700M and DataComp are mapped to one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sidecar {
    /// What is stored of it as it is.
    pub metadata: Metadata,
    /// What describes the image, raw, in the order of the names under which sources keep it.
    pub captions: Vec<FoundCaption>,
    /// Names of the first fields that are not read, where no caption is found.
    pub unread: Vec<String>,
    /// Bytes that are no UTF-8 became U+FFFD.
    pub not_utf8: bool,
    /// The key that the writer assigned, or the source's own id (`uid`, `id`, `SAMPLE_ID`).
    pub key: Option<String>,
    /// `success`, `failed_to_download`, `failed_to_resize`.
    pub status: Option<String>,
    /// Why it failed, where it failed.
    pub error: Option<String>,
    /// Size of the image in the tar, in pixels.
    pub width: Option<u32>,
    /// Size of the image in the tar, in pixels.
    pub height: Option<u32>,
    /// From the `exif` string: what the re-encoded JPEG no longer says.
    pub orientation: Option<Orientation>,
    /// Of the bytes on the web.
    pub md5: Option<[u8; 16]>,
    /// Class of a classification set.
    pub label: Option<u32>,
}

impl Sidecar {
    /// Takes from `other` what this one does not have.
    pub fn fill_from(&mut self, other: Sidecar) {
        fn fill<T>(mine: &mut Option<T>, theirs: Option<T>) {
            if mine.is_none() {
                *mine = theirs;
            }
        }
        self.metadata.fill_from(other.metadata);
        self.captions.extend(other.captions);
        self.unread.extend(other.unread);
        fill(&mut self.key, other.key);
        fill(&mut self.status, other.status);
        fill(&mut self.error, other.error);
        fill(&mut self.width, other.width);
        fill(&mut self.height, other.height);
        fill(&mut self.orientation, other.orientation);
        fill(&mut self.md5, other.md5);
        fill(&mut self.label, other.label);
    }
}
