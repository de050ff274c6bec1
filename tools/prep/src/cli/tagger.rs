//! `clipa-prep tagger`: train the embedded tagger, and measure a tagger.

mod show;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};

use self::show::ShowArgs;
use clipa_talk::figures::{bytes, count, rate};
use clipa_talk::{Failure, Outcome, Printer, WithHint};
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
///
/// # Errors
/// A file that cannot be read or is not what it should be, weights that are there already.
pub fn run(args: &TaggerArgs, printer: &Printer) -> anyhow::Result<Outcome> {
    match &args.command {
        TaggerCommand::Train(args) => run_train(args, printer)?,
        TaggerCommand::Eval(args) => run_eval(args, printer)?,
        TaggerCommand::Show(args) => show::run(args, printer)?,
    }
    Ok(Outcome::Fine)
}

fn run_train(args: &TrainArgs, printer: &Printer) -> anyhow::Result<()> {
    let output = args.output.display();
    if args.output.exists() {
        let error = anyhow!("{output} exists already");
        return Err(Failure::new(error, "give another --output, or remove it").into());
    }
    let sentences = read_corpus(&args.train)?;
    let words: usize = sentences.iter().map(|sentence| sentence.words.len()).sum();
    let (number, words) = (count(sentences.len() as u64), count(words as u64));
    printer.say(format!("{number} sentences, {words} words"));
    let training = Training { rounds: args.rounds, seed: args.seed };
    let weights = train_perceptron(&sentences, training, |round| {
        let right = accuracy(round.right, round.decided);
        printer.say(format!("round {} of {}: {right} right", round.number, round.of));
    });
    std::fs::write(&args.output, &weights)
        .with_context(|| format!("cannot write the weights to {output}"))?;
    printer.say(format!("{output}: {}", bytes(weights.len() as u64)));
    Ok(())
}

fn run_eval(args: &EvalArgs, printer: &Printer) -> anyhow::Result<()> {
    let sentences = read_corpus(&args.data)?;
    let tagger = match &args.weights {
        Some(path) => {
            let bytes =
                std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            perceptron_with_weights(&bytes)?
        }
        None => {
            let hint = format!("--tagger {}", TaggerChoice::default());
            args.tagger.open()?.context("`none` tags nothing").hint(hint)?
        }
    };
    let start = Instant::now();
    let agreement = evaluate(tagger.as_ref(), &sentences);
    let elapsed = start.elapsed();
    let words = agreement.words;
    printer.data(format!("tagger   {}", tagger.identity()));
    printer.data(format!("words    {}", count(words)));
    printer.data(format!("tags     {} right", accuracy(agreement.tags, words)));
    printer.data(format!("classes  {} right", accuracy(agreement.classes, words)));
    for (class, (words, right)) in CLASSES.iter().zip(agreement.by_class) {
        let class = format!("{class:?}").to_lowercase();
        let (found, words) = (accuracy(right, words), count(words));
        printer.data(format!("  {class:<9}  {found} of {words} found"));
    }
    printer.data(format!("speed    {} on one core", rate(words, "words", elapsed)));
    Ok(())
}

/// Two decimals, as papers about taggers have them.
fn accuracy(right: u64, of: u64) -> String {
    format!("{:.2} %", 100.0 * right as f64 / of.max(1) as f64)
}
