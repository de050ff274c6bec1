//! Decoding and rendering of images made here, and of the files that broke other readers.

use std::{collections::BTreeMap, io::Cursor, path::PathBuf};

use image::{DynamicImage, ImageFormat as Encoding, Rgb, RgbImage};
use proptest::prelude::*;

use clipa_schemas::sample::StoredImage;

use super::exif::tests::block;
use super::*;

mod damage;
mod scaled;

/// Where the shared data are, when they are there.
fn shared() -> PathBuf {
    let beside = || concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared").into();
    std::env::var_os("CLIPA_SHARED").map_or_else(beside, PathBuf::from)
}

/// A picture with an edge, a gradient and a different colour in each corner.
pub(super) fn picture(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let (right, bottom) = (x * 2 >= width, y * 2 >= height);
        let base = [[200u8, 40, 40], [40, 200, 40], [40, 40, 200], [200, 200, 40]];
        let mut pixel = base[usize::from(right) + 2 * usize::from(bottom)];
        pixel[0] = pixel[0].saturating_add((x * 50 / width) as u8);
        pixel[2] = pixel[2].saturating_add((y * 50 / height) as u8);
        Rgb(pixel)
    })
}

fn encoded(image: &DynamicImage, encoding: Encoding) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, encoding).unwrap();
    bytes.into_inner()
}

fn jpeg_of(image: &RgbImage, quality: i32) -> Vec<u8> {
    let image = turbojpeg::Image {
        pixels: image.as_raw().as_slice(),
        width: image.width() as usize,
        pitch: image.width() as usize * 3,
        height: image.height() as usize,
        format: turbojpeg::PixelFormat::RGB,
    };
    turbojpeg::compress(image, quality, turbojpeg::Subsamp::None).unwrap().to_vec()
}

/// Puts a segment behind the start of a JPEG.
fn with_segment(jpeg: &[u8], marker: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xff, marker], &length, payload, &jpeg[2..]].concat()
}

fn plain(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    decode(bytes, &DecodeLimits::default(), None)
}

fn repairs(decoded: &Decoded) -> String {
    decoded.repairs.to_string()
}

/// Peak signal-to-noise ratio in dB.
fn psnr(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    let squares: f64 = a.iter().zip(b).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum();
    if squares == 0.0 { f64::INFINITY } else { 10.0 * (65025.0 * a.len() as f64 / squares).log10() }
}

#[test]
fn lossless_formats_come_back_bit_for_bit() {
    let image = picture(61, 40);
    for (encoding, format) in [
        (Encoding::Png, ImageFormat::Png),
        (Encoding::WebP, ImageFormat::WebP),
        (Encoding::Bmp, ImageFormat::Bmp),
    ] {
        let bytes = encoded(&DynamicImage::ImageRgb8(image.clone()), encoding);
        let decoded = plain(&bytes).unwrap();
        assert_eq!((decoded.width, decoded.height, decoded.format), (61, 40, format));
        assert_eq!(decoded.rgb, image.as_raw().as_slice());
        assert!(decoded.repairs.is_empty(), "{format:?}: {}", decoded.repairs);
        for cut in [bytes.len() / 2, bytes.len() - bytes.len() / 8] {
            let error = plain(&bytes[..cut]).unwrap_err();
            assert_eq!(error.reason(), "truncated", "{format:?} cut at {cut}: {error}");
        }
    }
}

