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

/// How far the logarithms of width ÷ height of two sizes of one picture may differ.
const SHAPE_TOLERANCE: f64 = 0.05;

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
    /// From the `exif` string: width and height as the picture was taken, in pixels, before anything turned it.
    pub taken_size: Option<(u32, u32)>,
    /// Of the bytes on the web.
    pub md5: Option<[u8; 16]>,
    /// Class of a classification set.
    pub label: Option<u32>,
    /// Columns of the metadata, and `md5`, for which there is a value, but none of their kind.
    pub unreadable: Vec<&'static str>,
}

impl Sidecar {
    /// True where the picture was turned upright before it came here, so that [`Sidecar::orientation`] would turn it twice:
    /// the orientation lays a picture on its side, and of two sizes that the sidecar knows, the one before lies and the one
    /// after stands, or the other way round. The pairs: as taken and on the web, on the web and stored.
    ///
    /// img2dataset itself stores pixels as they lie in the file; who turned them was the site, or whoever wrote the tar.
    pub fn is_turned_already(&self) -> bool {
        let both = |width: Option<u32>, height: Option<u32>| Some((width?, height?));
        let on_the_web = both(self.metadata.original_width, self.metadata.original_height);
        let stored = both(self.width, self.height);
        let changes = |before: Option<(u32, u32)>, after: Option<(u32, u32)>| {
            before.zip(after).is_some_and(|(before, after)| is_turned(before, after))
        };
        self.orientation.is_some_and(Orientation::swaps_sides)
            && (changes(self.taken_size, on_the_web) || changes(on_the_web, stored))
    }

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
        fill(&mut self.taken_size, other.taken_size);
        fill(&mut self.md5, other.md5);
        fill(&mut self.label, other.label);
        self.unreadable.extend(other.unreadable);
    }
}

/// Does `after` have the shape of `before` turned by a quarter, and not that of `before`? Squares say nothing.
fn is_turned(before: (u32, u32), after: (u32, u32)) -> bool {
    let shape =
        |(width, height): (u32, u32)| (f64::from(width.max(1)) / f64::from(height.max(1))).ln();
    // Whole pixels of a thumbnail round the shape.
    let near = |left: f64, right: f64| (left - right).abs() < SHAPE_TOLERANCE;
    near(shape(before), -shape(after)) && !near(shape(before), shape(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sidecar(orientation: u32, sizes: [Option<(u32, u32)>; 3]) -> Sidecar {
        let [taken_size, on_the_web, stored] = sizes;
        let mut sidecar = Sidecar {
            orientation: Orientation::from_exif(orientation),
            taken_size,
            width: stored.map(|size| size.0),
            height: stored.map(|size| size.1),
            ..Sidecar::default()
        };
        sidecar.metadata.original_width = on_the_web.map(|size| size.0);
        sidecar.metadata.original_height = on_the_web.map(|size| size.1);
        sidecar
    }

    #[test]
    fn sizes_tell_whether_a_picture_was_turned_before_it_came_here() {
        let lying = Some((4000, 3000));
        let standing = Some((3000, 4000));
        let small = |width, height| Some((width, height));
        for (orientation, sizes, expected) in [
            // The site turned it and kept the tag.
            (6, [lying, standing, None], true),
            (8, [standing, lying, small(341, 256)], true),
            // Whoever wrote the tar turned it.
            (6, [None, lying, small(256, 341)], true),
            (5, [lying, lying, small(256, 341)], true),
            // img2dataset left it as it lay.
            (6, [lying, lying, small(341, 256)], false),
            (6, [None, lying, small(341, 256)], false),
            // Padded or cut to a square, or nothing known: the orientation is believed.
            (6, [None, lying, small(256, 256)], false),
            (6, [None, None, small(256, 341)], false),
            (6, [None, None, None], false),
            // Nothing that sizes could tell.
            (3, [lying, standing, None], false),
            (1, [lying, standing, None], false),
        ] {
            let sidecar = sidecar(orientation, sizes);
            assert_eq!(sidecar.is_turned_already(), expected, "{orientation} {sizes:?}");
        }
    }
}
