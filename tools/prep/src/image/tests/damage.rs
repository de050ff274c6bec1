//! Damage that is none, and damage that looks like none.

use image::{DynamicImage, ImageFormat as Encoding, Rgb, RgbImage};

use super::{super::*, encoded, jpeg_of, picture, plain, repairs};

/// Bits of entropy-coded data, stuffed.
#[derive(Default)]
struct Written {
    bytes: Vec<u8>,
    buffer: u32,
    count: u32,
}

impl Written {
    fn bits(&mut self, bits: u32, count: u32) {
        for place in (0..count).rev() {
            self.buffer = self.buffer << 1 | (bits >> place & 1);
            self.count += 1;
            if self.count == 8 {
                self.bytes.push(self.buffer as u8);
                if self.buffer as u8 == 0xff {
                    self.bytes.push(0);
                }
                (self.buffer, self.count) = (0, 0);
            }
        }
    }

    /// A coefficient of this size in bits, as T.81 F.1.2.1 writes it.
    fn coefficient(&mut self, value: i32, size: u32) {
        let value = if value < 0 { value + (1 << size) - 1 } else { value };
        self.bits(value as u32, size);
    }

    /// Fills the last byte with ones.
    fn align(&mut self) {
        while self.count != 0 {
            self.bits(1, 1);
        }
    }
}

fn size_of(value: i32) -> u32 {
    32 - value.unsigned_abs().leading_zeros()
}

/// A grey baseline JPEG of `blocks` × `blocks` blocks with a restart marker after every second one. turbojpeg writes none.
///
/// Its tables have a code of four bits for each size of DC, and for AC the end of a block and one coefficient of each size.
fn with_restarts(blocks: u16) -> Vec<u8> {
    let segment = |marker: u8, payload: &[u8]| {
        [&[0xff, marker][..], &(payload.len() as u16 + 2).to_be_bytes(), payload].concat()
    };
    let side = (blocks * 8).to_be_bytes();
    let mut counts = [0u8; 16];
    counts[3] = 12;
    let dc = [&[0x00][..], &counts, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]].concat();
    let ac = [&[0x10][..], &counts, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0xf0]].concat();
    let mut jpeg = [
        &[0xff, 0xd8][..],
        &segment(0xdb, &[&[0][..], &[1; 64]].concat()),
        &segment(0xc0, &[8, side[0], side[1], side[0], side[1], 1, 1, 0x11, 0]),
        &segment(0xc4, &dc),
        &segment(0xc4, &ac),
        &segment(0xdd, &[0, 2]),
        &segment(0xda, &[1, 1, 0, 0, 63, 0]),
    ]
    .concat();
    let count = u32::from(blocks) * u32::from(blocks);
    let mut random = clipa_schemas::random::Random::new(7);
    for first in (0..count).step_by(2) {
        let mut written = Written::default();
        let mut before = 0;
        for _ in first..(first + 2).min(count) {
            let level = random.below(800) as i32 - 400;
            let size = size_of(level - before);
            written.bits(size, 4);
            written.coefficient(level - before, size);
            before = level;
            let wave = random.below(200) as i32 - 100;
            if wave != 0 {
                written.bits(size_of(wave), 4);
                written.coefficient(wave, size_of(wave));
            }
            written.bits(0, 4);
        }
        written.align();
        jpeg.extend_from_slice(&written.bytes);
        let is_last = first + 2 >= count;
        jpeg.extend_from_slice(&[0xff, if is_last { 0xd9 } else { 0xd0 + (first / 2 % 8) as u8 }]);
    }
    jpeg
}

/// Places of the restart markers and of the end, in order.
fn markers_in_scan(jpeg: &[u8]) -> Vec<usize> {
    let scan = jpeg.windows(2).position(|pair| pair == [0xff, 0xda]).unwrap();
    let is_marker = |at: &usize| jpeg[*at] == 0xff && matches!(jpeg[at + 1], 0xd0..=0xd7 | 0xd9);
    (scan + 10..jpeg.len() - 1).filter(is_marker).collect()
}

/// The same JPEG with `padding` before each of those markers.
fn padded(jpeg: &[u8], padding: &[u8]) -> Vec<u8> {
    let mut padded = Vec::new();
    let mut from = 0;
    for at in markers_in_scan(jpeg) {
        padded.extend_from_slice(&jpeg[from..at]);
        padded.extend_from_slice(padding);
        from = at;
    }
    padded.extend_from_slice(&jpeg[from..]);
    padded
}

#[test]
fn padding_before_restart_markers_is_taken_out_and_hides_no_damage() {
    let jpeg = with_restarts(9);
    assert!(markers_in_scan(&jpeg).len() > 20);
    let whole = plain(&jpeg).unwrap();
    assert_eq!(repairs(&whole), "grey");
    for padding in [&[0xff, 0][..], &[0; 7], &[0xff, 0, 0xff, 0], &[0, 0xff, 0]] {
        let odd = padded(&jpeg, padding);
        let mended = plain(&odd).unwrap_or_else(|error| panic!("{padding:?}: {error}"));
        assert!(mended.rgb == whole.rgb, "{padding:?}");
        assert_eq!(repairs(&mended), "grey,markers", "{padding:?}");
        // An interval that is gone, one whose codes end early, one that is another's.
        let markers = markers_in_scan(&odd);
        let without = [&odd[..markers[3]], &odd[markers[4]..]].concat();
        let shortened = [&odd[..markers[3] - padding.len() - 3], &odd[markers[3]..]].concat();
        let repeated = [&odd[..markers[4]], &odd[markers[3]..]].concat();
        for (name, damaged) in
            [("without", without), ("shortened", shortened), ("repeated", repeated)]
        {
            assert!(plain(&damaged).is_err(), "{name} with {padding:?}");
        }
    }
    assert!(plain(&padded(&jpeg, b"stray")).is_err(), "what is no padding may be data");
}