#[test]
fn other_pixels_become_rgb_and_are_counted() {
    let image = DynamicImage::ImageRgb8(picture(20, 10));
    let grey = plain(&encoded(&DynamicImage::ImageLuma8(image.to_luma8()), Encoding::Png)).unwrap();
    assert_eq!(repairs(&grey), "grey");
    assert!(grey.rgb.chunks(3).zip(image.to_luma8().as_raw()).all(|(rgb, grey)| rgb == [*grey; 3]));

    let wide = plain(&encoded(&DynamicImage::ImageRgb16(image.to_rgb16()), Encoding::Png)).unwrap();
    assert_eq!(repairs(&wide), "sixteen_bit");
    assert_eq!(wide.rgb, image.as_bytes());
    let wide = plain(&encoded(&DynamicImage::ImageLumaA16(image.to_luma_alpha16()), Encoding::Png));
    assert_eq!(repairs(&wide.unwrap()), "grey,sixteen_bit");

    let mut clear = image.to_rgba8();
    clear.pixels_mut().take(20).for_each(|pixel| pixel.0 = [0, 0, 0, 0]);
    for encoding in [Encoding::Png, Encoding::WebP] {
        let decoded = plain(&encoded(&DynamicImage::ImageRgba8(clear.clone()), encoding)).unwrap();
        assert_eq!(repairs(&decoded), "alpha");
        assert_eq!(decoded.rgb[..60], [255; 60]);
        assert_eq!(decoded.rgb[60..], image.as_bytes()[60..]);
    }
    let gif = plain(&encoded(&DynamicImage::ImageRgba8(clear), Encoding::Gif)).unwrap();
    assert_eq!(repairs(&gif), "palette,alpha");
    assert_eq!(gif.rgb[..60], [255; 60]);
}

#[test]
fn the_first_frame_of_an_animation_is_taken() {
    let mut gif = Vec::new();
    let mut encoder = image::codecs::gif::GifEncoder::new(&mut gif);
    for level in [250u8, 10] {
        let frame = image::RgbaImage::from_pixel(8, 8, image::Rgba([level, level, level, 255]));
        encoder.encode_frame(image::Frame::new(frame)).unwrap();
    }
    drop(encoder);
    let decoded = plain(&gif).unwrap();
    assert_eq!(repairs(&decoded), "palette,animated,blank");
    assert!(decoded.rgb.iter().all(|&level| level == 250));
}

#[test]
fn jpegs_are_turned_by_their_own_exif_and_else_by_the_hint() {
    let image = picture(64, 40);
    let jpeg = jpeg_of(&image, 95);
    let upright = plain(&jpeg).unwrap();
    assert!(psnr(&upright.rgb, image.as_raw()) > 38.0);
    assert!(upright.repairs.is_empty());
    let exif = |orientation| [b"Exif\0\0", &block(orientation)[..]].concat();
    for value in 1..=8 {
        let orientation = Orientation::from_exif(value).unwrap();
        let (rgb, width, height) = orientation.apply(upright.rgb.clone(), 64, 40);
        let own = plain(&with_segment(&jpeg, 0xe1, &exif(value as u16))).unwrap();
        let hinted = decode(&jpeg, &DecodeLimits::default(), Some(orientation)).unwrap();
        for found in [&own, &hinted] {
            assert_eq!((found.width, found.height), (width, height));
            assert!(found.rgb == rgb, "{value}");
            assert_eq!(repairs(found), if value == 1 { "" } else { "orientation" });
        }
    }
    let both = with_segment(&jpeg, 0xe1, &exif(1));
    let both = decode(&both, &DecodeLimits::default(), Some(Orientation::Rotate180)).unwrap();
    assert!(both.rgb == upright.rgb, "what the file itself says wins");
}

