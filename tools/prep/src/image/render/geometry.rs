//! Which part of the source a column shows, and at what size.

use clipa_schemas::image_column::{ImageColumn, ImageEncoding};

use super::super::Decoded;

/// A rectangle in pixels of some image, with fractions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Frame {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// A part of the source and the size at which it is stored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Picture {
    /// What is shown, in pixels of the source.
    pub(super) frame: Frame,
    /// Stored width in pixels.
    pub(super) width: u32,
    /// Stored height in pixels.
    pub(super) height: u32,
}

impl Picture {
    /// What `column` shows of a source of this size.
    pub(super) fn of(column: ImageColumn, width: u32, height: u32, max_aspect: f64) -> Picture {
        let side = column.side;
        let short = width.min(height);
        if column.encoding == ImageEncoding::Rgb8Square {
            return Picture {
                frame: centred(width, height, short, short),
                width: side,
                height: side,
            };
        }
        // Whole pixels: an image that is not resized must be copied, not interpolated.
        let longest = (f64::from(short) * max_aspect).floor() as u32;
        let (shown_width, shown_height) = (width.min(longest), height.min(longest));
        let frame = centred(width, height, shown_width, shown_height);
        if short <= side {
            return Picture { frame, width: shown_width, height: shown_height };
        }
        let scale = f64::from(side) / f64::from(short);
        let scaled = |length: u32| ((f64::from(length) * scale).round() as u32).max(1);
        Picture { frame, width: scaled(shown_width), height: scaled(shown_height) }
    }

    /// The shorter of the stored sides.
    pub(super) fn short_side(&self) -> u32 {
        self.width.min(self.height)
    }

    /// True where all of `other` can be seen in this picture.
    pub(super) fn shows(&self, other: &Picture) -> bool {
        let (mine, theirs) = (self.frame, other.frame);
        mine.left <= theirs.left
            && mine.top <= theirs.top
            && theirs.left + theirs.width <= mine.left + mine.width
            && theirs.top + theirs.height <= mine.top + mine.height
    }

    /// Where `frame` (of the source) lies within this picture, in its stored pixels.
    pub(super) fn locate(&self, frame: Frame) -> Frame {
        let (stored_width, stored_height) = (f64::from(self.width), f64::from(self.height));
        let (right, down) = (stored_width / self.frame.width, stored_height / self.frame.height);
        let left = ((frame.left - self.frame.left) * right).clamp(0.0, stored_width);
        let top = ((frame.top - self.frame.top) * down).clamp(0.0, stored_height);
        Frame {
            left,
            top,
            // Rounding must not push the frame beyond the edge.
            width: (frame.width * right).min(stored_width - left),
            height: (frame.height * down).min(stored_height - top),
        }
    }
}

/// The source as it was decoded: at a half or a quarter of its size, with the last column and row partly beyond it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scaled {
    divisor: f64,
    /// Width and height in decoded pixels.
    size: (f64, f64),
    /// Where the source begins, in decoded pixels.
    start: (f64, f64),
}

impl Scaled {
    /// How an image was decoded.
    pub(super) fn of(decoded: &Decoded) -> Scaled {
        let divisor = f64::from(decoded.divisor);
        let size = (f64::from(decoded.width), f64::from(decoded.height));
        let beyond = |decoded: f64, full: u32| decoded - f64::from(full) / divisor;
        let (full_width, full_height) = decoded.full_size;
        let (at_left, at_top) = decoded.starts_beyond;
        let left = if at_left { beyond(size.0, full_width) } else { 0.0 };
        let top = if at_top { beyond(size.1, full_height) } else { 0.0 };
        Scaled { divisor, size, start: (left, top) }
    }

    /// Where `frame` (of the source) lies in the decoded pixels.
    pub(super) fn locate(&self, frame: Frame) -> Frame {
        let (left, top) =
            (self.start.0 + frame.left / self.divisor, self.start.1 + frame.top / self.divisor);
        Frame {
            left,
            top,
            // Rounding must not push the frame beyond the edge.
            width: (frame.width / self.divisor).min(self.size.0 - left),
            height: (frame.height / self.divisor).min(self.size.1 - top),
        }
    }
}

/// The middle of an image; half pixels go to the left and top.
fn centred(width: u32, height: u32, shown_width: u32, shown_height: u32) -> Frame {
    Frame {
        left: f64::from((width - shown_width) / 2),
        top: f64::from((height - shown_height) / 2),
        width: f64::from(shown_width),
        height: f64::from(shown_height),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Left, top, width and height of what is shown; then the stored width and height.
    type Expected = ([f64; 4], [u32; 2]);

    fn assert_shows(column: &str, source: [u32; 2], (shown, stored): Expected) {
        let found = Picture::of(column.parse().unwrap(), source[0], source[1], 3.0);
        let Frame { left, top, width, height } = found.frame;
        assert_eq!([left, top, width, height], shown, "{column} of {source:?}");
        assert_eq!([found.width, found.height], stored, "{column} of {source:?}");
    }

    #[test]
    fn squares_show_the_middle_at_any_size() {
        let square = "112:rgb8-square";
        assert_shows(square, [400, 301], ([49.0, 0.0, 301.0, 301.0], [112, 112]));
        // Small ones are up-scaled.
        assert_shows(square, [10, 20], ([0.0, 5.0, 10.0, 10.0], [112, 112]));
    }

    #[test]
    fn aspect_is_kept_up_to_the_cap_and_nothing_is_up_scaled() {
        assert_shows("100:rgb8", [400, 200], ([0.0, 0.0, 400.0, 200.0], [200, 100]));
        assert_shows("100:rgb8", [200, 1000], ([0.0, 200.0, 200.0, 600.0], [100, 300]));
        assert_shows("100:jpeg", [80, 1000], ([0.0, 380.0, 80.0, 240.0], [80, 240]));
    }

    proptest! {
        #[test]
        fn pictures_lie_within_the_source_and_keep_their_promises(
            width in 1u32..5000, height in 1u32..5000, side in 1u32..1024, square: bool, aspect in 1.0f64..60.0,
        ) {
            let encoding = if square { "rgb8-square" } else { "rgb8" };
            let column: ImageColumn = format!("{side}:{encoding}").parse().unwrap();
            let found = Picture::of(column, width, height, aspect);
            let Frame { left, top, width: shown_width, height: shown_height } = found.frame;
            prop_assert!(left >= 0.0 && top >= 0.0 && shown_width >= 1.0 && shown_height >= 1.0);
            prop_assert!(left + shown_width <= f64::from(width) && top + shown_height <= f64::from(height));
            prop_assert!(found.width.max(found.height) <= u32::from(u16::MAX));
            let short = found.width.min(found.height);
            if square {
                prop_assert_eq!((found.width, found.height), (side, side));
            } else {
                prop_assert_eq!(short, side.min(width.min(height)));
                let cap = (f64::from(short) * aspect).round() + 1.0;
                prop_assert!(f64::from(found.width.max(found.height)) <= cap);
            }
        }
    }
}
