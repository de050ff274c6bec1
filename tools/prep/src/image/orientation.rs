//! EXIF orientation: how the stored rows must be turned to be upright.

/// The eight orientations of EXIF tag 0x0112, named by what has to be done to the stored pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Orientation {
    /// 1: nothing.
    Upright = 1,
    /// 2: mirror left and right.
    FlipHorizontal = 2,
    /// 3: rotate by 180°.
    Rotate180 = 3,
    /// 4: mirror top and bottom.
    FlipVertical = 4,
    /// 5: mirror along the main diagonal.
    Transpose = 5,
    /// 6: rotate by 90° clockwise.
    Rotate90 = 6,
    /// 7: mirror along the other diagonal.
    Transverse = 7,
    /// 8: rotate by 90° counter-clockwise.
    Rotate270 = 8,
}

impl Orientation {
    /// The orientation of an EXIF value; `None` beyond 1..=8 (0 is common, and means nothing).
    pub fn from_exif(value: u32) -> Option<Orientation> {
        Some(match value {
            1 => Orientation::Upright,
            2 => Orientation::FlipHorizontal,
            3 => Orientation::Rotate180,
            4 => Orientation::FlipVertical,
            5 => Orientation::Transpose,
            6 => Orientation::Rotate90,
            7 => Orientation::Transverse,
            8 => Orientation::Rotate270,
            _ => return None,
        })
    }

    /// The EXIF value, 1..=8.
    pub fn exif(self) -> u32 {
        self as u32
    }

    /// True where width and height change places.
    pub fn swaps_sides(self) -> bool {
        self.exif() >= 5
    }

    /// Whether what was at the right or lower end of the file is at the left of the upright image; and whether at its top.
    pub(super) fn moves_end_to_start(self) -> (bool, bool) {
        match self {
            Orientation::Upright | Orientation::Transpose => (false, false),
            Orientation::FlipHorizontal | Orientation::Rotate90 => (true, false),
            Orientation::FlipVertical | Orientation::Rotate270 => (false, true),
            Orientation::Rotate180 | Orientation::Transverse => (true, true),
        }
    }

    /// Turns RGB rows upright; returns the new rows, width and height.
    pub(super) fn apply(self, rgb: Vec<u8>, width: u32, height: u32) -> (Vec<u8>, u32, u32) {
        let (w, h) = (width as usize, height as usize);
        // Offset in the source of the pixel at the top left, and the steps right and down, in pixels.
        let (row_step, pixel_step) = (w as isize, 1isize);
        let last_row = (h.saturating_sub(1) * w) as isize;
        let last_column = w.saturating_sub(1) as isize;
        let (origin, right, down) = match self {
            Orientation::Upright => return (rgb, width, height),
            Orientation::FlipHorizontal => (last_column, -pixel_step, row_step),
            Orientation::Rotate180 => (last_row + last_column, -pixel_step, -row_step),
            Orientation::FlipVertical => (last_row, pixel_step, -row_step),
            Orientation::Transpose => (0, row_step, pixel_step),
            Orientation::Rotate90 => (last_row, -row_step, pixel_step),
            Orientation::Transverse => (last_row + last_column, -row_step, -pixel_step),
            Orientation::Rotate270 => (last_column, row_step, -pixel_step),
        };
        let (out_width, out_height) = if self.swaps_sides() { (h, w) } else { (w, h) };
        let mut turned = Vec::with_capacity(rgb.len());
        for y in 0..out_height as isize {
            let row = origin + y * down;
            for x in 0..out_width as isize {
                let from = 3 * (row + x * right) as usize;
                turned.extend_from_slice(&rgb[from..from + 3]);
            }
        }
        (turned, out_width as u32, out_height as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pixels `a b c / d e f`, upright as the letters are read.
    fn turned(orientation: Orientation) -> (String, u32, u32) {
        let rgb = b"abcdef".iter().flat_map(|&letter| [letter; 3]).collect();
        let (rgb, width, height) = orientation.apply(rgb, 3, 2);
        (rgb.chunks(3).map(|pixel| char::from(pixel[1])).collect(), width, height)
    }

    #[test]
    fn every_orientation_is_undone() {
        // What a viewer shows for a stored abc/def, row 0 and column 0 as EXIF 2.3 figure 4.6.4.A defines them.
        for (value, letters, width, height) in [
            (1, "abcdef", 3, 2),
            (2, "cbafed", 3, 2),
            (3, "fedcba", 3, 2),
            (4, "defabc", 3, 2),
            (5, "adbecf", 2, 3),
            (6, "daebfc", 2, 3),
            (7, "fcebda", 2, 3),
            (8, "cfbead", 2, 3),
        ] {
            let orientation = Orientation::from_exif(value).unwrap();
            assert_eq!(turned(orientation), (letters.to_owned(), width, height), "{value}");
            assert_eq!(orientation.exif(), value);
        }
        assert_eq!(Orientation::from_exif(0), None);
        assert_eq!(Orientation::from_exif(9), None);
    }
}