#[test]
fn grey_and_four_channel_jpegs_become_rgb() {
    let grey: Vec<u8> = (0..40 * 24).map(|at| (at % 40 * 6) as u8).collect();
    let image = turbojpeg::Image {
        pixels: grey.as_slice(),
        width: 40,
        pitch: 40,
        height: 24,
        format: turbojpeg::PixelFormat::GRAY,
    };
    let jpeg = turbojpeg::compress(image, 98, turbojpeg::Subsamp::Gray).unwrap();
    let decoded = plain(&jpeg).unwrap();
    assert_eq!(repairs(&decoded), "grey");
    assert!(decoded.rgb.chunks(3).all(|rgb| rgb[0] == rgb[1] && rgb[1] == rgb[2]));

    // One colour, as inks: 255·(1-c)·(1-k). turbojpeg writes YCCK with an Adobe segment, whose inks are inverted.
    let inks = [200u8, 100, 50, 220].repeat(16 * 16);
    let image = turbojpeg::Image {
        pixels: inks.as_slice(),
        width: 16,
        pitch: 64,
        height: 16,
        format: turbojpeg::PixelFormat::CMYK,
    };
    let jpeg = turbojpeg::compress(image, 100, turbojpeg::Subsamp::None).unwrap();
    let decoded = plain(&jpeg).unwrap();
    assert_eq!(repairs(&decoded), "cmyk,blank");
    let near = |rgb: &[u8], expected: [u8; 3]| {
        rgb.iter().zip(expected).all(|(&found, expected)| found.abs_diff(expected) <= 3)
    };
    assert!(near(&decoded.rgb[..3], [173, 86, 43]), "{:?}", &decoded.rgb[..3]);
}

#[test]
fn profiles_are_ignored_and_reported() {
    let jpeg = with_segment(&jpeg_of(&picture(8, 8), 90), 0xe2, b"ICC_PROFILE\0\x01\x01profile");
    assert_eq!(repairs(&plain(&jpeg).unwrap()), "icc_ignored");
}

#[test]
fn a_jpeg_cut_anywhere_is_an_error() {
    let jpeg = jpeg_of(&picture(64, 64), 80);
    for cut in 2..jpeg.len() - 2 {
        let error = plain(&jpeg[..cut]).unwrap_err();
        assert_eq!(error.reason(), "truncated", "cut at {cut}: {error}");
    }
    let missing_mark = plain(&jpeg[..jpeg.len() - 2]).unwrap_err();
    assert_eq!(missing_mark.reason(), "truncated");
}

#[test]
fn harmless_oddities_are_mended_and_do_not_hide_damage() {
    let jpeg = jpeg_of(&picture(64, 64), 80);
    let whole = plain(&jpeg).unwrap();
    let end = jpeg.len() - 2;
    let padded = [&jpeg[..end], &[0; 40], &jpeg[end..]].concat();
    let stray = [&jpeg[..2], b"stray", &jpeg[2..]].concat();
    let mut version = jpeg.clone();
    assert_eq!(&version[6..11], b"JFIF\0");
    version[11] = 7;
    let scan = jpeg.windows(2).position(|pair| pair == [0xff, 0xda]).unwrap();
    let mut spectrum = jpeg.clone();
    let parameters = scan + 2 + usize::from(jpeg[scan + 3]) - 3;
    assert_eq!(spectrum[parameters..parameters + 3], [0, 63, 0]);
    spectrum[parameters + 1] = 0;
    for (name, odd) in
        [("padded", &padded), ("stray", &stray), ("version", &version), ("spectrum", &spectrum)]
    {
        let mended = plain(odd).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(mended.rgb == whole.rgb, "{name}");
        assert_eq!(repairs(&mended), "markers", "{name}");
        let cut = &odd[..odd.len() - 300];
        assert_eq!(plain(cut).unwrap_err().reason(), "truncated", "{name}");
    }
}

#[test]
fn an_image_without_pixels_is_refused() {
    let image = DynamicImage::ImageRgb8(picture(50, 40));
    let mut gif = encoded(&image, Encoding::Gif);
    gif[8..10].fill(0); // the height of the screen
    let frame = gif.windows(9).position(|at| at == [0x2c, 0, 0, 0, 0, 50, 0, 40, 0]).unwrap();
    gif[frame + 7] = 0;
    assert_eq!(plain(&gif).unwrap_err().reason(), "empty_image");
    let mut png = encoded(&image, Encoding::Png);
    png[16..20].fill(0); // the width, with a checksum that no longer fits
    assert!(plain(&png).is_err());
}

