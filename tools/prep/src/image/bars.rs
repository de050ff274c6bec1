//! The size of what an image shows, without the white bars that made it a square.

use super::Decoded;

/// Darkest level of a bar. A JPEG's ringing beside the content is darker, and counts as content.
const WHITE_LEVEL: u8 = 250;

/// How far ringing carries the content into a bar, in pixels of the file.
const RINGING_PX: u32 = 16;

/// Width and height in pixels of the file, without bars above and below or left and right. A square with white along
/// two opposite sides, equally wide, and not along the others, is what img2dataset's `border` mode leaves of an oblong
/// image; where its size on the web is known there is no need to look.
pub fn content_size(picture: &Decoded) -> (u32, u32) {
    let (full_width, full_height) = picture.full_size;
    let (width, height) = (picture.width as usize, picture.height as usize);
    if full_width != full_height || width == 0 || height == 0 {
        return picture.full_size;
    }
    let is_white = |x: usize, y: usize| {
        let at = 3 * (y * width + x);
        picture.rgb[at..at + 3].iter().all(|&level| level >= WHITE_LEVEL)
    };
    let rows = white_ends(height, |y| (0..width).all(|x| is_white(x, y)));
    let columns = white_ends(width, |x| (0..height).all(|y| is_white(x, y)));
    // the wider of the two: the other one is covered by ringing
    let without = |(one, other): (usize, usize), side: usize| {
        let scale = f64::from(full_width) / side as f64;
        let bars = 2.0 * one.max(other) as f64 * scale;
        let is_even = one.abs_diff(other) as f64 * scale <= f64::from(RINGING_PX);
        let content = f64::from(full_width) - bars;
        (is_even && content >= 1.0).then_some(content.round() as u32)
    };
    match (rows, columns) {
        ((0, 0), (0, 0)) => picture.full_size,
        (rows, (0, 0)) => (full_width, without(rows, height).unwrap_or(full_height)),
        ((0, 0), columns) => (without(columns, width).unwrap_or(full_width), full_height),
        _ => picture.full_size,
    }
}

/// White lines before the first other one, and behind the last; nothing where all are white.
fn white_ends(lines: usize, is_white: impl Fn(usize) -> bool) -> (usize, usize) {
    match (0..lines).find(|&line| !is_white(line)) {
        Some(first) => (first, (0..lines).rev().take_while(|&line| is_white(line)).count()),
        None => (0, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{ImageFormat, Repairs};

    /// A picture of grey with white where `is_bar` says so.
    fn picture(width: u32, height: u32, is_bar: impl Fn(u32, u32) -> bool) -> Decoded {
        let level = |x, y| if is_bar(x, y) { 255 } else { 90 };
        let pixels = (0..height).flat_map(move |y| (0..width).map(move |x| (x, y)));
        Decoded {
            width,
            height,
            full_size: (width, height),
            rgb: pixels.flat_map(|(x, y)| [level(x, y); 3]).collect(),
            format: ImageFormat::Png,
            repairs: Repairs::default(),
            divisor: 1,
            starts_beyond: (false, false),
        }
    }

    #[test]
    fn bars_on_two_sides_are_left_out_and_a_white_ground_is_not() {
        let size = |is_bar: &dyn Fn(u32, u32) -> bool| content_size(&picture(64, 64, is_bar));
        assert_eq!(size(&|_, y| !(29..35).contains(&y)), (64, 6));
        assert_eq!(size(&|x, _| !(10..54).contains(&x)), (44, 64));
        assert_eq!(size(&|_, _| false), (64, 64));
        assert_eq!(size(&|_, _| true), (64, 64), "white all over");
        let on_ground = |x: u32, y: u32| !(20..40).contains(&x) || !(20..44).contains(&y);
        assert_eq!(size(&on_ground), (64, 64), "a thing on white ground");
        assert_eq!(size(&|_, y| y > 30), (64, 64), "white on one side only");
        let oblong = picture(64, 40, |_, y| !(10..30).contains(&y));
        assert_eq!(content_size(&oblong), (64, 40));
        let mut scaled = picture(64, 64, |_, y| !(24..40).contains(&y));
        scaled.full_size = (256, 256);
        assert_eq!(content_size(&scaled), (256, 64));
    }
}
