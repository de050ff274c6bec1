//! `clipa-prep classes ingest`.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use clipa_schemas::manifest::Kind;

use super::{flags::IngestFlags, ingest::ingest, options::threads};
use crate::classes::{ClassSet, Files, write_prompts};
use clipa_talk::{Outcome, Printer, figures, printable};

/// `clipa-prep classes`: classification sets for zero-shot evaluation.
#[derive(Debug, Subcommand)]
pub enum ClassesCommand {
    /// Turn a classification set into Parquet shards, with its prompts tokenized
    ///
    /// INPUT is a folder of tars as CLIP_benchmark has them (KEY.jpg, KEY.cls; classnames.txt and
    /// zeroshot_classification_templates.txt beside or one folder above; wds_NAME/test and wds_NAME are the same), one
    /// such tar, or a folder with one folder of images for each class. Hidden and system folders are left out. Run it
    /// again with other --classnames or --templates to replace the prompts; the images are kept.
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
    /// Class names [default: classnames.txt beside the tars, or the folders' names]
    ///
    /// One a line in the order of the classes, a JSON list, or a list in a Python file. For folders: in the order of the
    /// folders, which is that of text, or of numbers where all are; the folders' own names in any order; or FOLDER NAME on
    /// each line where folders are numbers or WordNet ids. Numbers of names and classes must agree.
    #[arg(long, value_name = "FILE[:LIST]")]
    pub classnames: Option<PathBuf>,
    /// Prompt templates, with {} or {c} for the class name
    ///
    /// One a line, a JSON list, or a list of strings or lambdas in a Python file or notebook, as in open_clip's
    /// zero_shot_metadata.py:SIMPLE_IMAGENET_TEMPLATES; nothing in it is run.
    /// [default: zeroshot_classification_templates.txt beside the tars, or four of our own]
    #[arg(long, value_name = "FILE[:LIST]")]
    pub templates: Option<PathBuf>,
    /// Classes that training never saw, one name a line; `clipa-train eval` then reports them apart
    /// [default: held_out.txt beside the tars]
    #[arg(long, value_name = "FILE")]
    pub held_out: Option<PathBuf>,
    /// Number in .cls that means the first class; asked for where no label is 0
    #[arg(long, value_name = "N")]
    pub first_label: Option<u32>,
    /// The last classes may have no image, as in a part of a set; else numbers of names and labels must agree
    #[arg(long)]
    pub missing_classes: bool,
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
    let files = Files {
        class_names: args.classnames,
        templates: args.templates,
        held_out: args.held_out,
        first_label: args.first_label,
        missing_classes: args.missing_classes,
    };
    let mut set = ClassSet::find(&args.input, &files)?;
    set.notes.iter().for_each(|note| printer.say(printable(note)));
    set.warnings.iter().for_each(|warning| printer.warn(printable(warning)));
    let mut options = args.ingest.options(Kind::Classes)?;
    options.classes = Some(std::mem::take(&mut set.numbers));
    let IngestFlags { output, json, .. } = args.ingest;
    let inputs = std::mem::take(&mut set.inputs);
    let threads = threads(args.ingest.threads);
    let outcome = ingest(inputs, &output, &options, threads, json, printer)?;
    let text = options.text.open()?;
    let columns = options.text.token_columns();
    let written = write_prompts(&output, &set, &text, &columns)?;
    printer.say(format!(
        "  {} prompts for {} classes",
        figures::count(written.prompts as u64),
        figures::count(set.class_names.len() as u64)
    ));
    for difference in &written.replaced {
        printer.say(format!("  replaced prompts: {difference}"));
    }
    Ok(outcome)
}
