//! What a sample is made of.

use std::sync::atomic::AtomicBool;

use clipa_schemas::{
    reduction::text::{Specials, reduce},
    shard::ShardReader,
    text::StoredText,
};
use clipa_tests::{numbered_image as image, numbered_tokens as tokens};

use super::*;
use crate::{
    crop::CropBox,
    painter::{Painter, StoredPixels},
};

#[test]
fn images_are_borrowed_from_the_mapping() {
    let columns = ["16:rgb8-square", "26:rgb8", "30:jpeg"];
    let folder = dataset(&columns);
    let manifest = Manifest::read(folder.path()).unwrap();
    for name in columns {
        let config = StreamConfig { image_column: Some(name.to_owned()), ..plain(1) };
        let columns = Columns::of_pairs(folder.path(), &manifest, &config).unwrap();
        let (mut source, groups) = Source::open(folder.path(), &manifest, columns).unwrap();
        for (plan, rows) in Order::new(groups, Sequence::Stored, 1).windows(0).zip(SHARDS) {
            let window = source.load(&plan, &AtomicBool::new(false)).unwrap();
            let reader = source.reader(plan.groups[0].shard).unwrap();
            let mapping = reader.bytes().as_ptr_range();
            assert_eq!(plan.rows.len(), rows);
            for row in 0..rows {
                let bytes = window.row(row).image().bytes.as_ptr_range();
                assert!(
                    mapping.start <= bytes.start && bytes.end <= mapping.end,
                    "{name}, row {row}"
                );
            }
        }
    }
}

#[test]
fn a_square_of_the_right_size_is_copied() {
    let folder = dataset(&["16:rgb8-square"]);
    let batch = EvalPass::open(folder.path(), plain(101)).unwrap().next().unwrap().unwrap();
    for (row, pixels) in batch.images.chunks(768).enumerate() {
        assert_eq!(pixels, image(row as u32, "16:rgb8-square".parse().unwrap()).bytes);
    }
}

#[test]
fn captions_are_those_of_the_reduction() {
    let folder = dataset(&["16:rgb8-square"]);
    for text in [TextReduction::Truncate, TextReduction::Syntax] {
        let config = StreamConfig { text, ..plain(101) };
        let batch = EvalPass::open(folder.path(), config).unwrap().next().unwrap().unwrap();
        for (row, seen) in batch.tokens.chunks(8).enumerate() {
            let tokens = tokens(row as u32);
            let pos: Vec<u8> = (0..tokens.len()).map(|word| [20, 15, 9][word % 3]).collect();
            let lengths = vec![1; tokens.len()];
            let stored = StoredText {
                tokens: &tokens,
                word_tokens: &tokens,
                word_lengths: &lengths,
                pos: &pos,
                vocabulary: None,
            };
            let mut expected = [0; 8];
            reduce(text, stored, Specials::CLIP_BPE, 0, &mut expected).unwrap();
            assert!(seen.iter().zip(expected).all(|(seen, token)| *seen == i64::from(token)));
        }
    }
}

#[test]
fn the_column_is_the_smallest_that_is_never_up_sampled() {
    let folder = dataset(&["40:rgb8", "16:rgb8-square", "26:rgb8"]);
    let chosen = |config: StreamConfig| {
        let stream = Stream::open(folder.path(), config, Cursor::default()).unwrap();
        stream.image_column().to_string()
    };
    assert_eq!(chosen(plain(4)), "16:rgb8-square");
    assert_eq!(chosen(random(4)), "26:rgb8"); // 16 / sqrt(0.4) = 25.3
    assert_eq!(chosen(StreamConfig { image_size: 18, ..random(4) }), "40:rgb8");
    assert_eq!(chosen(StreamConfig { image_size: 64, ..random(4) }), "40:rgb8");
    for name in ["image_16", "16:rgb8-square"] {
        let image_column = Some(name.to_owned());
        assert_eq!(chosen(StreamConfig { image_column, ..random(4) }), "16:rgb8-square");
    }
}

