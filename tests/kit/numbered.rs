//! A data set whose rows hold their own numbers, in the first pixel and in the first tokens.

use crate::dataset::write_shards;
use clipa_schemas::image_column::{ImageColumn, ImageEncoding};
use clipa_schemas::manifest::{Kind, Manifest};
use clipa_schemas::random::Random;
use clipa_schemas::sample::{Sample, StoredImage};
use clipa_schemas::text::{EncodedText, TokenizedText};
use std::collections::BTreeMap;
use std::path::Path;

/// What to write.
pub struct Numbered<'a> {
    /// `112:rgb8-square`, ...
    pub images: &'a [&'a str],
    /// Rows of each shard.
    pub shards: &'a [u32],
    /// Pairs have a caption, classes only their label.
    pub kind: Kind,
    /// Do the captions have words and tags?
    pub tagged: bool,
}

impl Numbered<'_> {
    /// Writes it; row `r` of the data set holds [`numbered_image`]s, [`numbered_tokens`] and the class `r % 10`.
    pub fn write(&self, folder: &Path) {
        let column = |text: &&str| text.parse().expect("an image column");
        let images: Vec<ImageColumn> = self.images.iter().map(column).collect();
        let tokens = match self.kind {
            Kind::Pairs => vec!["clip_bpe".to_owned()],
            Kind::Classes => vec![],
        };
        let configuration = BTreeMap::new();
        let manifest =
            Manifest::begin("test", self.kind, configuration, images.clone(), tokens, self.tagged);
        write_shards(folder, manifest, self.shards, |row| self.sample(row, &images));
    }

    fn sample(&self, row: u32, images: &[ImageColumn]) -> Sample {
        let tokens = numbered_tokens(row);
        let words = if self.tagged { tokens.len() } else { 0 };
        Sample {
            key: row.to_string(),
            label: Some(row % 10),
            pos: (0..words).map(|word| [20, 15, 9][word % 3]).collect(),
            tokens: match self.kind {
                Kind::Classes => vec![],
                Kind::Pairs => vec![TokenizedText {
                    word_tokens: if self.tagged { tokens.clone() } else { vec![] },
                    word_lengths: vec![1; words],
                    tokens,
                }],
            },
            images: images.iter().map(|column| numbered_image(row, *column)).collect(),
            ..Sample::default()
        }
    }
}

/// The caption of a row: its number in two tokens, then up to 29 more.
pub fn numbered_tokens(row: u32) -> Vec<u16> {
    let number = [1000 + (row / 1000) as u16, 2000 + (row % 1000) as u16];
    number.into_iter().chain((0..row as u16 % 30).map(|token| 4000 + token)).collect()
}

/// A row with these captions, whose texts are their numbers, each from its source; several make lists of them.
pub fn captioned_sample(
    row: u32,
    captions: Vec<EncodedText>,
    source: impl Fn(usize) -> &'static str,
    column: ImageColumn,
) -> Sample {
    let count = captions.len();
    let lists =
        |text: &dyn Fn(usize) -> String| (count > 1).then(|| (0..count).map(text).collect());
    Sample {
        key: row.to_string(),
        caption: "0".to_owned(),
        captions: lists(&|caption| caption.to_string()),
        caption_sources: lists(&|caption| source(caption).to_owned()),
        tokens: captions[0].tokens.clone(),
        pos: captions[0].pos.clone(),
        images: vec![numbered_image(row, column)],
        captions_text: if count > 1 { captions } else { vec![] },
        ..Sample::default()
    }
}

/// The image of a row: its number in the first pixel, then soft random blotches.
pub fn numbered_image(row: u32, column: ImageColumn) -> StoredImage {
    let mut random = Random::from_parts(&[u64::from(row), u64::from(column.side)]);
    let side = column.side;
    let (width, height) = match (column.encoding, random.below(3)) {
        (ImageEncoding::Rgb8Square, _) | (_, 0) => (side, side),
        (_, 1) => (side + random.below(u64::from(side)) as u32 / 2, side),
        _ => (side, side + random.below(u64::from(side)) as u32 / 2),
    };
    let slopes: [u32; 6] = std::array::from_fn(|_| 1 + random.below(4) as u32);
    let mut bytes = Vec::with_capacity((width * height * 3) as usize);
    for y in 0..height {
        for x in 0..width {
            let wave = |channel: usize| {
                let phase = x * slopes[channel] + y * slopes[channel + 3];
                (if (phase / 256).is_multiple_of(2) { phase % 256 } else { 255 - phase % 256 })
                    as u8
            };
            bytes.extend([wave(0), wave(1), wave(2)]);
        }
    }
    bytes[..3].copy_from_slice(&row.to_be_bytes()[1..]);
    if column.encoding == ImageEncoding::Jpeg {
        let (width, height) = (width as usize, height as usize);
        let pixels = turbojpeg::Image {
            pixels: bytes.as_slice(),
            width,
            pitch: width * 3,
            height,
            format: turbojpeg::PixelFormat::RGB,
        };
        bytes = turbojpeg::compress(pixels, 90, turbojpeg::Subsamp::None)
            .expect("pixels become a JPEG")
            .to_vec();
    }
    StoredImage { width: width as u16, height: height as u16, bytes }
}
