//! The command line: the commands and their help. Each command's own arguments stand in its module.

use crate::bench::BenchArguments;
use crate::demo::DemoOptions;
use crate::libtorch::LibtorchOptions;
use crate::peers::PeersArguments;
use crate::study::StudyArguments;
use clap::{Parser, Subcommand};

/// The project's own commands; everything fetched goes to .deps/ in the repository
#[derive(Debug, Parser)]
#[command(
    name = "xtask",
    bin_name = "cargo xtask",
    after_help = "\
Environment:
  LIBTORCH      a libtorch 2.11 of your own; nothing is fetched then
  XTASK_WHEELS  a folder with the wheels, for a machine without a network

Examples:
  cargo xtask demo
  cargo xtask help bench"
)]
pub(crate) struct CommandLine {
    /// What to do; without it, the help.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the main job end to end: images and captions to a zero-shot classifier
    ///
    /// Builds the programs (minutes the first time), then draws a captioned set, ingests it, pre-trains
    /// on short token sequences, fine-tunes at full length, writes a contact sheet, and reports
    /// zero-shot accuracy before and after fine-tuning. Each command is printed as you would type it. A
    /// second run continues where the first one ended and overwrites nothing. About 5 minutes on 2
    /// cores after the build, 600 MB of disk.
    #[command(after_help = "\
Examples:
  cargo xtask demo
  cargo xtask demo --input pairs/00000.tar --input pairs/00001.tar --output /tmp/mine")]
    Demo(DemoOptions),
    /// Run every check and every test, as CI does
    ///
    /// In CI's order: format, clippy, documentation, build, tests. All with the release profile, so
    /// that the heavy dependencies compile once (about 5 minutes of C++ the first time). Stops at the
    /// first failure.
    #[command(after_help = "\
Examples:
  cargo xtask test
  CLIPA_SHARED=/data/shared cargo xtask test    (also the tests that need the shared data)")]
    Test,
    /// Fetch libtorch 2.11.0, checked and trimmed, into .deps/libtorch
    ///
    /// Downloads three wheels with pip (544 MB), verifies their SHA-256, keeps headers and CPU
    /// libraries (514 MB) and removes the wheels. Does nothing where it is there or LIBTORCH names
    /// another one.
    #[command(after_help = "\
Examples:
  cargo xtask libtorch
  XTASK_WHEELS=/media/wheels cargo xtask libtorch")]
    Libtorch(LibtorchOptions),
    /// Compare with another program, in a Python environment of its own
    ///
    /// Makes .deps/peers/NAME from tests/peers/NAME/requirements.txt, once, builds the programs and
    /// runs tests/peers/NAME/run.py with the arguments that follow.
    #[command(after_help = "\
Examples:
  cargo xtask peers parquet
  cargo xtask peers parquet demo/pairs")]
    Peers(PeersArguments),
    /// Run one benchmark and print its figures
    ///
    /// There are images (decoding and resizing), text (cleaning, tagging, tokenizing), ingest (as a
    /// whole, beside decoding and resizing alone), stream (batches from a data set) and step (memory
    /// and time of a step in micro-batches, and of the loss alone).
    #[command(after_help = "\
Examples:
  cargo xtask bench images
  cargo xtask bench text captions.txt.gz")]
    Bench(BenchArguments),
    /// Repeat CLIPA's findings at toy size, with spread over seeds, and plot them
    ///
    /// Draws a set, pre-trains a small model in each cell, fine-tunes it at full length and classifies
    /// with it. `reductions` compares the eight reductions at equal tokens (7 cells of a minute or two
    /// on two cores); `law` two sizes of model over five lengths of images (10 cells, the longest
    /// five minutes). A study that was stopped goes on where it was; what failed is kept as a row.
    #[command(after_help = "\
Examples:
  cargo xtask study reductions
  cargo xtask study law --seeds 1 --only small-17 --only large-17")]
    Study(StudyArguments),
    /// Print the variables that a plain `cargo build` needs
    ///
    /// PATH with the build tools, and LIBTORCH, as lines that a shell evaluates. What is missing is
    /// fetched.
    #[command(after_help = "\
Examples:
  eval \"$(cargo xtask env)\" && cargo build --release
  cargo xtask env > .deps/env.sh")]
    Env,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, error::ErrorKind};

    fn parsed(line: &str) -> Result<Option<Command>, clap::Error> {
        let words = std::iter::once("xtask").chain(line.split_whitespace());
        CommandLine::try_parse_from(words).map(|line| line.command)
    }

    #[test]
    fn clap_finds_no_fault_in_the_commands() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn every_command_has_help_with_examples() {
        for command in CommandLine::command().get_subcommands_mut() {
            let help = command.render_long_help().to_string();
            let (_, examples) = help.split_once("\nExamples:\n").unwrap_or_default();
            assert!(examples.matches("cargo xtask ").count() >= 2, "{help}");
        }
    }

    #[test]
    fn wrong_words_are_named() {
        let cases = [
            ("dmo", "'demo'"),
            ("demo --outptu x", "'--output'"),
            ("demo extra", "extra"),
            ("demo --output", "--output"),
            ("demo --output=", "--output"),
            ("test --fast", "--fast"),
            ("libtorch --keep --keep", "--keep"),
            ("peers", "<NAME>"),
            ("bench --all", "--all"),
            ("help nothing", "nothing"),
        ];
        for (line, named) in cases {
            let error = parsed(line).unwrap_err();
            assert!(error.to_string().contains(named), "{line}: {error}");
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn no_words_are_no_error() {
        assert!(parsed("").unwrap().is_none());
    }

    #[test]
    fn an_input_may_be_repeated() {
        let Some(Command::Demo(options)) =
            parsed("demo --input a.tar --input=b.tar --classes c --output d").unwrap()
        else {
            panic!("another command");
        };
        let expected = DemoOptions {
            input: vec!["a.tar".into(), "b.tar".into()],
            classes: Some("c".into()),
            output: "d".into(),
        };
        assert_eq!(options, expected);
        let Some(Command::Demo(options)) = parsed("demo").unwrap() else {
            panic!("another command");
        };
        assert_eq!(options, DemoOptions::default());
    }

    #[test]
    fn what_follows_a_name_is_passed_on() {
        for words in ["images --help", "images -h x", "images -- --exact", "images --all x -- y"] {
            let bench = parsed(&format!("bench {words}")).unwrap();
            let peers = parsed(&format!("peers {words}")).unwrap();
            let (Some(Command::Bench(bench)), Some(Command::Peers(peers))) = (bench, peers) else {
                panic!("another command");
            };
            assert_eq!(bench.name_and_rest.join(" "), words);
            assert_eq!(peers.name_and_rest.join(" "), words);
        }
        for line in ["bench --help", "peers -h"] {
            assert_eq!(parsed(line).unwrap_err().kind(), ErrorKind::DisplayHelp, "{line}");
        }
    }
}
