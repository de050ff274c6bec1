//! Pictures made of half blocks: two pixels to a character, the upper one as ink, the lower one as
//! ground.

use std::fmt::Write;

use super::pixels::Pixels;

/// Characters across at most; every terminal has as many.
pub const MAX_COLUMNS: usize = 64;

/// Draws the picture in 24-bit colour; a wider one is made smaller by averaging.
pub fn draw(pixels: &Pixels) -> String {
    let columns = pixels.width.clamp(1, MAX_COLUMNS);
    let rows = (pixels.height * columns).div_ceil(pixels.width.max(1)).max(1);
    let mut drawing = String::new();
    for upper in (0..rows).step_by(2) {
        for column in 0..columns {
            let [r, g, b] = average(pixels, column, upper, columns, rows);
            let _ = write!(drawing, "\x1b[38;2;{r};{g};{b}m");
            if upper + 1 < rows {
                let [r, g, b] = average(pixels, column, upper + 1, columns, rows);
                let _ = write!(drawing, "\x1b[48;2;{r};{g};{b}m");
            } else {
                drawing.push_str("\x1b[49m");
            }
            drawing.push('▀');
        }
        drawing.push_str("\x1b[0m\n");
    }
    drawing
}

/// Mean colour of the part of the picture that this cell of a `columns` x `rows` grid covers.
fn average(pixels: &Pixels, column: usize, row: usize, columns: usize, rows: usize) -> [u8; 3] {
    let part = |place: usize, cells: usize, length: usize| {
        let start = place * length / cells;
        start..((place + 1) * length / cells).max(start + 1).min(length)
    };
    let mut sums = [0u64; 3];
    let mut count = 0;
    for y in part(row, rows, pixels.height) {
        for x in part(column, columns, pixels.width) {
            let at = (y * pixels.width + x) * 3;
            for (sum, &channel) in sums.iter_mut().zip(&pixels.rgb[at..at + 3]) {
                *sum += u64::from(channel);
            }
            count += 1;
        }
    }
    sums.map(|sum| (sum / count.max(1)) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_rows_become_one_line_and_an_odd_row_has_no_ground() {
        let pixels = Pixels { width: 1, height: 3, rgb: vec![1, 2, 3, 4, 5, 6, 7, 8, 9] };
        let upper = "\x1b[38;2;1;2;3m\x1b[48;2;4;5;6m▀\x1b[0m\n";
        let lower = "\x1b[38;2;7;8;9m\x1b[49m▀\x1b[0m\n";
        assert_eq!(draw(&pixels), format!("{upper}{lower}"));
    }

    #[test]
    fn a_wide_picture_is_averaged_to_the_limit() {
        let row = [[0u8; 3], [100; 3]].concat().repeat(64);
        let pixels = Pixels { width: 128, height: 4, rgb: row.repeat(4) };
        let drawing = draw(&pixels);
        assert_eq!(drawing.lines().count(), 1);
        assert_eq!(drawing.matches('▀').count(), MAX_COLUMNS);
        assert_eq!(drawing.matches("38;2;50;50;50m").count(), MAX_COLUMNS);
    }
}
