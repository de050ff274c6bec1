//! A white sheet to lay images and letters on.

use super::{font, pixels::Pixels};

/// Greatest number of pixels of a sheet.
pub const MAX_PIXELS: usize = 64_000_000;

/// Colour of the sheet.
const PAPER: [u8; 3] = [250, 250, 248];
/// Colour of the letters.
const INK: [u8; 3] = [40, 40, 44];

/// A sheet of `width * height` pixels.
pub struct Canvas {
    sheet: Pixels,
}

impl Canvas {
    /// An empty sheet; `None` where it would have more than [`MAX_PIXELS`].
    pub fn new(width: usize, height: usize) -> Option<Canvas> {
        let pixels = width.checked_mul(height).filter(|&pixels| pixels <= MAX_PIXELS)?;
        Some(Canvas { sheet: Pixels { width, height, rgb: PAPER.repeat(pixels) } })
    }

    /// Lays an image down with its left upper corner there; what goes over the edge is cut.
    pub fn image(&mut self, left: usize, top: usize, image: &Pixels) {
        let columns = image.width.min(self.sheet.width.saturating_sub(left));
        let rows = image.height.min(self.sheet.height.saturating_sub(top));
        for row in 0..rows {
            let from = row * image.width * 3;
            let to = ((top + row) * self.sheet.width + left) * 3;
            self.sheet.rgb[to..to + columns * 3]
                .copy_from_slice(&image.rgb[from..from + columns * 3]);
        }
    }

    /// Writes a line; what goes over the edge is cut.
    pub fn text(&mut self, left: usize, top: usize, text: &str) {
        for (place, letter) in text.chars().enumerate() {
            let left = left + place * font::ADVANCE;
            if left >= self.sheet.width {
                return;
            }
            for (column, row) in font::pixels(letter) {
                self.dot(left + column, top + row);
            }
        }
    }

    /// The finished sheet.
    pub fn finish(self) -> Pixels {
        self.sheet
    }

    fn dot(&mut self, column: usize, row: usize) {
        if column < self.sheet.width && row < self.sheet.height {
            let at = (row * self.sheet.width + column) * 3;
            self.sheet.rgb[at..at + 3].copy_from_slice(&INK);
        }
    }
}

/// Cuts a text into lines of at most `letters`, at spaces where there are any, and at most `lines` of
/// them; a text that does not fit ends in three dots.
pub fn wrap(text: &str, letters: usize, lines: usize) -> Vec<String> {
    let mut wrapped = vec![String::new()];
    for word in text.split_whitespace() {
        let line = wrapped.last().map_or(0, |line| line.chars().count());
        let length = word.chars().count();
        if line > 0 && line + 1 + length > letters {
            wrapped.push(String::new());
        }
        for letter in
            (!wrapped[wrapped.len() - 1].is_empty()).then_some(' ').into_iter().chain(word.chars())
        {
            if wrapped[wrapped.len() - 1].chars().count() == letters {
                wrapped.push(String::new());
            }
            let last = wrapped.len() - 1;
            wrapped[last].push(letter);
        }
        if wrapped.len() > lines {
            break;
        }
    }
    if wrapped.len() > lines {
        wrapped.truncate(lines);
        if let Some(last) = wrapped.last_mut() {
            let kept = last.chars().take(letters.saturating_sub(3)).collect::<String>();
            *last = kept.trim_end().to_owned() + "...";
        }
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_and_letters_are_cut_at_the_edges() {
        let mut canvas = Canvas::new(10, 6).unwrap();
        let image = Pixels { width: 4, height: 4, rgb: vec![9; 48] };
        canvas.image(8, 4, &image);
        canvas.image(90, 90, &image);
        canvas.text(7, 0, "LLL");
        let sheet = canvas.finish();
        let at = |column: usize, row: usize| &sheet.rgb[(row * 10 + column) * 3..][..3];
        assert_eq!(at(7, 0), INK);
        assert_eq!(at(8, 3), PAPER);
        assert_eq!(at(8, 4), [9; 3]);
        assert_eq!(at(9, 5), [9; 3]);
        assert!(Canvas::new(usize::MAX, 2).is_none());
        assert!(Canvas::new(10_000, 10_000).is_none());
    }

    #[test]
    fn long_texts_are_wrapped_and_end_in_dots() {
        assert_eq!(wrap("a red circle on grey", 9, 3), ["a red", "circle on", "grey"]);
        assert_eq!(wrap("a red circle on grey", 9, 2), ["a red", "circle..."]);
        assert_eq!(wrap("abcdefghij", 4, 3), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("", 4, 3), [""]);
        let long = "x".repeat(60_000);
        assert_eq!(wrap(&long, 8, 2), ["xxxxxxxx", "xxxxx..."]);
    }
}
