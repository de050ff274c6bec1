//! The names under which LAION, img2dataset, COYO-700M and DataComp keep the same thing, whether it stands in a
//! `.json` or in a column of a Parquet table.

use clipa_schemas::metadata::{Metadata, MetadataSource};

use super::{
    Sidecar,
    captions::{captions_of_fields, is_caption, unread},
    exif_text::{orientation_from_exif_json, size_from_exif_json},
    json::{Field, Scalar},
};

/// The key, or the source's own id.
const KEY: &[&str] = &["key", "uid", "id", "SAMPLE_ID"];
const STATUS: &[&str] = &["status"];
const ERROR: &[&str] = &["error_message"];
const WIDTH: &[&str] = &["width"];
const HEIGHT: &[&str] = &["height"];
const EXIF: &[&str] = &["exif"];
const MD5: &[&str] = &["md5"];
const LABEL: &[&str] = &["label", "cls"];

/// The names of one of [`Metadata`]'s columns, the first that has a value counts. A column that is not listed here has
/// its own name everywhere.
fn names<'n>(column: &'n &'n str) -> &'n [&'n str] {
    match *column {
        "url" => &["url", "URL"],
        // `width` is the stored size; LAION's own table calls the size on the web WIDTH.
        "original_width" => &["original_width", "WIDTH"],
        "original_height" => &["original_height", "HEIGHT"],
        // LAION, COYO and DataComp; ViT-B/32 before ViT-L/14, because LAION-400M was cut by the former.
        "similarity" => &[
            "similarity",
            "clip_similarity_vitb32",
            "clip_b32_similarity_score",
            "clip_similarity_vitl14",
            "clip_l14_similarity_score",
        ],
        "nsfw" => &["NSFW", "nsfw"],
        "license" => &["LICENSE", "license"],
        "punsafe" => &["punsafe", "nsfw_score_opennsfw2", "nsfw_score_gantman"],
        "pwatermark" => &["pwatermark", "watermark_score"],
        "language" => &["LANGUAGE", "language"],
        _ => std::slice::from_ref(column),
    }
}

/// Columns of which it is told apart whether a source says nothing, or something that cannot be read: filters, lists and
/// sizes ask for them.
const TOLD_APART: [&str; 9] = [
    "url",
    "original_width",
    "original_height",
    "sha256",
    "similarity",
    "punsafe",
    "pwatermark",
    "nsfw",
    "language",
];

/// May a source's field of this name hold the column?
pub(super) fn holds(name: &str, column: &str) -> bool {
    match column {
        "md5" => MD5.contains(&name),
        column => names(&column).contains(&name),
    }
}

/// Is this a name that the mapping knows?
pub(super) fn is_known(name: &str) -> bool {
    let beside = [KEY, STATUS, ERROR, WIDTH, HEIGHT, EXIF, MD5, LABEL];
    let mut all = Metadata::COLUMNS.iter().map(names).chain(beside);
    is_caption(name) || all.any(|names| names.contains(&name))
}

/// Names with their values; of a name that comes twice, the last one counts.
pub(super) struct Fields<'a>(pub(super) Vec<Field<'a>>);

