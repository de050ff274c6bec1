//! `clipa-inspect`: flags in, pages out.

mod page;
mod sample;
mod summary;
#[cfg(test)]
mod tests;

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::{Args, Parser, Subcommand};
use clipa_schemas::manifest::{Manifest, TAKEDOWN};

use crate::{
    InspectError,
    dataset::Dataset,
    grid::{self, Choice},
    png,
    rejects::{self, Reason},
    summary::Summary,
    verify::{self, Findings},
};
use clipa_talk::{
    Counted, Failure, Outcome, Printer,
    figures::{bytes, count, counted},
    printable,
};
use page::Page;

/// Look at a data set made by clipa-prep: what it holds, what a model sees, whether every byte is right.
///
/// Nothing is ever changed in a data set. Exit codes: 0 all is well, 1 a problem was found or the job
/// could not be done, 2 wrong usage.
#[derive(Debug, Parser)]
#[command(name = "clipa-inspect", version, verbatim_doc_comment)]
pub struct InspectCommand {
    /// What to look at.
    #[command(subcommand)]
    pub view: View,
}

/// The views.
#[derive(Debug, Subcommand)]
pub enum View {
    /// Totals, rejected samples by reason, columns with their sizes, configuration
    ///
    /// Reads the manifest and the footer of each shard.
    ///
    /// Examples:
    ///   clipa-inspect summary pairs
    ///   clipa-inspect summary pairs --json | jq .ledger.rejected
    #[command(verbatim_doc_comment)]
    Summary(SummaryArgs),
    /// One sample: caption, words with tags, what each text reduction leaves, the image
    ///
    /// On a terminal the image is drawn with half blocks.
    ///
    /// Examples:
    ///   clipa-inspect sample pairs 5 --context-length 8
    ///   clipa-inspect sample pairs --key 000000005 --png image.png
    #[command(verbatim_doc_comment)]
    Sample(sample::SampleArgs),
    /// A contact sheet (PNG): each sample at every stored size, with its caption
    ///
    /// Examples:
    ///   clipa-inspect grid pairs --output sheet.png
    ///   clipa-inspect grid pairs --output sheet.png --rows 20 --seed 1
    #[command(verbatim_doc_comment)]
    Grid(GridArgs),
    /// Check every checksum, row and count; a single flipped bit is found
    ///
    /// Reads every byte of the shards, and decodes every row. Exit code 1 if anything is wrong.
    ///
    /// Examples:
    ///   clipa-inspect verify pairs
    ///   clipa-inspect verify pairs --json --threads 16
    #[command(verbatim_doc_comment)]
    Verify(VerifyArgs),
    /// Rejected samples: each reason with its count and examples
    ///
    /// Examples:
    ///   clipa-inspect rejects pairs
    ///   clipa-inspect rejects pairs --reason truncated --examples 100
    #[command(verbatim_doc_comment)]
    Rejects(RejectsArgs),
}

/// `clipa-inspect summary`.
#[derive(Args, Debug)]
pub struct SummaryArgs {
    /// Folder of the data set, the one with dataset.json.
    pub dir: PathBuf,
    /// Print one JSON object instead of a page.
    #[arg(long)]
    pub json: bool,
}

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

/// `clipa-inspect verify`.
#[derive(Args, Debug)]
pub struct VerifyArgs {
    /// Folder of the data set, the one with dataset.json.
    pub dir: PathBuf,
    /// Print one JSON object instead of a page.
    #[arg(long)]
    pub json: bool,
    /// Number of threads [default: one per core].
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
}

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

/// Shows what was asked for.
///
/// # Errors
/// Whatever keeps the job from being done; problems that `verify` finds are [`Outcome::Problems`].
pub fn run(command: &InspectCommand, printer: &Printer) -> anyhow::Result<Outcome> {
    match &command.view {
        View::Summary(args) => show_summary(args, printer),
        View::Sample(args) => sample::show(args, printer),
        View::Grid(args) => draw_grid(args, printer),
        View::Verify(args) => check(args, printer),
        View::Rejects(args) => show_rejects(args, printer),
    }
    .map_err(with_remedy)
}

fn show_summary(args: &SummaryArgs, printer: &Printer) -> anyhow::Result<Outcome> {
    let dataset = open(&args.dir, printer)?;
    let summary = Summary::of(&dataset)?;
    if args.json {
        printer.json(&summary)?;
    } else {
        printer.data(summary::page(&summary));
    }
    Ok(Outcome::Fine)
}

