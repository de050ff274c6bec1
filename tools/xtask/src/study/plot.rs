//! The plots, as SVG that a browser shows without anything else.

use super::cells::Cell;
use super::results::{self, Row};
use std::fmt::Write;

const WIDTH: f64 = 640.0;
/// Room for names on the left, and around the rest.
const LEFT: f64 = 150.0;
const EDGE: f64 = 30.0;
const ROW: f64 = 28.0;
const HEIGHT: f64 = 360.0;
const COLOURS: [(&str, &str); 5] = [
    ("both", "#444444"),
    ("image", "#1b6ca8"),
    ("text", "#b8541a"),
    ("small", "#1b6ca8"),
    ("large", "#b8541a"),
];

/// A row for each cell: a dot for each seed's accuracy after fine-tuning, a bar at their mean.
pub(super) fn rows(cells: &[Cell], rows: &[Row]) -> String {
    let height = EDGE * 2.0 + ROW * cells.len() as f64;
    let range = Range::of(cells.iter().flat_map(|cell| accuracies(cell, rows)));
    let across = |value: f64| LEFT + range.part(value) * (WIDTH - LEFT - EDGE);
    let mut svg = opened(
        height,
        "Zero-shot top-1 after fine-tuning, %; a dot for each seed, a bar at the mean",
    );
    for tick in range.ticks() {
        let x = across(tick);
        line(&mut svg, (x, EDGE), (x, height - EDGE), "#dddddd", 1.0);
        words(&mut svg, (x, height - 10.0), "middle", &format!("{tick:.0}"));
    }
    for (place, cell) in cells.iter().enumerate() {
        let y = EDGE + ROW * (place as f64 + 0.5);
        words(&mut svg, (LEFT - 8.0, y + 4.0), "end", cell.name);
        let values: Vec<f64> = accuracies(cell, rows).collect();
        for value in &values {
            dot(&mut svg, (across(*value), y), colour(cell));
        }
        if let Some(mean) = mean(&values) {
            let x = across(mean);
            line(&mut svg, (x, y - 9.0), (x, y + 9.0), colour(cell), 2.5);
        }
    }
    svg + "</svg>\n"
}

/// A line for each group over its image tokens: accuracy after fine-tuning.
pub(super) fn lines(cells: &[Cell], rows: &[Row]) -> String {
    let range = Range::of(cells.iter().flat_map(|cell| accuracies(cell, rows)));
    let tokens: Vec<f64> = cells.iter().map(|cell| f64::from(cell.image_tokens).log2()).collect();
    let least = tokens.iter().copied().fold(f64::INFINITY, f64::min);
    let span = (tokens.iter().copied().fold(0.0, f64::max) - least).max(1.0);
    let across = |cell: &Cell| {
        let part = (f64::from(cell.image_tokens).log2() - least) / span;
        2.0 * EDGE + part * (WIDTH - 4.0 * EDGE - 60.0)
    };
    let up = |value: f64| HEIGHT - 2.0 * EDGE - range.part(value) * (HEIGHT - 4.0 * EDGE);
    let mut svg =
        opened(HEIGHT, "Zero-shot top-1 after fine-tuning, %, over image tokens of pre-training");
    for tick in range.ticks() {
        line(&mut svg, (2.0 * EDGE, up(tick)), (WIDTH - EDGE - 60.0, up(tick)), "#dddddd", 1.0);
        words(&mut svg, (2.0 * EDGE - 8.0, up(tick) + 4.0), "end", &format!("{tick:.0}"));
    }
    let mut groups: Vec<&str> = cells.iter().map(|cell| cell.group).collect();
    groups.dedup();
    for group in groups {
        let mut before: Option<(f64, f64)> = None;
        for cell in cells.iter().filter(|cell| cell.group == group) {
            let values: Vec<f64> = accuracies(cell, rows).collect();
            let x = across(cell);
            words(&mut svg, (x, HEIGHT - EDGE), "middle", &cell.image_tokens.to_string());
            for value in &values {
                dot(&mut svg, (x, up(*value)), colour(cell));
            }
            let Some(mean) = mean(&values) else { continue };
            let here = (x, up(mean));
            match before.replace(here) {
                Some(there) => line(&mut svg, there, here, colour(cell), 2.0),
                // The longest comes first, on the right.
                None => words(&mut svg, (here.0 + 10.0, here.1 + 4.0), "start", group),
            }
        }
    }
    svg + "</svg>\n"
}

