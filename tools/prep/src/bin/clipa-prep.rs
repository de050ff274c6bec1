//! clipa-prep: prepares image-text data once, offline, losing nothing.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use clipa_prep::cli::{
    classes::{self, ClassesCommand},
    dedup::{self, DedupArgs},
    laion::{self, LaionCommand},
    synth::{self, SynthArgs},
    tagger::{self, TaggerArgs},
    takedown::{self, TakedownArgs},
};
use clipa_talk::Printer;

/// Prepares image-text data for clipa-train: once, offline, losing nothing
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// LAION-style data as img2dataset writes it
    #[command(subcommand)]
    Laion(LaionCommand),
    /// Classification sets for zero-shot evaluation
    #[command(subcommand)]
    Classes(ClassesCommand),
    /// Take what a list names out of a data set
    ///
    /// Writes only the shards concerned anew; the other rows keep their bytes. Of what is taken out, key and place stay
    /// among the rejects, so that nothing goes uncounted; caption, URL, hashes and pixels do not. Run it again if it was
    /// interrupted. Whoever makes the data set again must give the same list to `laion ingest --deny`.
    Takedown(TakedownArgs),
    Dedup(DedupArgs),
    /// Draw a captioned training set and a zero-shot set
    Synth(SynthArgs),
    /// Train and measure the part-of-speech tagger
    Tagger(TaggerArgs),
}

fn main() -> ExitCode {
    #[cfg(feature = "bert")]
    clipa_bert::install();
    let printer = Printer::new();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => return printer.usage(error.render()),
        Err(help) => help.exit(),
    };
    let outcome = match cli.command {
        Command::Laion(command) => laion::run(command, &printer),
        Command::Classes(command) => classes::run(command, &printer),
        Command::Takedown(args) => takedown::run(&args, &printer),
        Command::Dedup(args) => dedup::run(&args, &printer),
        Command::Synth(args) => synth::run(&args, &printer),
        Command::Tagger(args) => tagger::run(&args, &printer),
    };
    printer.exit(outcome)
}
