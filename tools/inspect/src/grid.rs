//! A contact sheet: a strip for each sample, in it a cell for each stored size, every image at its own
//! pixels.

use clipa_schemas::{image_column::ImageColumn, random::Random};

use super::{
    InspectError,
    canvas::{self, Canvas},
    dataset::Dataset,
    font,
    pixels::{PixelReader, Pixels},
    sample::read_picture,
};

/// Pixels between cells and around the sheet.
const GAP: usize = 8;
/// Height of the line above the strips, with its margins.
const HEAD: usize = GAP + font::LINE + GAP;
/// Lines of a caption at most.
const CAPTION_LINES: usize = 3;
/// Letters that a line of the sheet has room for at least.
const LEAST_LETTERS: usize = 40;

/// Pixels between strips side by side.
const STRIP_GAP: usize = 3 * GAP;
/// Width in pixels beyond which no more strips are put side by side.
const FULL_WIDTH: usize = 1200;
/// Strips one below the other before others are put beside them.
const LEAST_ROWS: usize = 4;

/// Which samples are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Those from this number on.
    From(u64),
    /// A random choice with this seed, in ascending order.
    Seed(u64),
}

/// One sample on the sheet.
struct Strip {
    title: String,
    caption: String,
    images: Vec<Pixels>,
}

/// The numbers of the samples that a sheet of at most `rows` strips shows.
///
/// # Errors
/// [`InspectError::Empty`], or a first number behind the end.
pub fn choose(dataset: &Dataset, choice: Choice, rows: u64) -> Result<Vec<u64>, InspectError> {
    let all = dataset.rows();
    if all == 0 {
        return Err(InspectError::Empty { folder: dataset.folder.clone() });
    }
    match choice {
        Choice::From(first) => {
            dataset.position(first)?;
            Ok((first..all.min(first.saturating_add(rows))).collect())
        }
        Choice::Seed(seed) => {
            let mut random = Random::new(seed);
            let mut chosen = std::collections::BTreeSet::new();
            // Floyd's sampling: every subset is equally likely, and each is drawn in as many steps as
            // it has members.
            for last in all - rows.min(all)..all {
                let drawn = random.below(last + 1);
                chosen.insert(if chosen.contains(&drawn) { last } else { drawn });
            }
            Ok(chosen.into_iter().collect())
        }
    }
}

/// Draws the sheet.
///
/// # Errors
/// [`InspectError::NoImages`], [`InspectError::SheetTooLarge`], or a sample that cannot be read.
pub fn draw(dataset: &Dataset, indices: &[u64]) -> Result<Pixels, InspectError> {
    let columns = &dataset.manifest.images;
    if columns.is_empty() {
        return Err(InspectError::NoImages { folder: dataset.folder.clone() });
    }
    let strips = read_strips(dataset, indices)?;
    let layout = Layout::of(columns, &strips);
    let (width, height) = (layout.width(), layout.height(&strips));
    let mut sheet =
        Canvas::new(width, height).ok_or(InspectError::SheetTooLarge { width, height })?;
    for place in 0..layout.strips_per_row {
        draw_heads(&mut sheet, layout.left(place), columns, &layout.cells);
    }
    let mut top = HEAD;
    for row in strips.chunks(layout.strips_per_row) {
        for (place, strip) in row.iter().enumerate() {
            strip.draw(&mut sheet, layout.left(place), top, &layout);
        }
        top += layout.row_height(row);
    }
    Ok(sheet.finish())
}

/// Where things go: strips in rows, from left to right and then down.
struct Layout {
    /// Width of each cell of a strip.
    cells: Vec<usize>,
    /// Width of a strip.
    strip: usize,
    /// Strips side by side.
    strips_per_row: usize,
}

impl Layout {
    fn of(columns: &[ImageColumn], strips: &[Strip]) -> Layout {
        let cells = cell_widths(columns, strips);
        let images = cells.iter().sum::<usize>() + GAP * cells.len().saturating_sub(1);
        let strip = images.max(LEAST_LETTERS * font::ADVANCE);
        let room = FULL_WIDTH / (strip + STRIP_GAP);
        let strips_per_row = room.min(strips.len().div_ceil(LEAST_ROWS)).max(1);
        Layout { cells, strip, strips_per_row }
    }

    fn letters(&self) -> usize {
        self.strip / font::ADVANCE
    }

    fn left(&self, place: usize) -> usize {
        GAP + place * (self.strip + STRIP_GAP)
    }

    fn width(&self) -> usize {
        self.left(self.strips_per_row) - STRIP_GAP + GAP
    }

    fn row_height(&self, row: &[Strip]) -> usize {
        row.iter().map(|strip| strip.height(self.letters())).max().unwrap_or(0) + GAP
    }

    fn height(&self, strips: &[Strip]) -> usize {
        HEAD + strips.chunks(self.strips_per_row).map(|row| self.row_height(row)).sum::<usize>()
    }
}

/// Reads the samples, as long as their images together fit on a sheet.
fn read_strips(dataset: &Dataset, indices: &[u64]) -> Result<Vec<Strip>, InspectError> {
    let mut pixels = PixelReader::new().map_err(|source| InspectError::Codec { source })?;
    let mut strips: Vec<Strip> = Vec::with_capacity(indices.len());
    let mut area = 0;
    for &index in indices {
        let position = dataset.position(index)?;
        let (key, caption, images) = read_picture(dataset, position, &mut pixels)?;
        area += images.iter().map(|image| image.width * image.height).sum::<usize>();
        if area > canvas::MAX_PIXELS {
            let width = images.iter().map(|image| image.width).sum();
            return Err(InspectError::SheetTooLarge { width, height: area / width });
        }
        strips.push(Strip { title: format!("#{index} {key}"), caption, images });
    }
    Ok(strips)
}

/// Width of each column of cells: that of its widest image, or of its head.
fn cell_widths(columns: &[ImageColumn], strips: &[Strip]) -> Vec<usize> {
    let head = |column: &ImageColumn| column.to_string().len() * font::ADVANCE;
    let widest = |cell: usize| {
        strips.iter().filter_map(|strip| strip.images.get(cell)).map(|image| image.width).max()
    };
    let columns = columns.iter().enumerate();
    columns.map(|(cell, column)| head(column).max(widest(cell).unwrap_or(0))).collect()
}

impl Strip {
    fn lines(&self, letters: usize) -> Vec<String> {
        let mut lines = canvas::wrap(&self.title, letters, 1);
        lines.extend(canvas::wrap(&self.caption, letters, CAPTION_LINES));
        lines
    }

    fn images_height(&self) -> usize {
        self.images.iter().map(|image| image.height).max().unwrap_or(0)
    }

    fn height(&self, letters: usize) -> usize {
        self.images_height() + GAP / 2 + self.lines(letters).len() * font::LINE
    }

    /// The images side by side, number, key and caption below them.
    fn draw(&self, sheet: &mut Canvas, left: usize, top: usize, layout: &Layout) {
        let mut cell = left;
        for (image, width) in self.images.iter().zip(&layout.cells) {
            sheet.image(cell, top, image);
            cell += width + GAP;
        }
        let mut below = top + self.images_height() + GAP / 2;
        for line in self.lines(layout.letters()) {
            sheet.text(left, below, &line);
            below += font::LINE;
        }
    }
}

fn draw_heads(sheet: &mut Canvas, left: usize, columns: &[ImageColumn], cells: &[usize]) {
    let mut left = left;
    for (column, width) in columns.iter().zip(cells) {
        sheet.text(left, GAP, &column.to_string());
        left += width + GAP;
    }
}