#[test]
fn bombs_are_refused_by_their_header() {
    let limits = DecodeLimits { max_pixels: 1000, ..DecodeLimits::default() };
    let image = DynamicImage::ImageRgb8(picture(50, 40));
    let mut bombs = vec![jpeg_of(&picture(50, 40), 50)];
    for encoding in [Encoding::Png, Encoding::WebP, Encoding::Gif, Encoding::Bmp] {
        bombs.push(encoded(&image, encoding));
    }
    for bomb in bombs {
        let error = decode(&bomb, &limits, None).unwrap_err();
        assert_eq!(error, DecodeError::TooLarge { what: "pixels", value: 2000, limit: 1000 });
        let limits = DecodeLimits { max_side_px: 49, ..DecodeLimits::default() };
        assert_eq!(decode(&bomb, &limits, None).unwrap_err().reason(), "too_large");
        let limits = DecodeLimits { max_bytes: 10, ..DecodeLimits::default() };
        assert_eq!(decode(&bomb, &limits, None).unwrap_err().reason(), "too_large");
    }
    // A JPEG that claims 65,500 x 65,500 pixels.
    let mut jpeg = jpeg_of(&picture(8, 8), 50);
    let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xdc, 0xff, 0xdc]);
    assert_eq!(plain(&jpeg).unwrap_err().reason(), "too_large");
}

#[test]
fn large_jpegs_are_scaled_while_they_are_decoded() {
    let image = picture(1800, 1600);
    let jpeg = jpeg_of(&image, 90);
    let limits = DecodeLimits { largest_side_px: Some(112), ..DecodeLimits::default() };
    let scaled = decode(&jpeg, &limits, None).unwrap();
    assert_eq!((scaled.divisor, scaled.width, scaled.height), (2, 900, 800));
    assert_eq!(scaled.full_size, (1800, 1600));
    let turned = decode(&jpeg, &limits, Some(Orientation::Rotate90)).unwrap();
    assert_eq!((turned.width, turned.full_size), (800, (1600, 1800)));
    let full = plain(&jpeg).unwrap();
    let plan = plan("112:rgb8-square");
    let small =
        |decoded| render(decoded, &jpeg, &plan, &mut Scratch::new()).unwrap().remove(0).bytes;
    let ratio = psnr(&small(&scaled), &small(&full));
    assert!(ratio > 48.0, "{ratio} dB");
}

fn plan(columns: &str) -> RenderPlan {
    let columns: Vec<_> = columns.split(' ').map(|column| column.parse().unwrap()).collect();
    RenderPlan::new(&columns, RenderOptions::default()).unwrap()
}

fn rendered(decoded: &Decoded, source: &[u8], columns: &str) -> Vec<StoredImage> {
    render(decoded, source, &plan(columns), &mut Scratch::new()).unwrap()
}

#[test]
fn columns_have_the_sizes_that_they_promise() {
    let jpeg = jpeg_of(&picture(300, 200), 95);
    let decoded = plain(&jpeg).unwrap();
    let columns = "64:rgb8-square 100:rgb8 224:rgb8-square 256:rgb8 100:jpeg 256:jpeg";
    let images = rendered(&decoded, &jpeg, columns);
    let sizes: Vec<_> = images.iter().map(|image| (image.width, image.height)).collect();
    assert_eq!(sizes, [(64, 64), (150, 100), (224, 224), (300, 200), (150, 100), (300, 200)]);
    for image in &images[..4] {
        assert_eq!(image.bytes.len(), usize::from(image.width) * usize::from(image.height) * 3);
    }
    assert!(images[3].bytes == decoded.rgb, "nothing to do: the pixels are copied");
    assert!(images[5].bytes == jpeg, "nothing to do: the source passes through");
    let smaller = plain(&images[4].bytes).unwrap();
    assert_eq!((smaller.width, smaller.height), (150, 100));
    assert!(psnr(&smaller.rgb, &images[1].bytes) > 38.0);
}

