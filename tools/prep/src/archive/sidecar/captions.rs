//! Captions, as data sets name their fields and lists.

use super::{
    SidecarError,
    document::{PADDING, decoded, located},
    json::{Field, JsonError, Scalar, elements, read_object},
};

/// Fields that are read as captions whatever their case, in this order: the text that came with the image first, then
/// what people and models wrote about it.
const FIELDS: [&str; 21] = [
    // img2dataset, Conceptual Captions, COCO's annotations; nlphuji/flickr30k has a list in it
    "caption",
    "captions",
    // LAION (`TEXT`), COYO-700M, DataComp
    "text",
    "texts",
    "txt",
    // Karpathy's splits of COCO and Flickr30k, and their Hugging Face copies
    "sentences",
    "sentence",
    "sentences_raw",
    // alternative text under its HTML name
    "alt_text",
    "alt",
    // RedCaps, DreamLIP; Recap-DataComp-1B; PixelProse
    "raw_caption",
    "org_caption",
    "original_caption",
    "re_caption",
    "recaption",
    "vlm_caption",
    // LAION-COCO
    "top_caption",
    "all_captions",
    // WIT
    "caption_reference_description",
    "caption_alt_text_description",
    "caption_attribution_description",
];

/// Where an object in a list of captions has its text: COCO's annotations, Karpathy's splits.
const PARTS: [&str; 4] = ["caption", "raw", "text", "sentence"];

/// Unread fields that a reason names.
const NAMED_FIELDS: usize = 8;

/// Longest name of a field in a reason, in characters.
const NAME_CHARS: usize = 40;

/// A caption and where it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundCaption {
    /// As found.
    pub text: String,
    /// The suffix of a member (`txt`), or a field (`json:caption`, `table:TEXT`).
    pub source: String,
}

/// Is this a field that is read as a caption?
pub(super) fn is_caption(name: &str) -> bool {
    rank(name).is_some()
}

fn rank(name: &str) -> Option<usize> {
    FIELDS.iter().position(|field| field.eq_ignore_ascii_case(name))
}

