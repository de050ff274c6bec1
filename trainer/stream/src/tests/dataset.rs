//! Small data sets for tests and benchmarks, written by the writer that `clipa-prep` uses.

use std::{collections::BTreeMap, path::Path};

use clipa_schemas::{
    image_column::{ImageColumn, ImageEncoding},
    ledger::{Ledger, Source, UnitEntry},
    manifest::{Kind, Manifest},
    random::Random,
    sample::{Sample, StoredImage},
    shard::{ShardLayout, ShardWriter},
    text::TokenizedText,
};

/// What to write.
pub(crate) struct Draft<'a> {
    /// `112:rgb8-square`, ...
    pub(crate) images: &'a [&'a str],
    /// Rows of each shard.
    pub(crate) shards: &'a [u32],
    pub(crate) kind: Kind,
    pub(crate) tagged: bool,
}

impl Draft<'_> {
    /// Writes it; row `r` of the data set holds [`image`]s, [`tokens`] and the class `r % 10`.
    pub(crate) fn write(&self, dataset: &Path) {
        let images: Vec<ImageColumn> =
            self.images.iter().map(|text| text.parse().unwrap()).collect();
        let sample = |row| self.sample(row, &images);
        write_shards(dataset, self.kind, self.tagged, &images, self.shards, sample);
    }

    fn sample(&self, row: u32, images: &[ImageColumn]) -> Sample {
        let tokens = tokens(row);
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
            images: images.iter().map(|column| image(row, *column)).collect(),
            ..Sample::default()
        }
    }
}

/// Writes a data set with shards of so many rows; `sample` makes each row from its number in the data set.
pub(crate) fn write_shards(
    dataset: &Path,
    kind: Kind,
    tagged: bool,
    images: &[ImageColumn],
    shards: &[u32],
    mut sample: impl FnMut(u32) -> Sample,
) {
    let tokens = match kind {
        Kind::Pairs => vec!["clip_bpe".to_owned()],
        Kind::Classes => vec![],
    };
    let layout = ShardLayout { images: images.to_vec(), tokens: tokens.clone() };
    std::fs::create_dir_all(dataset.join("shards")).unwrap();
    let mut manifest =
        Manifest::begin("test", kind, BTreeMap::new(), images.to_vec(), tokens, tagged);
    let (mut entries, mut row) = (Vec::new(), 0);
    for (unit, &rows) in shards.iter().enumerate() {
        let name = format!("shards/{unit:05}.parquet");
        let mut writer = ShardWriter::create(&dataset.join(&name), &layout).unwrap();
        for _ in 0..rows {
            writer.append(&sample(row)).unwrap();
            row += 1;
        }
        entries.push(UnitEntry {
            unit: unit as u32,
            source: Source { path: format!("{unit}.tar"), bytes: 0 },
            configuration_sha256: manifest.configuration_sha256.clone(),
            shard: Some(writer.finish(name).unwrap()),
            rejects: None,
            ledger: Ledger::default(),
            problems: Vec::new(),
        });
    }
    manifest.finish(&entries, true);
    manifest.write(dataset).unwrap();
}

/// The caption of a row: its number in two tokens, then up to 29 more.
pub(crate) fn tokens(row: u32) -> Vec<u16> {
    let number = [1000 + (row / 1000) as u16, 2000 + (row % 1000) as u16];
    number.into_iter().chain((0..row as u16 % 30).map(|token| 4000 + token)).collect()
}

/// The image of a row: its number in the first pixel, then soft random blotches.
pub(crate) fn image(row: u32, column: ImageColumn) -> StoredImage {
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
        bytes = turbojpeg::compress(pixels, 90, turbojpeg::Subsamp::None).unwrap().to_vec();
    }
    StoredImage { width: width as u16, height: height as u16, bytes }
}
