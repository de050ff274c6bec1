//! `clipa-inspect verify`.

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use clap::Args;
use clipa_schemas::manifest::{Manifest, TAKEDOWN};

use crate::{
    InspectError,
    verify::{self, Findings},
};
use clipa_talk::{
    Counted, Outcome, Printer,
    figures::{bytes, counted},
    printable, shell,
    threads::thread_count,
};

/// `clipa-inspect verify`.
#[derive(Args, Debug)]
pub struct VerifyArgs {
    /// Folder of the data set, the one with dataset.json.
    pub dir: PathBuf,
    /// Print one JSON object instead of a page.
    #[arg(long)]
    pub json: bool,
    /// Number of threads [default: one per core].
    #[arg(long, value_name = "N", value_parser = thread_count)]
    pub threads: Option<NonZeroUsize>,
}

/// Checks everything; what is wrong is [`Outcome::Problems`].
pub(super) fn run(args: &VerifyArgs, printer: &Printer) -> anyhow::Result<Outcome> {
    let manifest = Manifest::read(&args.dir).map_err(InspectError::from)?;
    let total = manifest.shards().map(|shard| shard.file.bytes).sum();
    let threads = args.threads.map_or_else(clipa_pool::cores, NonZeroUsize::get);
    let progress = printer.progress("verifying", Counted::Bytes, total);
    let findings = verify::verify(&args.dir, threads, &|read| progress.advance(read))?;
    drop(progress);
    if args.json {
        printer.json(&findings)?;
    } else {
        printer.data(page(&args.dir, &findings));
    }
    for problem in &findings.problems {
        printer.warn(format!("{}: {}", printable(&problem.file), printable(&problem.what)));
    }
    if findings.problems.is_empty() {
        return Ok(Outcome::Fine);
    }
    printer.hint(repair_hint(&args.dir, &findings));
    Ok(Outcome::Problems)
}

/// The files named one by one where they are few.
fn repair_hint(folder: &Path, findings: &Findings) -> String {
    if findings.problems.iter().any(|problem| problem.file == TAKEDOWN) {
        return "run the same takedown again".to_owned();
    }
    let files = findings.to_be_removed();
    let files = match files.len() {
        0 => {
            return "run the same ingest again: it writes the manifest anew, and removes temporary files".to_owned();
        }
        1..=6 => shell::command_line(files.iter().map(|file| folder.join(file))),
        _ => "shards/N.json, shards/N.parquet and rejects/N.parquet of each unit".to_owned(),
    };
    format!("remove {files}, and run the same ingest again: it makes what is missing anew")
}

/// What was checked, in one line.
fn page(folder: &Path, findings: &Findings) -> String {
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
