//! `clipa-inspect grid`.

use std::path::PathBuf;

use clap::Args;

use super::open::open;
use crate::{
    grid::{self, Choice},
    png,
};
use clipa_talk::{Outcome, Printer, figures::counted};

/// `clipa-inspect grid`.
#[derive(Args, Debug)]
pub struct GridArgs {
    /// Folder of the data set, the one with dataset.json.
    pub dir: PathBuf,
    /// The PNG to write; an existing file is never overwritten.
    #[arg(long, value_name = "FILE")]
    pub output: PathBuf,
    /// Number of samples. More make a longer sheet.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub rows: u64,
    /// Number of the first sample.
    #[arg(long, value_name = "INDEX", default_value_t = 0)]
    pub from: u64,
    /// Show a random choice with this seed instead of neighbours.
    #[arg(long, value_name = "N", conflicts_with = "from")]
    pub seed: Option<u64>,
}

impl GridArgs {
    /// Which samples the flags choose.
    fn choice(&self) -> Choice {
        self.seed.map_or(Choice::From(self.from), Choice::Seed)
    }
}

/// Draws the sheet and writes it.
pub(super) fn run(args: &GridArgs, printer: &Printer) -> anyhow::Result<Outcome> {
    png::check_free(&args.output)?;
    let dataset = open(&args.dir, printer)?;
    let indices = grid::choose(&dataset, args.choice(), args.rows)?;
    let sheet = grid::draw(&dataset, &indices)?;
    png::write(&args.output, &sheet)?;
    let (samples, path) = (counted(indices.len() as u64, "sample"), args.output.display());
    printer.say(format!("{path}: {samples}, {} x {} pixels", sheet.width, sheet.height));
    Ok(Outcome::Fine)
}
