//! `clipa-prep classes ingest`.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use clipa_schemas::manifest::Kind;

use super::{flags::IngestFlags, ingest::ingest, options::threads};
use crate::classes::{ClassSet, Files, write_prompts};
use clipa_talk::{Outcome, Printer, figures};

/// `clipa-prep classes`: classification sets for zero-shot evaluation.
#[derive(Debug, Subcommand)]
pub enum ClassesCommand {
    /// Turn a classification set into Parquet shards, with its prompts tokenized
    ///
    /// INPUT is a folder of tars as CLIP_benchmark has them (KEY.jpg, KEY.cls, classnames.txt and
    /// zeroshot_classification_templates.txt beside), one such tar, or a folder with one folder of images for each
    /// class. Run it again with other --templates to replace the prompts; the images are kept.
    #[command(after_help = INGEST_EXAMPLES)]
    Ingest(IngestArgs),
}

const INGEST_EXAMPLES: &str = "\
Examples:
  clipa-prep classes ingest wds_imagenet1k/test --output imagenet --image 256:jpeg
  clipa-prep classes ingest photos-by-class --output my-classes --templates my-templates.txt";

/// Options of `clipa-prep classes ingest`.
#[derive(Debug, Args)]
pub struct IngestArgs {
    /// Folder of tars, tar, or folder with a folder for each class
    #[arg(value_name = "INPUT")]
    pub input: String,
    /// Class names, one a line [default: classnames.txt beside the tars, or the folders' names]
    #[arg(long, value_name = "FILE")]
    pub classnames: Option<PathBuf>,
    /// Prompt templates, one a line, with {} or {c} for the class name
    ///
    /// [default: zeroshot_classification_templates.txt beside the tars, or four of our own]
    #[arg(long, value_name = "FILE")]
    pub templates: Option<PathBuf>,
    /// Classes that training never saw, one name a line; `clipa-train eval` then reports them apart
    /// [default: held_out.txt beside the tars]
    #[arg(long, value_name = "FILE")]
    pub held_out: Option<PathBuf>,
    /// Flags that every ingest has
    #[command(flatten)]
    pub ingest: IngestFlags,
}

/// Runs a command.
///
/// # Errors
/// The run could not do its job.
pub fn run(command: ClassesCommand, printer: &Printer) -> Result<Outcome> {
    let ClassesCommand::Ingest(args) = command;
    let files =
        Files { class_names: args.classnames, templates: args.templates, held_out: args.held_out };
    let mut set = ClassSet::find(&args.input, &files)?;
    let mut options = args.ingest.options(Kind::Classes)?;
    options.classes = Some(set.class_names.len() as u32);
    let IngestFlags { output, json, .. } = args.ingest;
    let inputs = std::mem::take(&mut set.inputs);
    let threads = threads(args.ingest.threads);
    let outcome = ingest(inputs, &output, &options, threads, json, printer)?;
    let text = options.text.open()?;
    let columns = options.text.token_columns();
    let prompts = write_prompts(&output, &set, &text, &columns)?;
    printer.say(format!(
        "  {} prompts for {} classes",
        figures::count(prompts as u64),
        figures::count(set.class_names.len() as u64)
    ));
    Ok(outcome)
}