#[test]
fn a_jpeg_passes_through_only_where_nothing_was_done_to_it() {
    let jpeg = jpeg_of(&picture(120, 100), 95);
    let passes = |source: &[u8], hint| {
        let decoded = decode(source, &DecodeLimits::default(), hint).unwrap();
        rendered(&decoded, source, "100:jpeg")[0].bytes == source
    };
    assert!(passes(&jpeg, None));
    assert!(passes(&with_segment(&jpeg, 0xe2, b"ICC_PROFILE\0\x01\x01x"), None));
    assert!(!passes(&jpeg, Some(Orientation::Rotate90)));
    assert!(!passes(&[&jpeg[..2], b"stray", &jpeg[2..]].concat(), None));
    assert!(!passes(&encoded(&DynamicImage::ImageRgb8(picture(120, 100)), Encoding::Png), None));
    let wide = jpeg_of(&picture(400, 100), 95);
    assert!(!passes(&wide, None), "its aspect ratio is beyond the cap");
}

#[test]
fn small_sizes_from_the_largest_are_as_good_as_from_the_source() {
    for (width, height) in [(256, 256), (512, 384), (341, 256)] {
        let jpeg = jpeg_of(&picture(width, height), 92);
        let decoded = plain(&jpeg).unwrap();
        let together =
            rendered(&decoded, &jpeg, "64:rgb8-square 84:rgb8-square 112:rgb8-square 224:rgb8");
        for (image, column) in
            together.iter().zip(["64:rgb8-square", "84:rgb8-square", "112:rgb8-square", "224:rgb8"])
        {
            let alone = rendered(&decoded, &jpeg, column).remove(0);
            let ratio = psnr(&image.bytes, &alone.bytes);
            assert!(ratio > 45.0, "{column} of {width}x{height}: {ratio} dB");
        }
    }
}

#[test]
fn the_order_of_columns_changes_nothing_but_the_order() {
    let jpeg = jpeg_of(&picture(400, 300), 92);
    let decoded = plain(&jpeg).unwrap();
    let one = rendered(&decoded, &jpeg, "64:rgb8-square 224:rgb8-square 178:rgb8");
    let other = rendered(&decoded, &jpeg, "178:rgb8 64:rgb8-square 224:rgb8-square");
    assert!(one[0] == other[1] && one[1] == other[2] && one[2] == other[0]);
    let mut scratch = Scratch::new();
    for columns in ["300:jpeg 32:jpeg", "64:rgb8-square 224:rgb8-square 178:rgb8"] {
        render(&decoded, &jpeg, &plan(columns), &mut scratch).unwrap();
    }
    let reused =
        render(&decoded, &jpeg, &plan("64:rgb8-square 224:rgb8-square 178:rgb8"), &mut scratch);
    assert!(reused.unwrap() == one, "buffers leave no trace");
}

#[test]
fn options_are_checked() {
    let columns = ["64:rgb8".parse().unwrap()];
    let quality = |jpeg_quality| RenderOptions { jpeg_quality, ..RenderOptions::default() };
    let aspect = |max_aspect| RenderOptions { max_aspect, ..RenderOptions::default() };
    for options in [quality(0), quality(101), aspect(0.9), aspect(f64::NAN), aspect(61.0)] {
        assert!(RenderPlan::new(&columns, options).is_err(), "{options:?}");
    }
    assert_eq!(plan("64:rgb8 224:rgb8-square").largest_side(), Some(224));
}

