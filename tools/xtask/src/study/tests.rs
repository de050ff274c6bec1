//! Made-up results for the tests of table and plot.

use super::cells::Cell;
use super::results::{Figures, Row};

/// Three seeds of each cell; the second one of the second cell failed.
pub(super) fn some_rows(cells: &[Cell]) -> Vec<Row> {
    let row = |(place, cell): (usize, &Cell), seed: u32| {
        let finetuned = 0.5 + 0.01 * place as f64 + 0.02 * f64::from(seed);
        let figures = Figures { pretrained: 0.25, finetuned, seconds: 61.4 };
        let failed = place == 1 && seed == 1;
        let reason = "no \"room\"\nleft".to_owned();
        Row { cell: cell.name, seed, figures: if failed { Err(reason) } else { Ok(figures) } }
    };
    (0..3).flat_map(|seed| cells.iter().enumerate().map(move |cell| row(cell, seed))).collect()
}
