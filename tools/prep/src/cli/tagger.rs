//! `clipa-prep tagger`: train the embedded tagger, and measure a tagger.

mod show;

use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use self::show::ShowArgs;
use clipa_text::tagger::corpus::read_corpus;
use clipa_text::tagger::evaluation::{CLASSES, evaluate};
use clipa_text::tagger::{TaggerChoice, Training, perceptron_with_weights, train_perceptron};

/// Train a part-of-speech tagger, measure one, or see what it does.
///
/// The tagger decides which words of a caption the syntax mask keeps (nouns, adjectives, verbs, the rest). The one inside
/// this binary was trained by `tagger train` on UD English-EWT; train another one for other text, or to reproduce ours.
#[derive(Args, Debug)]
pub struct TaggerArgs {
    #[command(subcommand)]
    command: TaggerCommand,
}

#[derive(Subcommand, Debug)]
enum TaggerCommand {
    Train(TrainArgs),
    Eval(EvalArgs),
    Show(ShowArgs),
}

/// Train the perceptron tagger on tagged sentences and write its weights.
///
/// The same sentences, rounds and seed give the same bytes on every machine. Takes about half a minute of processor time for 200,000 words.
///
/// Examples:
///   clipa-prep tagger train --train ewt_train.tsv.gz --output weights.bin
///   clipa-prep tagger train --train mine.tsv --output mine.bin --rounds 5
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct TrainArgs {
    /// Sentences to learn from: `word TAB Penn tag` a line, an empty line between sentences; gzip or plain
    #[arg(long, value_name = "FILE")]
    train: PathBuf,
    /// Where to write the weights; must not exist
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// How often each of three learners sees all sentences; fewer is faster, more than 10 gains little on 200,000 words
    #[arg(long, default_value_t = Training::default().rounds, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Decides the order of the sentences
    #[arg(long, default_value_t = Training::default().seed)]
    seed: u64,
}

/// Print how often a tagger agrees with tagged sentences, and its speed.
///
/// The words are those of the file, so only the tags are measured.
///
/// Examples:
///   clipa-prep tagger eval --data ewt_dev.tsv.gz
///   clipa-prep tagger eval --data ewt_dev.tsv.gz --weights mine.bin
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct EvalArgs {
    /// Sentences to compare with, in the form that `tagger train` reads
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// Which tagger: perceptron (inside this binary), nltk:DIR (NLTK's JSON files) or bert:DIR (needs the feature bert)
    #[arg(long, default_value_t, value_name = "TAGGER")]
    tagger: TaggerChoice,
    /// Weights that `tagger train` wrote, in place of those inside this binary
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
}

/// Runs the command; results go to standard output, progress to standard error.
pub fn run(args: TaggerArgs) -> anyhow::Result<()> {
    match args.command {
        TaggerCommand::Train(args) => run_train(&args, &mut std::io::stderr().lock()),
        TaggerCommand::Eval(args) => run_eval(&args, &mut std::io::stdout().lock()),
        TaggerCommand::Show(args) => show::run(&args),
    }
}

fn run_train(args: &TrainArgs, talk: &mut dyn Write) -> anyhow::Result<()> {
    if args.output.exists() {
        bail!(
            "{} exists already\nhint: give another --output, or remove it",
            args.output.display()
        );
    }
    let sentences = read_corpus(&args.train)?;
    let words: usize = sentences.iter().map(|sentence| sentence.words.len()).sum();
    writeln!(talk, "{} sentences, {words} words", sentences.len())?;
    let training = Training { rounds: args.rounds, seed: args.seed };
    let mut written = Ok(());
    let weights = train_perceptron(&sentences, training, |round| {
        let right = 100.0 * round.right as f64 / round.decided.max(1) as f64;
        let line = writeln!(talk, "round {} of {}: {right:.2} % right", round.number, round.of);
        if written.is_ok() {
            written = line;
        }
    });
    written?;
    std::fs::write(&args.output, &weights)
        .with_context(|| format!("cannot write the weights to {}", args.output.display()))?;
    writeln!(talk, "{}: {} bytes", args.output.display(), weights.len())?;
    Ok(())
}

fn run_eval(args: &EvalArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let sentences = read_corpus(&args.data)?;
    let tagger = match &args.weights {
        Some(path) => {
            let bytes =
                std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            perceptron_with_weights(&bytes)?
        }
        None => match args.tagger.open()? {
            Some(tagger) => tagger,
            None => {
                let default = TaggerChoice::default();
                bail!("`{}` tags nothing\nhint: --tagger {default}", args.tagger)
            }
        },
    };
    let start = Instant::now();
    let agreement = evaluate(tagger.as_ref(), &sentences);
    let seconds = start.elapsed().as_secs_f64();
    let percent = |part: u64, whole: u64| 100.0 * part as f64 / whole.max(1) as f64;
    writeln!(out, "tagger   {}", tagger.identity())?;
    writeln!(out, "words    {}", agreement.words)?;
    writeln!(out, "tags     {:.2} % right", percent(agreement.tags, agreement.words))?;
    writeln!(out, "classes  {:.2} % right", percent(agreement.classes, agreement.words))?;
    for (class, (words, right)) in CLASSES.iter().zip(agreement.by_class) {
        let class = format!("{class:?}").to_lowercase();
        writeln!(out, "  {class:<9}  {:.2} % of {words} found", percent(right, words))?;
    }
    writeln!(
        out,
        "speed    {:.3} million words/s on one core",
        agreement.words as f64 / seconds / 1e6
    )?;
    Ok(())
}
