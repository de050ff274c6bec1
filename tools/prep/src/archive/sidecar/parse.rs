//! The bytes of a `.json` to what they say of a sample.

use super::{
    Sidecar, SidecarError,
    document::{PADDING, decoded, located},
    fields::Fields,
    json::{read_object, read_string},
};

impl Sidecar {
    /// Reads a sidecar: a JSON object, alone or alone in a list, or one that was written as a JSON string again; in UTF-8
    /// or UTF-16.
    ///
    /// # Errors
    /// It is too large, or not a JSON object.
    pub fn parse(bytes: &[u8]) -> Result<Sidecar, SidecarError> {
        let (text, not_utf8) = decoded(bytes)?;
        let text = text.trim_end_matches(PADDING);
        let sidecar = match read_object(text) {
            Ok(fields) => Fields(fields).sidecar("json"),
            Err(error) => {
                let inner = read_string(text).ok_or_else(|| located(text, error))?;
                let fields = read_object(&inner).map_err(|_| located(text, error))?;
                Fields(fields).sidecar("json")
            }
        };
        Ok(Sidecar { not_utf8, ..sidecar })
    }
}

#[cfg(test)]
mod tests {
    use super::{super::MAX_SIDECAR_BYTES, *};
    use crate::image::Orientation;

    fn parse(text: &str) -> Sidecar {
        Sidecar::parse(text.as_bytes()).unwrap()
    }

    fn caption(sidecar: &Sidecar) -> Option<&str> {
        sidecar.captions.first().map(|caption| &*caption.text)
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
        assert_eq!(caption(&sidecar), Some("a\n b"));
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
        assert_eq!((coyo.key.as_deref(), caption(&coyo)), (Some("4791"), Some("t")));
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
        let unread = sidecar.unread.clone();
        let unreadable = vec!["url", "original_width", "original_height", "sha256"];
        let expected = Sidecar { width: Some(640), unread, unreadable, ..Sidecar::default() };
        assert_eq!(sidecar, expected);
    }

    #[test]
    fn null_falls_through_to_the_next_name_and_the_last_of_two_equal_names_counts() {
        let sidecar = parse("{\"caption\": null, \"TEXT\": \"b\", \"url\": \"1\", \"url\": \"2\"}");
        assert_eq!((caption(&sidecar), sidecar.metadata.url.as_deref()), (Some("b"), Some("2")));
    }

    #[test]
    fn malformed_sidecars_are_errors() {
        let large = vec![b' '; MAX_SIDECAR_BYTES as usize + 1];
        assert!(matches!(Sidecar::parse(&large), Err(SidecarError::TooLarge { .. })));
        let place = |text: &str| match Sidecar::parse(text.as_bytes()) {
            Err(SidecarError::Syntax { line, column, .. }) => (line, column),
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(place(""), (1, 1));
        assert_eq!(place("<html>404</html>"), (1, 1));
        assert_eq!(place("{\"caption\": \"\u{e9}\",}"), (1, 17));
        assert_eq!(place("{\n  \"a\": 1,\r\n  'b': 2\n}"), (3, 3));
        assert_eq!(place("{}\n{}"), (2, 1));
        assert_eq!(place("\"no object\""), (1, 1));
        let error = Sidecar::parse(b"{\"a\": nan}").unwrap_err().to_string();
        assert_eq!(error, "the .json is not a JSON object: no value at line 1, column 7");
    }

    #[test]
    fn odd_encodings_of_an_object_are_read() {
        let object = "{\"caption\": \"caf\u{e9} \u{1f600}\"}";
        let wide = |unit: fn(u16) -> [u8; 2], mark: &str| -> Vec<u8> {
            mark.encode_utf16().chain(object.encode_utf16()).flat_map(unit).collect()
        };
        let as_string = serde_json::to_string(object).unwrap();
        for bytes in [
            object.as_bytes().to_vec(),
            format!("\u{feff}{object}").into_bytes(),
            format!("{object}\n\0\0").into_bytes(),
            format!("[{object}]").into_bytes(),
            as_string.into_bytes(),
            wide(u16::to_le_bytes, "\u{feff}"),
            wide(u16::to_be_bytes, "\u{feff}"),
            wide(u16::to_le_bytes, ""),
            wide(u16::to_be_bytes, ""),
        ] {
            let sidecar = Sidecar::parse(&bytes).unwrap();
            assert_eq!(caption(&sidecar), Some("caf\u{e9} \u{1f600}"), "{bytes:?}");
            assert!(!sidecar.not_utf8);
        }
        let latin = Sidecar::parse(b"{\"caption\": \"caf\xe9 CAP\", \"url\": \"u\"}").unwrap();
        assert_eq!((caption(&latin), latin.not_utf8), (Some("caf\u{fffd} CAP"), true));
        assert_eq!(latin.metadata.url.as_deref(), Some("u"));
    }
}
