//! Every repair of a picture is counted, and can be refused.

use std::{collections::BTreeMap, io::Cursor};

use clipa_schemas::{manifest::Kind, metadata::Metadata};
use image::{DynamicImage, Frame, ImageFormat, Rgb, RgbImage, codecs::gif::GifEncoder};

use super::{
    large_pictures::LargePictures,
    options::{Filter, IngestOptions},
    repairs::repair_names,
    sample::{KeptCaption, Preparer, Texts},
    source::{RawSample, Unusable},
};
use crate::{
    archive::sidecar::{FoundCaption, Sidecar},
    image::{DEFAULT_JPEG_QUALITY, DEFAULT_MAX_ASPECT, DecodeLimits, Orientation, Repair},
};
use clipa_text::{EncodedCaption, TaggerChoice, TextConfig};

pub(super) fn options(refused: Vec<&'static str>) -> IngestOptions {
    IngestOptions {
        kind: Kind::Pairs,
        classes: None,
        images: vec!["16:rgb8".parse().unwrap()],
        max_aspect: DEFAULT_MAX_ASPECT,
        jpeg_quality: DEFAULT_JPEG_QUALITY,
        unpad: true,
        limits: DecodeLimits::default(),
        filter: Filter::default(),
        refused,
        text: TextConfig { tagger: TaggerChoice::none(), bert_vocab: None },
    }
}

struct Picture {
    image: Vec<u8>,
    sidecar: Sidecar,
}

/// The repairs that were made, where the picture becomes a row.
fn prepared(picture: &Picture, refused: Vec<&'static str>) -> Result<Vec<&'static str>, Unusable> {
    let options = options(refused);
    let (plan, text) = (options.render_plan().unwrap(), options.text.open().unwrap());
    let mut raw = RawSample {
        key: "1".into(),
        captions: vec![FoundCaption { text: "a caption".into(), source: "txt".into() }],
        sidecar: picture.sidecar.clone(),
        ..RawSample::default()
    };
    let encoded = EncodedCaption::default();
    let texts = Texts::Captions(Ok(vec![KeptCaption { place: 0, encoded }]));
    let mut preparer = Preparer::new(&options, &plan, &text, &LargePictures::new(1));
    let hash = preparer.hashed(&picture.image);
    preparer.row(&mut raw, texts, &picture.image, hash)?;
    Ok(raw.repairs)
}

pub(super) fn picture() -> RgbImage {
    RgbImage::from_fn(32, 24, |x, y| Rgb([(x * 8) as u8, (y * 10) as u8, 90]))
}

pub(super) fn png(image: DynamicImage) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

fn gif(frames: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new(&mut bytes);
    let frame = || Frame::new(DynamicImage::ImageRgb8(picture()).into_rgba8());
    encoder.encode_frames((0..frames).map(|_| frame())).unwrap();
    drop(encoder);
    bytes
}

fn jpeg(pixels: &[u8], channels: usize, format: turbojpeg::PixelFormat) -> Vec<u8> {
    let (width, height) = (32, 24);
    let image = turbojpeg::Image { pixels, width, pitch: width * channels, height, format };
    turbojpeg::compress(image, 95, turbojpeg::Subsamp::None).unwrap().to_vec()
}

/// A picture for each repair that it needs, and with it for no other.
fn needing_repair() -> BTreeMap<&'static str, Picture> {
    let plain = jpeg(picture().as_raw(), 3, turbojpeg::PixelFormat::RGB);
    let dynamic = || DynamicImage::ImageRgb8(picture());
    let inks = [[200u8, 100, 50, 220].repeat(16 * 24), [20, 180, 90, 200].repeat(16 * 24)].concat();
    let mut endless = png(dynamic());
    endless.truncate(endless.len() - 12);
    let profile = b"ICC_PROFILE\0\x01\x01profile";
    let length = (profile.len() as u16 + 2).to_be_bytes();
    let with_profile = [&plain[..2], &[0xff, 0xe2], &length, profile, &plain[2..]].concat();
    // 32 x 8 pixels between white bars, as the border mode makes 128 x 32 square
    let bars = RgbImage::from_fn(32, 32, |x, y| {
        if (12..20).contains(&y) { *picture().get_pixel(x, y) } else { Rgb([255; 3]) }
    });
    let blank = RgbImage::from_pixel(32, 24, Rgb([200, 10, 30]));
    let mut glass = dynamic().into_rgba8();
    glass.pixels_mut().for_each(|pixel| pixel[3] = 128);
    let sidecar = Sidecar::default();
    let turned = Sidecar { orientation: Some(Orientation::Rotate90), ..Sidecar::default() };
    let sizes =
        Metadata { original_width: Some(128), original_height: Some(32), ..Metadata::default() };
    let padded = Sidecar { metadata: sizes, ..Sidecar::default() };
    [
        ("orientation", plain.clone(), turned),
        ("grey", png(DynamicImage::ImageLuma8(dynamic().into_luma8())), sidecar.clone()),
        ("cmyk", jpeg(&inks, 4, turbojpeg::PixelFormat::CMYK), sidecar.clone()),
        ("palette", gif(1), sidecar.clone()),
        ("sixteen_bit", png(DynamicImage::ImageRgb16(dynamic().into_rgb16())), sidecar.clone()),
        ("alpha", png(DynamicImage::ImageRgba8(glass)), sidecar.clone()),
        ("animated", gif(2), sidecar.clone()),
        ("icc_ignored", with_profile, sidecar.clone()),
        ("markers", [&plain[..2], b"stray", &plain[2..]].concat(), sidecar),
        ("border", png(DynamicImage::ImageRgb8(bars)), padded),
        ("no_end", endless, Sidecar::default()),
        ("blank", png(DynamicImage::ImageRgb8(blank)), Sidecar::default()),
    ]
    .into_iter()
    .map(|(repair, image, sidecar)| (repair, Picture { image, sidecar }))
    .collect()
}

#[test]
fn every_repair_is_counted_and_refused_by_its_name() {
    let samples = needing_repair();
    for repair in Repair::ALL.map(Repair::name) {
        let picture = samples.get(repair).unwrap_or_else(|| panic!("no picture needs {repair}"));
        let repairs = prepared(picture, Vec::new()).unwrap();
        assert!(repairs.contains(&repair), "{repair}: {repairs:?}");
        let refused = prepared(picture, vec![repair]).unwrap_err();
        assert_eq!(refused.reason, repair, "{}", refused.detail);
    }
    let plain = Picture {
        image: jpeg(picture().as_raw(), 3, turbojpeg::PixelFormat::RGB),
        sidecar: Sidecar::default(),
    };
    assert!(prepared(&plain, repair_names().collect()).unwrap().is_empty());
}