fn accuracies<'r>(cell: &Cell, rows: &'r [Row]) -> impl Iterator<Item = f64> + use<'r> {
    results::found(rows, cell).map(|found| 100.0 * found.finetuned)
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn colour(cell: &Cell) -> &'static str {
    COLOURS.iter().find(|(group, _)| *group == cell.group).map_or("#444444", |(_, colour)| colour)
}

/// What an axis shows, in whole steps around the values.
struct Range {
    low: f64,
    high: f64,
    step: f64,
}

impl Range {
    fn of(values: impl Iterator<Item = f64>) -> Range {
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        if low > high {
            return Range { low: 0.0, high: 100.0, step: 20.0 };
        }
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(|step| (high - low) / step <= 6.0);
        let step = step.unwrap_or(20.0);
        let (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
        Range { low, high: high.max(low + step), step }
    }

    fn part(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        let (low, step) = (self.low, self.step);
        let count = ((self.high - low) / step).round() as u32;
        (0..=count).map(move |number| low + step * f64::from(number))
    }
}

fn opened(height: f64, title: &str) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    words(&mut svg, (WIDTH / 2.0, 18.0), "middle", title);
    svg
}

fn line(svg: &mut String, (x1, y1): (f64, f64), (x2, y2): (f64, f64), colour: &str, width: f64) {
    let _ = writeln!(
        svg,
        "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{colour}\" stroke-width=\"{width}\"/>"
    );
}

fn dot(svg: &mut String, (x, y): (f64, f64), colour: &str) {
    let _ = writeln!(
        svg,
        "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{colour}\" fill-opacity=\"0.5\"/>"
    );
}

/// The words are ours: names of cells and numbers, nothing that would have to be escaped.
fn words(svg: &mut String, (x, y): (f64, f64), anchor: &str, text: &str) {
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>");
}

#[cfg(test)]
mod tests {
    use super::super::cells::{Study, chosen};
    use super::super::tests::some_rows;
    use super::*;

    #[test]
    fn every_seed_that_was_measured_is_a_dot_within_the_picture() {
        for (study, draw) in [
            (Study::Reductions, rows as fn(&[Cell], &[Row]) -> String),
            (Study::Law, lines as fn(&[Cell], &[Row]) -> String),
        ] {
            let cells = chosen(study, &[]).unwrap();
            let some = some_rows(&cells);
            let svg = draw(&cells, &some);
            let measured = some.iter().filter(|row| row.figures.is_ok()).count();
            assert_eq!(svg.matches("<circle").count(), measured);
            for place in svg.split("cx=\"").skip(1) {
                let x: f64 = place.split('"').next().unwrap().parse().unwrap();
                assert!((0.0..WIDTH).contains(&x), "{x}");
            }
            assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
            // A study that has just begun.
            assert!(!draw(&cells, &[]).contains("NaN"));
        }
    }

    #[test]
    fn an_axis_ends_at_whole_steps() {
        let range = Range::of([41.2, 47.9].into_iter());
        assert_eq!((range.low, range.high, range.step), (40.0, 48.0, 2.0));
        assert_eq!(range.ticks().collect::<Vec<_>>(), [40.0, 42.0, 44.0, 46.0, 48.0]);
        let flat = Range::of([50.0].into_iter());
        assert!(flat.high > flat.low && flat.part(50.0) == 0.0);
    }
}