/// The captions of a sample's fields, in the order of [`FIELDS`]; blank ones are none.
pub(super) fn captions_of_fields(fields: &[Field<'_>], origin: &str) -> Vec<FoundCaption> {
    let mut ranked: Vec<(usize, usize)> = fields
        .iter()
        .enumerate()
        .filter_map(|(place, (name, _))| Some((rank(name)?, place)))
        .collect();
    ranked.sort_unstable();
    let mut found = Vec::new();
    for (_, place) in ranked {
        let (name, value) = &fields[place];
        // of a name that comes twice, the last one counts
        if fields[place + 1..].iter().any(|(later, _)| later == name) {
            continue;
        }
        let source = format!("{origin}:{name}");
        let mut texts = Vec::new();
        take_texts(value, &mut texts);
        found.extend(texts.into_iter().map(|text| FoundCaption { text, source: source.clone() }));
    }
    found
}

/// The texts of a value: of itself, or of each element of a list.
fn take_texts(value: &Scalar<'_>, texts: &mut Vec<String>) {
    let Scalar::Container(list) = value else { return texts.extend(text_of(value)) };
    for element in elements(list) {
        match &element {
            Scalar::Container(object) => {
                let fields = read_object(object).unwrap_or_default();
                let part = |name: &str| fields.iter().find(|(found, _)| found == name);
                let first = PARTS.iter().find_map(|name| text_of(&part(name)?.1));
                texts.extend(first);
            }
            value => texts.extend(text_of(value)),
        }
    }
}

/// A text with something in it. A caption "2012" became a number somewhere on its way.
fn text_of(value: &Scalar<'_>) -> Option<String> {
    match value {
        Scalar::Text(text) | Scalar::Number(text) => {
            (!text.trim().is_empty()).then(|| text.clone().into_owned())
        }
        Scalar::Null | Scalar::Bool(_) | Scalar::Container(_) => None,
    }
}

/// The first names of fields, those of texts and containers before the others; a field that is read and has no text
/// says what it has.
pub(super) fn unread(fields: &[Field<'_>]) -> Vec<String> {
    let shown = |(name, value): &Field<'_>| {
        let short: String = name.chars().take(NAME_CHARS).collect();
        match (is_caption(name), value) {
            (true, Scalar::Text(_)) => format!("{short} (blank)"),
            (true, Scalar::Null) => format!("{short} (null)"),
            (true, Scalar::Bool(value)) => format!("{short} ({value})"),
            (true, Scalar::Container(_)) => format!("{short} (no list of texts)"),
            _ => short,
        }
    };
    let is_text = |(_, value): &&Field<'_>| matches!(value, Scalar::Text(_) | Scalar::Container(_));
    let (texts, others): (Vec<_>, Vec<_>) = fields.iter().partition(is_text);
    texts.into_iter().chain(others).take(NAMED_FIELDS).map(shown).collect()
}

/// The captions of a member that is JSON and nothing but captions: a list of texts, or an object that a sidecar could be.
///
/// # Errors
/// Neither.
pub fn captions_of_json(bytes: &[u8], source: &str) -> Result<Vec<FoundCaption>, SidecarError> {
    let (text, _) = decoded(bytes)?;
    let text = text.trim_end_matches(PADDING);
    if !text.trim_start().starts_with('[') {
        let fields = read_object(text).map_err(|error| located(text, error))?;
        return Ok(captions_of_fields(&fields, source));
    }
    // A list is checked as the value of a field.
    let whole = format!("{{\"\":{text}}}");
    let fields = read_object(&whole).map_err(|error| {
        let offset = error.offset.saturating_sub(4).min(text.len());
        located(text, JsonError { offset, ..error })
    })?;
    let mut texts = Vec::new();
    fields.iter().for_each(|(_, value)| take_texts(value, &mut texts));
    Ok(texts.into_iter().map(|text| FoundCaption { text, source: source.to_owned() }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(json: &str) -> Vec<(String, String)> {
        let fields = read_object(json).unwrap();
        let captions = captions_of_fields(&fields, "json");
        captions.into_iter().map(|caption| (caption.source, caption.text)).collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(source, text)| ((*source).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn fields_of_well_known_data_sets_are_captions() {
        for field in [
            "caption",
            "Caption",
            "CAPTION",
            "captions",
            "TEXT",
            "text",
            "Text",
            "texts",
            "txt",
            "sentences",
            "alt_text",
            "re_caption",
            "org_caption",
            "top_caption",
            "raw_caption",
        ] {
            for value in ["\"a cat\"", "[\"a cat\"]", "[{\"raw\": \"a cat\", \"sentid\": 3}]"] {
                let json = format!("{{\"{field}\": {value}}}");
                assert_eq!(found(&json), pairs(&[(&format!("json:{field}"), "a cat")]), "{json}");
            }
        }
    }

    #[test]
    fn lists_are_several_captions_and_blanks_are_none() {
        let json = "{\"sentences\": [\"c\", 2012, null, \"\", {\"x\": 1}, [\"d\"], \"e\"], \"caption\": \" \", \"TEXT\": \"a\"}";
        let expected = pairs(&[
            ("json:TEXT", "a"),
            ("json:sentences", "c"),
            ("json:sentences", "2012"),
            ("json:sentences", "e"),
        ]);
        assert_eq!(found(json), expected);
        assert_eq!(
            found("{\"caption\": \"a\", \"caption\": \"b\"}"),
            pairs(&[("json:caption", "b")])
        );
    }

    #[test]
    fn what_is_not_read_is_named() {
        let named = |json: &str| unread(&read_object(json).unwrap()).join(", ");
        assert_eq!(named("{\"width\": 3, \"title\": \"x\"}"), "title, width");
        assert_eq!(
            named("{\"caption\": true, \"text\": {\"en\": \"x\"}}"),
            "text (no list of texts), caption (true)"
        );
        assert_eq!(named("{\"caption\": NaN, \"TEXT\": \"\"}"), "TEXT (blank), caption (null)");
        let many: Vec<String> = (0..99).map(|n| format!("\"{n}{}\": 1", "x".repeat(99))).collect();
        assert!(named(&format!("{{{}}}", many.join(","))).len() < 400);
    }

    #[test]
    fn a_member_of_captions_is_a_list_or_an_object() {
        let texts = |json: &str| -> Vec<String> {
            let found = captions_of_json(json.as_bytes(), "captions.json").unwrap();
            found.into_iter().map(|caption| caption.text).collect()
        };
        assert_eq!(texts(" [\"a\", {\"caption\": \"b\"}]"), ["a", "b"]);
        assert_eq!(texts("{\"captions\": [\"a\", \"b\"]}"), ["a", "b"]);
        let error = captions_of_json(b"[\"a\",\n b]", "captions.json").unwrap_err();
        assert!(matches!(error, SidecarError::Syntax { line: 2, column: 2, .. }), "{error}");
        assert!(captions_of_json(b"[\"a\"", "captions.json").is_err());
    }
}
