//! Orientation from the `exif` string of img2dataset: a JSON object of exifread's words.

use std::borrow::Cow;

use super::json::{Scalar, read_object};
use crate::image::Orientation;

/// exifread's words for orientations 1-8, in that order (its `exif_tags`, tag 0x0112).
const WORDS: [&str; 8] = [
    "Horizontal (normal)",
    "Mirrored horizontal",
    "Rotated 180",
    "Mirrored vertical",
    "Mirrored horizontal then rotated 90 CCW",
    "Rotated 90 CW",
    "Mirrored horizontal then rotated 90 CW",
    "Rotated 90 CCW",
];

/// Where cameras write the size of the picture as it was taken: width and height (exifread's names).
const SIZES: [[&str; 2]; 2] =
    [["EXIF ExifImageWidth", "EXIF ExifImageLength"], ["Image ImageWidth", "Image ImageLength"]];

/// Width and height of the picture as it was taken, before anything turned it; `None` where the text does not say.
pub(super) fn size_from_exif_json(exif: &str) -> Option<(u32, u32)> {
    let fields = read_object(exif.trim()).ok()?;
    let whole = |name: &str| number(&fields, name)?.parse::<u32>().ok().filter(|&side| side > 0);
    SIZES.iter().find_map(|[width, height]| Some((whole(width)?, whole(height)?)))
}

/// A field's text without the brackets that exifread puts around lists.
fn number<'f>(fields: &'f [(Cow<'_, str>, Scalar<'_>)], name: &str) -> Option<&'f str> {
    let (_, value) = fields.iter().rev().find(|(found, _)| found == name)?;
    match value {
        Scalar::Text(text) | Scalar::Number(text) => Some(text.trim().trim_matches(['[', ']'])),
        Scalar::Null | Scalar::Bool(_) | Scalar::Container(_) => None,
    }
}

/// The orientation that `"Image Orientation"` names, in words or as a bare number; `None` where the text is no
/// JSON object, or says nothing that is known.
pub fn orientation_from_exif_json(exif: &str) -> Option<Orientation> {
    let fields = read_object(exif.trim()).ok()?;
    let text = number(&fields, "Image Orientation")?;
    let number = match WORDS.iter().position(|words| *words == text) {
        Some(place) => place as u32 + 1,
        None => text.parse().ok()?,
    };
    Orientation::from_exif(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orientation(value: &str) -> Option<u32> {
        let exif = format!("{{\"Image Make\": \"X\", \"Image Orientation\": {value}}}");
        orientation_from_exif_json(&exif).map(Orientation::exif)
    }

    #[test]
    fn all_eight_words_are_known() {
        for (place, words) in WORDS.iter().enumerate() {
            assert_eq!(orientation(&format!("\"{words}\"")), Some(place as u32 + 1), "{words}");
        }
        assert_eq!(orientation("\"6\""), Some(6));
        assert_eq!(orientation("\"[8]\""), Some(8));
        assert_eq!(orientation("3"), Some(3));
    }

    #[test]
    fn anything_else_says_nothing() {
        for value in ["\"0\"", "\"9\"", "\"\"", "null", "\"Rotated\"", "\"-1\"", "[6]"] {
            assert_eq!(orientation(value), None, "{value}");
        }
        for exif in ["", "{}", "[]", "{\"Image Orientation\": "] {
            assert_eq!(orientation_from_exif_json(exif), None, "{exif}");
        }
    }
}
