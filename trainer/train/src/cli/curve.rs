//! Several results as a table.

use crate::eval::Report;

/// Least width of a column.
const LEAST_WIDTH: usize = 7;

/// A line for each result of one data set, beside its label (a step), and a heading: every metric but the one that only
/// repeats another.
pub(super) fn table(label: &str, rows: &[(String, &Report)]) -> Vec<String> {
    let Some((_, first)) = rows.first() else { return Vec::new() };
    let names: Vec<&str> = shown(first).into_iter().map(|(name, _)| name).collect();
    let labels = rows.iter().map(|(label, _)| label.chars().count());
    let width = labels.chain([label.chars().count()]).max().unwrap_or(0);
    let line = |label: &str, cells: &mut dyn Iterator<Item = String>| {
        let cells: Vec<String> = names
            .iter()
            .zip(cells)
            .map(|(name, cell)| format!("{cell:>width$}", width = name.len().max(LEAST_WIDTH)))
            .collect();
        format!("  {label:>width$}  {}", cells.join("  "))
    };
    let heading = line(label, &mut names.iter().map(|name| (*name).to_owned()));
    let rows = rows.iter().map(|(label, report)| {
        line(
            label,
            &mut shown(report).into_iter().map(|(_, value)| format!("{:.1} %", 100.0 * value)),
        )
    });
    std::iter::once(heading).chain(rows).collect()
}

fn shown(report: &Report) -> Vec<(&'static str, f64)> {
    report.metrics().into_iter().filter(|(name, _)| *name != "main_metric").collect()
}

#[cfg(test)]
mod tests {
    use clipa_schemas::reduction::text::TextReduction;

    use super::*;
    use crate::eval::{Lengths, RetrievalReport};

    #[test]
    fn columns_stand_below_their_names() {
        let report = |found| {
            let text_reduction = TextReduction::Truncate;
            let lengths = Lengths { image_size: 16, context_length: 8, text_reduction };
            let (images_found, captions_found) = ([found, 10, 20], [5, 10, 10]);
            Report::Retrieval(RetrievalReport {
                lengths,
                images: 10,
                captions: 20,
                images_found,
                captions_found,
            })
        };
        let (one, other) = (report(1), report(20));
        let table = table("step", &[("4".to_owned(), &one), ("20000".to_owned(), &other)]);
        assert_eq!(table.len(), 3);
        assert!(table[0].starts_with("   step  image_retrieval_recall@1  text_retrieval_recall@1"));
        assert!(table[1].starts_with("      4                     5.0 %                   50.0 %"));
        assert!(table[2].starts_with("  20000                   100.0 %                   50.0 %"));
        assert!(table[1].ends_with("27.5 %") && !table[0].contains("main_metric"), "{table:?}");
    }
}