#[test]
fn a_jpeg_shows_what_its_pixels_show() {
    let folder = dataset(&["40:rgb8", "41:jpeg"]);
    let reader = ShardReader::open(&folder.path().join("shards/00000.parquet")).unwrap();
    let block = reader.images_of(0, "41:jpeg".parse().unwrap()).unwrap();
    let mut painter = Painter::new(24, Filter::Bicubic);
    for row in 0..block.rows() {
        let stored = block.get(row);
        let decoded = turbojpeg::decompress(stored.bytes, turbojpeg::PixelFormat::RGB).unwrap();
        let crop = CropBox { left: 3, top: 1, width: 30, height: 37 };
        let mut painted = |bytes, column: &str| {
            let (width, height) = (stored.width, stored.height);
            let encoding = column.parse::<ImageColumn>().unwrap().encoding;
            let mut out = vec![0; 24 * 24 * 3];
            painter.paint(StoredPixels { bytes, encoding, width, height }, crop, &mut out).unwrap();
            out
        };
        assert_eq!(painted(stored.bytes, "1:jpeg"), painted(&decoded.pixels, "1:rgb8"));
    }
}

/// Pillow's resize in floating point: a kernel of support `reach`, widened where the image shrinks.
fn reference(
    pixels: &[u8],
    width: u32,
    crop: CropBox,
    side: u32,
    reach: f64,
    kernel: fn(f64) -> f64,
) -> Vec<f64> {
    let weights = |size: u32, target: u32| -> Vec<f64> {
        let scale = f64::from(size) / f64::from(side);
        let stretch = scale.max(1.0);
        let centre = (f64::from(target) + 0.5) * scale;
        let at = |source: u32| {
            let distance = (f64::from(source) + 0.5 - centre) / stretch;
            if distance.abs() < reach { kernel(distance) } else { 0.0 }
        };
        let sum: f64 = (0..size).map(at).sum();
        (0..size).map(|source| at(source) / sum).collect()
    };
    let mut out = Vec::new();
    for y in 0..side {
        let rows = weights(crop.height, y);
        for x in 0..side {
            let columns = weights(crop.width, x);
            for channel in 0..3 {
                let mut value = 0.0;
                for (row, row_weight) in rows.iter().enumerate() {
                    for (column, column_weight) in columns.iter().enumerate() {
                        let (row, column) = (row + crop.top as usize, column + crop.left as usize);
                        let pixel = pixels[(row * width as usize + column) * 3 + channel];
                        value += row_weight * column_weight * f64::from(pixel);
                    }
                }
                out.push(value.clamp(0.0, 255.0));
            }
        }
    }
    out
}

fn catmull_rom(x: f64) -> f64 {
    let x = x.abs();
    if x < 1.0 { (1.5 * x - 2.5) * x * x + 1.0 } else { ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0 }
}

#[test]
fn crop_and_resize_are_those_of_pillow() {
    let stored = image(7, "40:rgb8".parse().unwrap());
    let (width, height) = (u32::from(stored.width), u32::from(stored.height));
    let crops = [
        CropBox::centre_square(width, height),
        CropBox { left: 3, top: 5, width: 31, height: 24 },
        CropBox { left: 0, top: 0, width: 9, height: 11 },
        CropBox { left: 6, top: 2, width: 16, height: 16 },
    ];
    for crop in crops {
        for (filter, reach, kernel) in [
            (Filter::Bicubic, 2.0, catmull_rom as fn(f64) -> f64),
            (Filter::Bilinear, 1.0, |x: f64| 1.0 - x.abs()),
        ] {
            let mut out = vec![0; 16 * 16 * 3];
            let pixels = StoredPixels {
                bytes: &stored.bytes,
                encoding: clipa_schemas::image_column::ImageEncoding::Rgb8,
                width,
                height,
            };
            Painter::new(16, filter).paint(pixels, crop, &mut out).unwrap();
            let expected = reference(&stored.bytes, width, crop, 16, reach, kernel);
            // Two passes that each round to 8 bits.
            let worst = out
                .iter()
                .zip(&expected)
                .map(|(&a, b)| (f64::from(a) - b).abs())
                .fold(0.0, f64::max);
            assert!(worst < 1.6, "{crop:?} {filter:?}: {worst}");
        }
    }
}
