//! `clipa-inspect summary`.

use std::path::PathBuf;

use clap::Args;
use clipa_schemas::manifest::Kind;

use super::{open::open, page::Page};
use crate::summary::{Access, Column, Summary};
use clipa_talk::{
    Outcome, Printer,
    figures::{bytes, count, percent, significant},
};

/// `clipa-inspect summary`.
#[derive(Args, Debug)]
pub struct SummaryArgs {
    /// Folder of the data set, the one with dataset.json.
    pub dir: PathBuf,
    /// Print one JSON object instead of a page.
    #[arg(long)]
    pub json: bool,
}

/// Shows the totals.
pub(super) fn run(args: &SummaryArgs, printer: &Printer) -> anyhow::Result<Outcome> {
    let dataset = open(&args.dir, printer)?;
    let summary = Summary::of(&dataset)?;
    if args.json {
        printer.json(&summary)?;
    } else {
        printer.data(page(&summary));
    }
    Ok(Outcome::Fine)
}

/// What the data set holds, for people.
fn page(summary: &Summary) -> String {
    let mut page = Page::default();
    let kind = match summary.kind {
        Kind::Pairs => "image-text pairs",
        Kind::Classes => "a classification set",
    };
    let state = if summary.complete { "complete" } else { "not complete" };
    page.head(&format!("{}: {kind}, {state}", summary.dataset));
    page.entry(
        "made by",
        &format!("{}, schema version {}", summary.created_by, summary.schema_version),
    );
    page.space();
    ledger(&mut page, summary);
    page.space();
    storage(&mut page, summary);
    page.space();
    columns(&mut page, summary);
    page.space();
    image_sizes(&mut page, summary);
    page.space();
    page.head("configuration");
    for (name, value) in &summary.configuration {
        page.entry(name, value);
    }
    page.finish()
}

fn ledger(page: &mut Page, summary: &Summary) {
    let ledger = &summary.ledger;
    let rejected = ledger.rejected_total();
    page.head("samples");
    page.entry("found", &count(ledger.found));
    let share = |part: u64| format!("{} ({})", count(part), percent(part, ledger.found));
    page.entry("accepted", &share(ledger.accepted));
    page.entry("rejected", &share(rejected));
    for (reason, &number) in &ledger.rejected {
        page.entry("", &format!("{} {reason}", count(number)));
    }
    if !ledger.repaired.is_empty() {
        let kinds = ledger.repaired.iter();
        let kinds: Vec<String> = kinds.map(|(kind, &n)| format!("{} {kind}", count(n))).collect();
        page.entry("repaired", &kinds.join(", "));
    }
    let lost: u64 = ledger.not_downloaded.values().sum();
    if lost > 0 {
        page.entry("not downloaded", &format!("{}, so not among those found", count(lost)));
    }
}

fn storage(page: &mut Page, summary: &Summary) {
    let groups = &summary.row_groups;
    page.head("storage");
    page.entry("inputs", &count(summary.units));
    let shards = format!("{} with {}", count(summary.shards), bytes(summary.shard_bytes));
    page.entry("shards", &shards);
    let rows = if groups.least_rows == groups.most_rows {
        format!("{} of {} rows", count(groups.number), count(groups.most_rows.into()))
    } else {
        let (least, most) = (count(groups.least_rows.into()), count(groups.most_rows.into()));
        format!("{} of {least} to {most} rows", count(groups.number))
    };
    page.entry("row groups", &rows);
}

fn columns(page: &mut Page, summary: &Summary) {
    page.head("columns           bytes/sample     share  in memory");
    for column in &summary.columns {
        page.entry(&column.name, &column_text(column, summary));
    }
}

/// Which image columns hold images smaller than their names say.
fn image_sizes(page: &mut Page, summary: &Summary) {
    page.head("images smaller than their column");
    for sizes in &summary.image_sizes {
        let share = percent(sizes.smaller, sizes.rows_looked_at);
        let text = match sizes.smaller {
            0 => "none".to_owned(),
            _ => format!(
                "{share} below {} px; half of all have at most {} px, the smallest {} px (short side)",
                sizes.side, sizes.median, sizes.least
            ),
        };
        page.entry(&sizes.column, &text);
    }
}

fn column_text(column: &Column, summary: &Summary) -> String {
    let each = significant(column.bytes as f64 / summary.rows.max(1) as f64);
    let access = match column.access {
        Access::BorrowedBlock => "borrowed, one block per row group",
        Access::BorrowedValues => "borrowed value by value",
        Access::Decoded => "decoded",
    };
    let packed = if column.compression == "none" {
        String::new()
    } else {
        format!(", {}", column.compression)
    };
    let encoding = column.image.map(|image| format!("{}, ", image.encoding.name()));
    let encoding = encoding.unwrap_or_default();
    let share = percent(column.bytes, summary.shard_bytes);
    format!("{each:>12}  {share:>8}  {encoding}{access}{packed}")
}
