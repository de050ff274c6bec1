//! The white bars of img2dataset's `border` mode, and how to cut them off without loss.
//!
//! That mode (the default, and so that of LAION-400M as published) scales the long side to `image_size` and pads
//! to a square with white, the content in the middle. The size on the web is in the sidecar, so the content box
//! follows by the same arithmetic; only images that really are white around it are cropped.

use super::{Decoded, Repair};

/// Darkest level of a pixel that counts as the white of a bar, and the mean level that a whole bar must have.
/// JPEG rings within 8-16 pixels of an edge, so single pixels may be far from white.
const BAR_PIXEL_LEVEL: u8 = 192;
const BAR_MEAN_LEVEL: f64 = 250.0;

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

/// Cuts the bars off, where there are any; true where it did. The image must still lie as it was stored: `original`
/// is the size before EXIF rotation, and follows the image where it was turned.
pub fn unpad(decoded: &mut Decoded, original: (u32, u32)) -> bool {
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
    decoded.repairs.insert(Repair::Border);
    true
}

/// True where everything around the content is white.
fn has_white_bars(decoded: &Decoded, content: &ContentBox) -> bool {
    let row_bytes = decoded.width as usize * 3;
    let content_rows = content.top..content.top + content.height;
    let (left, right) = (content.left as usize * 3, (content.left + content.width) as usize * 3);
    let (mut sum, mut count, mut darkest) = (0u64, 0u64, u8::MAX);
    for (y, row) in (0u32..).zip(decoded.rgb.chunks_exact(row_bytes)) {
        let bars =
            if content_rows.contains(&y) { [&row[..left], &row[right..]] } else { [row, &[]] };
        for &level in bars.into_iter().flatten() {
            sum += u64::from(level);
            count += 1;
            darkest = darkest.min(level);
        }
    }
    count > 0 && darkest >= BAR_PIXEL_LEVEL && sum as f64 >= BAR_MEAN_LEVEL * count as f64
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
    fn padded(content: ContentBox, ring: u8) -> Decoded {
        let mut rgb = vec![255; 256 * 256 * 3];
        for y in content.top..content.top + content.height {
            for x in content.left..content.left + content.width {
                let at = (y as usize * 256 + x as usize) * 3;
                rgb[at..at + 3].fill(90);
            }
        }
        rgb[0] = ring;
        let (format, repairs) = (ImageFormat::Jpeg, Repairs::default());
        Decoded { width: 256, height: 256, rgb, format, repairs, divisor: 1 }
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
        let mut image = padded(content, 230);
        assert!(unpad(&mut image, (800, 450)));
        assert_eq!((image.width, image.height), (256, 144));
        assert_eq!(image.rgb.len(), 256 * 144 * 3);
        assert!(image.rgb.iter().all(|&level| level == 90));
        assert!(image.repairs.contains(Repair::Border));
        assert!(!unpad(&mut image, (800, 450)), "nothing is left to cut");
    }

    #[test]
    fn an_image_that_is_not_white_there_is_left_alone() {
        let content = content_box((256, 256), (800, 450)).unwrap();
        let mut image = padded(content, 100);
        assert!(!unpad(&mut image, (800, 450)));
        let mut image = padded(ContentBox { left: 0, top: 0, width: 256, height: 256 }, 90);
        assert!(!unpad(&mut image, (800, 450)));
        assert!(image.repairs.is_empty());
    }

    #[test]
    fn a_rotated_image_has_its_bars_at_the_other_sides() {
        let content = content_box((256, 256), (450, 800)).unwrap();
        let mut image = padded(content, 255);
        assert!(!unpad(&mut image, (800, 450)), "it was not rotated");
        image.repairs.insert(Repair::Orientation);
        assert!(unpad(&mut image, (800, 450)));
        assert_eq!((image.width, image.height), (144, 256));
    }
}