#[test]
fn a_png_that_lacks_only_its_end_is_whole() {
    let image = DynamicImage::ImageRgb8(picture(50, 40));
    let png = encoded(&image, Encoding::Png);
    let whole = plain(&png).unwrap();
    let data_at = png.windows(4).position(|kind| kind == b"IDAT").unwrap() - 4;
    let data_end = png.len() - 12;
    for cut in data_end..png.len() {
        let found = plain(&png[..cut]).unwrap_or_else(|error| panic!("{cut}: {error}"));
        assert!(found.rgb == whole.rgb, "{cut}");
        assert_eq!(repairs(&found), "no_end", "{cut}");
    }
    for cut in (data_at..data_end).step_by(7) {
        assert_eq!(plain(&png[..cut]).unwrap_err().reason(), "truncated", "{cut}");
    }
    // The same in pieces, of which some are there: whole chunks, and pixels that are missing.
    let data = &png[data_at + 8..data_end - 4];
    let piece = |bytes: &[u8]| {
        let named = [b"IDAT", bytes].concat();
        let sum = crc32(&named);
        [&(bytes.len() as u32).to_be_bytes()[..], &named, &sum.to_be_bytes()].concat()
    };
    let (first, second) = data.split_at(data.len() / 2);
    let pieces = [&png[..data_at], &piece(first), &piece(second)].concat();
    assert!(plain(&pieces).unwrap().rgb == whole.rgb);
    let half = [&png[..data_at], &piece(first)].concat();
    assert_eq!(plain(&half).unwrap_err().reason(), "truncated");
}

/// The checksum of PNG's chunks (ISO 3309).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| sum >> 1 ^ (0xedb8_8320 * (sum & 1)))
    })
}

#[test]
fn a_webp_that_is_shorter_than_it_says_is_truncated() {
    let webp = encoded(&DynamicImage::ImageRgb8(picture(50, 40)), Encoding::WebP);
    assert!(plain(&webp).is_ok());
    for cut in 21..webp.len() {
        assert_eq!(plain(&webp[..cut]).unwrap_err().reason(), "truncated", "{cut}");
    }
    // A chunk behind the pixels that was cut: libwebp refuses it all the same.
    let mut longer = [&webp[..], b"XMP \x10\0\0\0<x/>"].concat();
    let said = (longer.len() + 12 - 8) as u32;
    longer[4..8].copy_from_slice(&said.to_le_bytes());
    assert_eq!(plain(&longer).unwrap_err().reason(), "truncated");
}

#[test]
fn a_picture_of_one_colour_is_called_blank() {
    let mut image = RgbImage::from_pixel(33, 20, Rgb([200, 10, 30]));
    let blank = |image: &RgbImage| {
        let png = encoded(&DynamicImage::ImageRgb8(image.clone()), Encoding::Png);
        plain(&png).unwrap().repairs.contains(Repair::Blank)
    };
    assert!(blank(&image));
    for (x, y, channel) in [(0, 0, 0), (16, 9, 1), (32, 19, 2)] {
        image.get_pixel_mut(x, y)[channel] += 1;
        assert!(!blank(&image), "{x} {y}");
        image.get_pixel_mut(x, y)[channel] -= 1;
    }
    assert!(plain(&jpeg_of(&image, 90)).unwrap().repairs.contains(Repair::Blank));
}

#[test]
fn the_cases_have_the_right_verdict() {
    let folder = super::shared().join("data/cases");
    let read = |file: &str| std::fs::read(folder.join(file)).unwrap();
    if !folder.is_dir() {
        println!("skipped: {} is not there (set CLIPA_SHARED)", folder.display());
        return;
    }
    let jpeg = plain(&read("jpeg-restart-padding-rejected/mjpeg.jpg")).unwrap();
    let png = plain(&read("jpeg-restart-padding-rejected/mjpeg.png")).unwrap();
    assert_eq!((jpeg.width, jpeg.height), (png.width, png.height));
    let ratio = super::psnr(&jpeg.rgb, &png.rgb);
    assert!(ratio > 50.0, "{ratio} dB between libjpeg-turbo and the reference");
    assert!(jpeg.repairs.contains(Repair::Markers));

    let png = plain(&read("png-without-iend-rejected/no_iend.png")).unwrap();
    assert!(png.repairs.contains(Repair::NoEnd), "{}", png.repairs);

    let truncated = std::fs::read_dir(folder.join("webp-truncated-accepted")).unwrap();
    let mut count = 0;
    for entry in truncated.map(|entry| entry.unwrap().path()) {
        let error = plain(&std::fs::read(&entry).unwrap()).unwrap_err();
        assert_eq!(error.reason(), "truncated", "{}", entry.display());
        count += 1;
    }
    assert_eq!(count, 4);
}
