//! Orientation from the `exif` string of img2dataset: a JSON object of exifread's words.

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

/// The orientation that `"Image Orientation"` names, in words or as a bare number; `None` where the text is no
/// JSON object, or says nothing that is known.
pub fn orientation_from_exif_json(exif: &str) -> Option<Orientation> {
    let fields = read_object(exif.trim()).ok()?;
    let (_, value) = fields.iter().rev().find(|(name, _)| name == "Image Orientation")?;
    let text = match value {
        Scalar::Text(text) | Scalar::Number(text) => text.trim(),
        Scalar::Null | Scalar::Bool(_) | Scalar::Container(_) => return None,
    };
    let number = match WORDS.iter().position(|words| *words == text) {
        Some(place) => place as u32 + 1,
        None => text.trim_matches(['[', ']']).parse().ok()?,
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
