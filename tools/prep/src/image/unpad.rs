//! The white bars of img2dataset's `border` mode, and how to cut them off without loss.
//!
//! That mode (the default, and so that of LAION-400M as published) scales the long side to `image_size` and pads
//! to a square with white, the content in the middle. The size on the web is in the sidecar, so the content box
//! follows by the same arithmetic; only images that really are white around it are cropped (so what goes is white,
//! even where another resize mode made the square).

use super::{Decoded, Repair};

/// How far JPEG blocks carry the content's edge into a bar, in pixels: two blocks, for subsampled colour.
const RINGING_PX: u32 = 16;

/// Darkest level within that distance, and behind it, and the least mean of a bar as a whole. Over 230 photographs of
/// all sizes at qualities 95, 88 and 75 the worst were 154, 255 and 251.9.
const RINGING_LEVEL: u8 = 128;
const WHITE_LEVEL: u8 = 250;
const MEAN_LEVEL: f64 = 250.0;

/// The part of a padded image that is not bar, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentBox {
    /// Columns of bar on the left.
    pub left: u32,
    /// Rows of bar on top.
    pub top: u32,
    /// Width of the content.
    pub width: u32,
    /// Height of the content.
    pub height: u32,
}

impl ContentBox {
    /// The box with `margin` pixels more on each side, as far as the image goes.
    fn grown(&self, margin: u32, width: u32, height: u32) -> ContentBox {
        let (left, top) = (self.left.saturating_sub(margin), self.top.saturating_sub(margin));
        ContentBox {
            left,
            top,
            width: (self.left + self.width + margin).min(width) - left,
            height: (self.top + self.height + margin).min(height) - top,
        }
    }
}

/// Where the content lies in an image of `stored` (width, height) that was padded from `original`; `None` where
/// `border` mode would not have padded: the stored image is no square, or the original is (nearly) one.
pub fn content_box(stored: (u32, u32), original: (u32, u32)) -> Option<ContentBox> {
    let side = stored.0;
    if stored.0 != stored.1 || original.0 == 0 || original.1 == 0 {
        return None;
    }
    let scale = f64::from(side) / f64::from(original.0.max(original.1));
    let scaled = |length: u32| (round_half_even(f64::from(length) * scale) as u32).clamp(1, side);
    let (width, height) = (scaled(original.0), scaled(original.1));
    if width == side && height == side {
        return None;
    }
    Some(ContentBox { left: (side - width) / 2, top: (side - height) / 2, width, height })
}

/// Cuts the bars off, where there are any, and returns whether it did. The image must still lie as it was stored:
/// `original` is the size before EXIF rotation, and follows the image where it was turned.
///
/// A JPEG that was scaled while it was decoded is left alone: its box would no longer be exact. A caller that unpads
/// decodes in full ([`super::DecodeLimits::largest_side_px`] `None`).
pub fn unpad(decoded: &mut Decoded, original: (u32, u32)) -> bool {
    if decoded.divisor != 1 {
        return false;
    }
    // A rotated image has its bars where the rotated original would have them.
    let turned = (original.1, original.0);
    let candidates = if decoded.repairs.contains(Repair::Orientation) {
        [Some(original), Some(turned)]
    } else {
        [Some(original), None]
    };
    let stored = (decoded.width, decoded.height);
    let found = candidates
        .into_iter()
        .flatten()
        .filter_map(|original| content_box(stored, original))
        .find(|content| has_white_bars(decoded, content));
    let Some(content) = found else {
        return false;
    };
    let row_bytes = decoded.width as usize * 3;
    let (left, width) = (content.left as usize * 3, content.width as usize * 3);
    let rows = decoded.rgb.chunks_exact(row_bytes);
    let rows = rows.skip(content.top as usize).take(content.height as usize);
    decoded.rgb = rows.flat_map(|row| &row[left..left + width]).copied().collect();
    (decoded.width, decoded.height) = (content.width, content.height);
    decoded.full_size = (content.width, content.height);
    decoded.repairs.insert(Repair::Border);
    true
}