impl Fields<'_> {
    /// What the fields say of a sample; `origin` names what they are fields of (`json`).
    pub(super) fn sidecar(&self, origin: &str) -> Sidecar {
        let captions = captions_of_fields(&self.0, origin);
        Sidecar {
            metadata: Metadata::read(self),
            unread: if captions.is_empty() { unread(&self.0) } else { Vec::new() },
            captions,
            not_utf8: false,
            key: self.text(KEY),
            status: self.text(STATUS),
            error: self.text(ERROR),
            width: self.whole(WIDTH),
            height: self.whole(HEIGHT),
            orientation: self.borrowed(EXIF).and_then(orientation_from_exif_json),
            taken_size: self.borrowed(EXIF).and_then(size_from_exif_json),
            md5: self.hash(MD5),
            label: self.whole(LABEL),
            unreadable: self.unreadable(),
        }
    }

    /// Columns for which there is a value, but none of their kind.
    fn unreadable(&self) -> Vec<&'static str> {
        let is_read = |column: &str| match column {
            "url" | "nsfw" | "language" => self.text(names(&column)).is_some(),
            "sha256" => self.hash::<32>(names(&column)).is_some(),
            "original_width" | "original_height" => self.whole(names(&column)).is_some(),
            column => self.real(names(&column)).is_some(),
        };
        let is_said = |column: &str| {
            self.0.iter().any(|(name, value)| holds(name, column) && !says_nothing(value))
        };
        let mut found: Vec<&'static str> =
            TOLD_APART.into_iter().filter(|column| is_said(column) && !is_read(column)).collect();
        if is_said("md5") && self.hash::<16>(MD5).is_none() {
            found.push("md5");
        }
        found
    }

    /// The value of the first of `names` that has one.
    fn first<T>(&self, names: &[&str], read: impl Fn(&Scalar<'_>) -> Option<T>) -> Option<T> {
        names.iter().find_map(|name| {
            self.0.iter().rev().find(|(found, _)| found == name).and_then(|(_, value)| read(value))
        })
    }

    fn borrowed(&self, names: &[&str]) -> Option<&str> {
        let is_named = |(found, _): &&Field<'_>| names.contains(&found.as_ref());
        match &self.0.iter().rev().find(is_named)?.1 {
            Scalar::Text(text) => Some(text),
            _ => None,
        }
    }

    fn text(&self, names: &[&str]) -> Option<String> {
        self.first(names, |value| match value {
            // A caption "2012" became a number somewhere on its way.
            Scalar::Text(text) | Scalar::Number(text) => Some(text.clone().into_owned()),
            Scalar::Null | Scalar::Bool(_) | Scalar::Container(_) => None,
        })
    }

    fn real(&self, names: &[&str]) -> Option<f64> {
        self.first(names, |value| match value {
            Scalar::Text(text) | Scalar::Number(text) => {
                text.trim().parse().ok().filter(|number: &f64| number.is_finite())
            }
            Scalar::Null | Scalar::Bool(_) | Scalar::Container(_) => None,
        })
    }

    /// A whole number of any spelling: `640`, `640.0`, `"640"`.
    fn whole(&self, names: &[&str]) -> Option<u32> {
        let number = self.real(names)?;
        let is_whole = number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number);
        is_whole.then_some(number as u32)
    }

    fn hash<const BYTES: usize>(&self, names: &[&str]) -> Option<[u8; BYTES]> {
        hash_from_hex(&self.text(names)?)
    }
}

impl MetadataSource for Fields<'_> {
    fn text(&self, column: &str) -> Option<String> {
        self.text(names(&column))
    }

    fn real(&self, column: &str) -> Option<f64> {
        self.real(names(&column))
    }

    fn whole(&self, column: &str) -> Option<u32> {
        self.whole(names(&column))
    }

    fn hash(&self, column: &str) -> Option<[u8; 32]> {
        self.hash(names(&column))
    }
}

/// Null, and the words for it that programs write into columns of text.
fn says_nothing(value: &Scalar<'_>) -> bool {
    match value {
        Scalar::Null => true,
        Scalar::Text(text) => {
            let text = text.trim();
            ["", "nan", "null", "none", "na", "n/a", "<na>"]
                .iter()
                .any(|word| text.eq_ignore_ascii_case(word))
        }
        Scalar::Bool(_) | Scalar::Number(_) | Scalar::Container(_) => false,
    }
}

/// A hash in hexadecimal, of either case.
pub fn hash_from_hex<const BYTES: usize>(text: &str) -> Option<[u8; BYTES]> {
    let text = text.as_bytes();
    let mut hash = [0; BYTES];
    if text.len() != 2 * BYTES {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(text.chunks_exact(2)) {
        let digit = |sign: u8| char::from(sign).to_digit(16);
        *byte = (digit(pair[0])? * 16 + digit(pair[1])?) as u8;
    }
    Some(hash)
}
