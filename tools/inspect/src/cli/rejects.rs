//! `clipa-inspect rejects`.

use std::path::PathBuf;

use clap::Args;

use super::{open::open, page::Page};
use crate::rejects::{self, Reason};
use clipa_talk::{Outcome, Printer, figures::count, printable};

/// `clipa-inspect rejects`.
#[derive(Args, Debug)]
pub struct RejectsArgs {
    /// Folder of the data set, the one with dataset.json.
    pub dir: PathBuf,
    /// Show this reason only.
    #[arg(long, value_name = "NAME")]
    pub reason: Option<String>,
    /// Number of examples for each reason.
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub examples: usize,
    /// Print one JSON object instead of a page.
    #[arg(long)]
    pub json: bool,
}

/// Shows the rejected samples, reason by reason.
pub(super) fn run(args: &RejectsArgs, printer: &Printer) -> anyhow::Result<Outcome> {
    let dataset = open(&args.dir, printer)?;
    let mut reasons = rejects::by_reason(&dataset, args.examples)?;
    if let Some(wanted) = &args.reason {
        reasons.retain(|reason, _| reason == wanted);
    }
    if args.json {
        printer.json(&reasons)?;
        return Ok(Outcome::Fine);
    }
    if reasons.is_empty() {
        printer.say(
            "no sample was rejected".to_owned()
                + if args.reason.is_some() { " for this reason" } else { "" },
        );
    }
    for (name, reason) in &reasons {
        printer.data(reason_page(name, reason));
    }
    Ok(Outcome::Fine)
}

fn reason_page(name: &str, reason: &Reason) -> String {
    let mut page = Page::default();
    page.head(&format!("{} ({})", printable(name), count(reason.count)));
    for example in &reason.examples {
        let offset = example.offset.map(|offset| format!(" at byte {}", count(offset)));
        let place = format!("{}{}", example.source, offset.unwrap_or_default());
        page.entry(&example.key, &format!("{}; {place}", example.detail));
        for text in [&example.url, &example.caption].into_iter().flatten() {
            page.entry("", text);
        }
    }
    page.finish()
}