proptest! {
    #[test]
    fn broken_images_are_errors_or_whole_never_a_panic(
        which in 0usize..5,
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 0..8),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let image = picture(37, 29);
        let encoding = [Encoding::Png, Encoding::WebP, Encoding::Gif, Encoding::Bmp];
        let mut bytes = match which {
            4 => jpeg_of(&image, 70),
            _ => encoded(&DynamicImage::ImageRgb8(image), encoding[which]),
        };
        for (place, flip) in flips {
            let at = place.index(bytes.len());
            bytes[at] ^= flip;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let limits = DecodeLimits { max_pixels: 100_000, ..DecodeLimits::default() };
        if let Ok(decoded) = decode(&bytes, &limits, None) {
            let pixels = u64::from(decoded.width) * u64::from(decoded.height);
            prop_assert!(pixels > 0 && pixels <= 100_000);
            prop_assert_eq!(decoded.rgb.len() as u64, pixels * 3);
            let images = rendered(&decoded, &bytes, "16:rgb8-square 24:rgb8 24:jpeg");
            prop_assert_eq!(images.len(), 3);
        }
    }

    #[test]
    fn any_size_renders_to_any_column(
        width in 1u32..300, height in 1u32..300, side in 1u32..300, second in 1u32..300,
    ) {
        let (format, repairs) = (ImageFormat::Png, Repairs::default());
        let rgb = picture(width, height).into_raw();
        let full_size = (width, height);
        let decoded = Decoded { width, height, rgb, format, repairs, divisor: 1, full_size, starts_beyond: (false, false) };
        let columns = format!("{side}:rgb8-square {side}:rgb8 {second}:rgb8 {second}:rgb8-square");
        if side != second {
            let images = rendered(&decoded, &[], &columns);
            prop_assert_eq!(u32::from(images[0].width), side);
            prop_assert_eq!(u32::from(images[3].height), second);
        }
    }
}

/// Our verdict on a file of the robust set.
fn verdict(bytes: &[u8]) -> String {
    match plain(bytes) {
        Ok(decoded) => format!("ok {}x{} {}", decoded.width, decoded.height, decoded.repairs),
        Err(error) => format!("{}: {error}", error.reason()),
    }
}

#[test]
fn the_robust_set_gets_pillows_verdict_or_an_explained_one() {
    let folder = shared().join("data/robust");
    let Ok(manifest) = std::fs::read_to_string(folder.join("manifest.jsonl")) else {
        println!("skipped: {} is not there (set CLIPA_SHARED)", folder.display());
        return;
    };
    let explained: BTreeMap<&str, &str> = BTreeMap::from(EXPLAINED);
    let (mut files, mut wrong) = (0, Vec::new());
    for line in manifest.lines() {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        let file = entry["file"].as_str().unwrap();
        let ours = verdict(&std::fs::read(folder.join(file)).unwrap());
        files += 1;
        println!("{file}: {ours}");
        if let Some(expected) = explained.get(file) {
            wrong.extend((!ours.starts_with(expected)).then(|| format!("{file}: {ours}")));
        } else if entry["pillow"] == "ok" {
            let (mut width, mut height) = (entry["width"].as_u64(), entry["height"].as_u64());
            if entry["exif_orientation"].as_u64().is_some_and(|orientation| orientation >= 5) {
                std::mem::swap(&mut width, &mut height);
            }
            let size = format!("ok {}x{} ", width.unwrap(), height.unwrap());
            wrong.extend((!ours.starts_with(&size)).then(|| format!("{file}: {ours}, not {size}")));
        } else if ours.starts_with("ok") {
            wrong.push(format!("{file}: {ours}, Pillow says {}", entry["error"]));
        }
    }
    assert_eq!(wrong, [""; 0]);
    assert_eq!(files, 82);
}

/// Files on which we differ from Pillow, and our verdict.
const EXPLAINED: [(&str, &str); 2] = [
    // A text chunk that unpacks to gigabytes: it is never unpacked, and the one pixel is whole.
    ("pillow/png_decompression_dos.png", "ok 1x1 grey"),
    // A colour profile that no one can unpack: it would be ignored anyway.
    ("pillow/unknown_compression_method.png", "ok 57x57 "),
];