fn draw_grid(args: &GridArgs, printer: &Printer) -> anyhow::Result<Outcome> {
    png::check_free(&args.output)?;
    let dataset = open(&args.dir, printer)?;
    let choice = args.seed.map_or(Choice::From(args.from), Choice::Seed);
    let indices = grid::choose(&dataset, choice, args.rows)?;
    let sheet = grid::draw(&dataset, &indices)?;
    png::write(&args.output, &sheet)?;
    let (samples, path) = (counted(indices.len() as u64, "sample"), args.output.display());
    printer.say(format!("{path}: {samples}, {} x {} pixels", sheet.width, sheet.height));
    Ok(Outcome::Fine)
}

fn check(args: &VerifyArgs, printer: &Printer) -> anyhow::Result<Outcome> {
    let manifest = Manifest::read(&args.dir).map_err(InspectError::from)?;
    let total = manifest.shards().map(|shard| shard.file.bytes).sum();
    let threads = args.threads.unwrap_or_else(clipa_pool::cores);
    let progress = printer.progress("verifying", Counted::Bytes, total);
    let findings = verify::verify(&args.dir, threads, &|read| progress.advance(read))?;
    drop(progress);
    if args.json {
        printer.json(&findings)?;
    } else {
        printer.data(verified(&args.dir, &findings));
    }
    for problem in &findings.problems {
        printer.warn(format!("{}: {}", printable(&problem.file), printable(&problem.what)));
    }
    if findings.problems.is_empty() {
        return Ok(Outcome::Fine);
    }
    printer.hint(repair_hint(&findings));
    Ok(Outcome::Problems)
}

/// The files named one by one where they are few.
fn repair_hint(findings: &Findings) -> String {
    if findings.problems.iter().any(|problem| problem.file == TAKEDOWN) {
        return "run the same takedown again".to_owned();
    }
    let files = findings.damaged_units();
    let files = match files.len() {
        0 => return "run the same ingest again: it writes the manifest anew".to_owned(),
        1..=6 => printable(&files.join(" ")).into_owned(),
        _ => "shards/N.json, shards/N.parquet and rejects/N.parquet of each unit".to_owned(),
    };
    format!("remove {files}, and run the same ingest again: it makes what is missing anew")
}

fn verified(folder: &Path, findings: &Findings) -> String {
    let verdict = match findings.problems.len() as u64 {
        0 => "all is well".to_owned(),
        problems => counted(problems, "problem"),
    };
    format!(
        "{}: {verdict}; {} in {} of {}, {}, {} read",
        printable(&folder.to_string_lossy()),
        counted(findings.rows, "row"),
        counted(findings.row_groups, "row group"),
        counted(findings.shards, "shard"),
        counted(findings.rejects, "rejected sample"),
        bytes(findings.bytes),
    )
}

fn show_rejects(args: &RejectsArgs, printer: &Printer) -> anyhow::Result<Outcome> {
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

/// Opens a data set; one that is still being made is shown as far as it has come.
fn open(folder: &Path, printer: &Printer) -> Result<Dataset, InspectError> {
    let dataset = Dataset::open(folder)?;
    if !dataset.manifest.complete {
        printer.warn(format!(
            "{} is not complete: {} finished so far",
            folder.display(),
            counted(dataset.units.len() as u64, "unit")
        ));
        printer.hint("run the same ingest again to continue it");
    }
    Ok(dataset)
}

fn with_remedy(error: anyhow::Error) -> anyhow::Error {
    use clipa_schemas::Error;
    let Some(known) = error.downcast_ref::<InspectError>() else { return error };
    let hint = match known {
        InspectError::Dataset(Error::NotADataset { path, .. }) => not_a_dataset(path),
        InspectError::Dataset(Error::Corrupt { .. } | Error::Io { .. })
        | InspectError::Image { .. } => {
            "clipa-inspect verify DIR checks every file and says what to do".to_owned()
        }
        InspectError::NoSuchKey { .. } => {
            "clipa-inspect rejects DIR shows the samples that were rejected".to_owned()
        }
        InspectError::Empty { .. } => {
            "clipa-inspect rejects DIR shows why samples were rejected".to_owned()
        }
        InspectError::Exists { .. } => "give another file, or remove that one".to_owned(),
        InspectError::Output { .. } => {
            "the folder must exist, be writable and have room".to_owned()
        }
        InspectError::SheetTooLarge { .. } => "give fewer --rows".to_owned(),
        _ => return error,
    };
    Failure::new(error, hint).into()
}

/// Names the data set that was probably meant.
fn not_a_dataset(path: &Path) -> String {
    let below = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut datasets: Vec<PathBuf> =
        below.filter(|folder| folder.join("dataset.json").is_file()).collect();
    datasets.sort_unstable();
    let above = path.parent().filter(|folder| folder.join("dataset.json").is_file());
    match above.or(datasets.first().map(PathBuf::as_path)) {
        Some(folder) => format!("perhaps {} is meant", folder.display()),
        None => "clipa-prep laion ingest or clipa-prep classes ingest makes a data set".to_owned(),
    }
}