/// True where everything around the content is white.
fn has_white_bars(decoded: &Decoded, content: &ContentBox) -> bool {
    let row_bytes = decoded.width as usize * 3;
    let near = content.grown(RINGING_PX, decoded.width, decoded.height);
    let (mut sum, mut count) = (0u64, 0u64);
    for (y, row) in (0u32..).zip(decoded.rgb.chunks_exact(row_bytes)) {
        for (levels, darkest) in
            [(around(row, y, content), RINGING_LEVEL), (around(row, y, &near), WHITE_LEVEL)]
        {
            if levels.iter().copied().flatten().any(|&level| level < darkest) {
                return false;
            }
        }
        for bar in around(row, y, content) {
            sum += bar.iter().map(|&level| u64::from(level)).sum::<u64>();
            count += bar.len() as u64;
        }
    }
    count > 0 && sum as f64 >= MEAN_LEVEL * count as f64
}

/// The parts of row `y` that lie outside of a box.
fn around<'r>(row: &'r [u8], y: u32, inside: &ContentBox) -> [&'r [u8]; 2] {
    if !(inside.top..inside.top + inside.height).contains(&y) {
        return [row, &[]];
    }
    let (left, right) = (inside.left as usize * 3, (inside.left + inside.width) as usize * 3);
    [&row[..left], &row[right..]]
}

/// Python's rounding, which albumentations uses for the scaled size.
fn round_half_even(value: f64) -> f64 {
    value.round_ties_even()
}

#[cfg(test)]
mod tests {
    use super::super::{ImageFormat, Repairs};
    use super::*;

    /// A 256² image, white but for a grey content box.
    fn padded(content: ContentBox, corner: u8, ring: u8) -> Decoded {
        let mut rgb = vec![255; 256 * 256 * 3];
        for y in content.top..content.top + content.height {
            for x in content.left..content.left + content.width {
                let at = (y as usize * 256 + x as usize) * 3;
                rgb[at..at + 3].fill(90);
            }
        }
        // One pixel in the corner and one beside the content.
        rgb[0] = corner;
        let beside = (content.top.saturating_sub(1) as usize * 256 + content.left as usize) * 3;
        rgb[beside] = ring;
        let (format, repairs) = (ImageFormat::Jpeg, Repairs::default());
        let full_size = (256, 256);
        Decoded {
            width: 256,
            height: 256,
            rgb,
            format,
            repairs,
            divisor: 1,
            full_size,
            starts_beyond: (false, false),
        }
    }

    #[test]
    fn the_box_follows_from_the_original_size() {
        let bars = ContentBox { left: 0, top: 56, width: 256, height: 144 };
        assert_eq!(content_box((256, 256), (800, 450)), Some(bars));
        let bars = ContentBox { left: 42, top: 0, width: 171, height: 256 };
        assert_eq!(content_box((256, 256), (400, 600)), Some(bars));
        assert_eq!(content_box((256, 256), (500, 500)), None);
        assert_eq!(content_box((256, 200), (800, 450)), None);
        assert_eq!(content_box((256, 256), (0, 450)), None);
        let line = content_box((256, 256), (100_000, 1)).unwrap();
        assert_eq!((line.width, line.height), (256, 1));
    }

    #[test]
    fn white_bars_are_cut_off_and_only_the_content_stays() {
        let content = content_box((256, 256), (800, 450)).unwrap();
        let mut image = padded(content, 252, 160);
        assert!(unpad(&mut image, (800, 450)));
        assert_eq!((image.width, image.height), (256, 144));
        assert_eq!(image.rgb.len(), 256 * 144 * 3);
        assert!(image.rgb.iter().all(|&level| level == 90), "nothing of the bars");
        assert!(image.repairs.contains(Repair::Border));
        assert!(!unpad(&mut image, (800, 450)), "nothing is left to cut");
    }

    #[test]
    fn an_image_that_is_not_white_there_is_left_alone() {
        let content = content_box((256, 256), (800, 450)).unwrap();
        let mut image = padded(content, 240, 255);
        assert!(!unpad(&mut image, (800, 450)));
        let mut image = padded(content, 255, 100);
        assert!(!unpad(&mut image, (800, 450)), "too dark for ringing");
        let mut image = padded(ContentBox { left: 0, top: 0, width: 256, height: 256 }, 90, 90);
        assert!(!unpad(&mut image, (800, 450)));
        assert!(image.repairs.is_empty());
    }

    #[test]
    fn a_rotated_image_has_its_bars_at_the_other_sides() {
        let content = content_box((256, 256), (450, 800)).unwrap();
        let mut image = padded(content, 255, 255);
        assert!(!unpad(&mut image, (800, 450)), "it was not rotated");
        image.repairs.insert(Repair::Orientation);
        assert!(unpad(&mut image, (800, 450)));
        assert_eq!((image.width, image.height), (144, 256));
    }
}
