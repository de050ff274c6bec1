//! The bytes of a `.json` to what they say of a sample.

use super::{MAX_SIDECAR_BYTES, Sidecar, SidecarError, fields::Fields, json::read_object};

impl Sidecar {
    /// Reads a sidecar.
    ///
    /// # Errors
    /// It is too large, not UTF-8, or not a JSON object.
    pub fn parse(bytes: &[u8]) -> Result<Sidecar, SidecarError> {
        if bytes.len() as u64 > MAX_SIDECAR_BYTES {
            return Err(SidecarError::TooLarge { bytes: bytes.len() });
        }
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let text = std::str::from_utf8(bytes)
            .map_err(|error| SidecarError::NotUtf8 { offset: error.valid_up_to() })?;
        Ok(Fields(read_object(text)?).sidecar())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Orientation;

    fn parse(text: &str) -> Sidecar {
        Sidecar::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn img2dataset_fields_are_read() {
        let hash = "11fbaad27fcda1aa845749c7e828b5aca0ffe4dac89a806992d5922b47c229C9";
        let sidecar = parse(&format!(
            "{{\"NSFW\": \"UNLIKELY\", \"similarity\": 0.31, \"LICENSE\": \"?\", \"caption\": \"a\\n b\",
              \"url\": \"http://x/y\", \"key\": \"00000002\", \"status\": \"success\", \"error_message\": null,
              \"width\": 455, \"height\": 256, \"original_width\": 800, \"original_height\": 450,
              \"exif\": \"{{\\\"Image Orientation\\\": \\\"Rotated 90 CW\\\"}}\", \"sha256\": \"{hash}\",
              \"label\": 7, \"punsafe\": NaN, \"pwatermark\": 1e-3}}"
        ));
        assert_eq!(sidecar.caption.as_deref(), Some("a\n b"));
        assert_eq!((sidecar.metadata.original_width, sidecar.height), (Some(800), Some(256)));
        assert_eq!(sidecar.orientation, Some(Orientation::Rotate90));
        assert_eq!(sidecar.metadata.sha256.map(|hash| (hash[0], hash[31])), Some((0x11, 0xc9)));
        assert_eq!((sidecar.metadata.similarity, sidecar.metadata.punsafe), (Some(0.31), None));
        assert_eq!((sidecar.metadata.pwatermark, sidecar.label), (Some(0.001), Some(7)));
        assert_eq!(
            (sidecar.metadata.nsfw.as_deref(), sidecar.metadata.license.as_deref()),
            (Some("UNLIKELY"), Some("?"))
        );
    }

    #[test]
    fn other_data_sets_names_are_mapped() {
        let coyo = parse(
            "{\"id\": 4791, \"text\": \"t\", \"clip_similarity_vitb32\": 0.25,
              \"clip_similarity_vitl14\": 0.2, \"nsfw_score_opennsfw2\": 0.01, \"watermark_score\": 0.4}",
        );
        assert_eq!((coyo.key.as_deref(), coyo.caption.as_deref()), (Some("4791"), Some("t")));
        assert_eq!(
            (coyo.metadata.similarity, coyo.metadata.punsafe, coyo.metadata.pwatermark),
            (Some(0.25), Some(0.01), Some(0.4))
        );
        let datacomp = parse("{\"uid\": \"ab\", \"clip_l14_similarity_score\": \"0.2\"}");
        assert_eq!(
            (datacomp.key.as_deref(), datacomp.metadata.similarity),
            (Some("ab"), Some(0.2))
        );
        let laion = parse(
            "{\"TEXT\": \"t\", \"URL\": \"u\", \"WIDTH\": 300.0, \"width\": 256, \"LANGUAGE\": \"en\"}",
        );
        assert_eq!((laion.metadata.original_width, laion.width), (Some(300), Some(256)));
        assert_eq!(
            (laion.metadata.url.as_deref(), laion.metadata.language.as_deref()),
            (Some("u"), Some("en"))
        );
    }

    #[test]
    fn values_of_another_kind_are_none_and_numbers_may_be_strings() {
        let sidecar = parse(
            "{\"width\": \"640\", \"height\": 12.5, \"original_width\": -1, \"original_height\": 1e30,
              \"sha256\": \"xyz\", \"md5\": null, \"caption\": true, \"similarity\": \"nan\",
              \"exif\": \"not json\", \"url\": {\"a\": 1}}",
        );
        let unreadable = vec!["original_width", "original_height", "sha256"];
        assert_eq!(sidecar, Sidecar { width: Some(640), unreadable, ..Sidecar::default() });
    }

    #[test]
    fn null_falls_through_to_the_next_name_and_the_last_of_two_equal_names_counts() {
        let sidecar = parse("{\"caption\": null, \"TEXT\": \"b\", \"url\": \"1\", \"url\": \"2\"}");
        assert_eq!(
            (sidecar.caption.as_deref(), sidecar.metadata.url.as_deref()),
            (Some("b"), Some("2"))
        );
    }

    #[test]
    fn malformed_sidecars_are_errors() {
        let large = vec![b' '; MAX_SIDECAR_BYTES as usize + 1];
        assert!(matches!(Sidecar::parse(&large), Err(SidecarError::TooLarge { .. })));
        assert_eq!(Sidecar::parse(b"{\"a\xff\""), Err(SidecarError::NotUtf8 { offset: 3 }));
        assert!(matches!(Sidecar::parse(b""), Err(SidecarError::Syntax { offset: 0, .. })));
        assert!(Sidecar::parse(b"\xef\xbb\xbf{}").is_ok());
    }
}
