//! The command line: words to a checked [`Request`], and the help texts.

use crate::demo::DemoOptions;
use std::path::PathBuf;

/// What the command line asks for.
#[derive(Debug, PartialEq)]
pub(crate) enum Request {
    /// Print this text.
    Help(String),
    /// Fetch libtorch.
    Libtorch { keep_wheels: bool },
    /// Run every check and test.
    Test,
    /// Run the main job end to end.
    Demo(DemoOptions),
    /// Compare with another program.
    Peers { name: String, arguments: Vec<String> },
    /// Run one benchmark.
    Bench { name: String, arguments: Vec<String> },
    /// Print the build's environment.
    Env,
}

/// A command line that is wrong, in one sentence.
#[derive(Debug, PartialEq)]
pub(crate) struct UsageError(pub(crate) String);

const OVERVIEW: &str = "\
The project's own commands; everything fetched goes to .deps/ in the repository.

Usage: cargo xtask COMMAND [OPTIONS]

Commands:
  demo       Run the main job end to end: images and captions to a zero-shot classifier
  test       Run every check and every test, as CI does
  libtorch   Fetch libtorch 2.11.0, checked and trimmed, into .deps/libtorch
  peers      Compare with another program, in a Python environment of its own
  bench      Run one benchmark
  env        Print the variables that a plain `cargo build` needs
  help       Print this text, or the help of a command

Environment:
  LIBTORCH       a libtorch 2.11 of your own; nothing is fetched then
  XTASK_WHEELS   a folder with the wheels, for a machine without a network
";

/// Help of each command: the first line is a phrase, two examples end it.
const COMMANDS: [(&str, &str); 6] = [
    (
        "demo",
        "\
Run the main job end to end and report zero-shot accuracy before and after fine-tuning.

Builds the programs (minutes the first time), then draws a captioned set, ingests it, pre-trains on
short token sequences, fine-tunes at full length, evaluates, and writes a contact sheet. Each command
is printed as you would type it. A second run continues where the first one ended and overwrites
nothing. About 5 minutes on 2 cores after the build, 600 MB of disk.

Usage: cargo xtask demo [OPTIONS]

Options:
  --input TAR      Train on this img2dataset tar instead of drawn images; may be repeated. Accuracy
                   is then reported only with --classes
  --classes DIR    Evaluate on this set: a folder per class, or WebDataset tars with .cls
  --output DIR     Folder of everything that is written [default: demo]
  -h, --help       Print this text

Examples:
  cargo xtask demo
  cargo xtask demo --input pairs/00000.tar --input pairs/00001.tar --output /tmp/mine
",
    ),
    (
        "test",
        "\
Run every check and every test, in CI's order: format, clippy, documentation, build, tests.

All with the release profile, so that the heavy dependencies compile once (about 5 minutes of C++ the
first time). Stops at the first failure.

Usage: cargo xtask test

Examples:
  cargo xtask test
  CLIPA_SHARED=/data/shared cargo xtask test    (also the tests that need the shared data)
",
    ),
    (
        "libtorch",
        "\
Fetch libtorch 2.11.0, checked and trimmed, into .deps/libtorch.

Downloads three wheels with pip (544 MB), verifies their SHA-256, keeps headers and CPU libraries
(514 MB) and removes the wheels. Does nothing where it is there or LIBTORCH names another one.

Usage: cargo xtask libtorch [OPTIONS]

Options:
  --keep       Keep the wheels in .deps/wheels, to copy them to a machine without a network
  -h, --help   Print this text

Examples:
  cargo xtask libtorch
  XTASK_WHEELS=/media/wheels cargo xtask libtorch
",
    ),
    (
        "peers",
        "\
Compare with another program, in a Python environment of its own.

Makes .deps/peers/NAME from tests/peers/NAME/requirements.txt, once, builds the programs and runs
tests/peers/NAME/run.py with the arguments that follow.

Usage: cargo xtask peers NAME [ARGUMENT]...

Examples:
  cargo xtask peers parquet
  cargo xtask peers parquet demo/pairs
",
    ),
    (
        "bench",
        "\
Run one benchmark and print its figures: images (decoding and resizing), text (cleaning, tagging,
tokenizing) or stream (batches from a data set).

Usage: cargo xtask bench NAME [ARGUMENT]...

Examples:
  cargo xtask bench images
  cargo xtask bench text captions.txt.gz
",
    ),
    (
        "env",
        "\
Print the variables that a plain `cargo build` needs: PATH with the build tools, and LIBTORCH.

Usage: cargo xtask env

Examples:
  eval \"$(cargo xtask env)\" && cargo build --release
  cargo xtask env > .deps/env.sh
",
    ),
];

/// Reads the words after `cargo xtask`.
///
/// # Errors
/// An unknown command or option, or an option without its value.
pub(crate) fn parse(words: impl Iterator<Item = String>) -> Result<Request, UsageError> {
    let mut words: Vec<String> = words.collect();
    if words.is_empty() || ["-h", "--help"].contains(&words[0].as_str()) {
        return Ok(Request::Help(OVERVIEW.into()));
    }
    let command = words.remove(0);
    if command == "help" {
        return match words.first() {
            None => Ok(Request::Help(OVERVIEW.into())),
            Some(name) => help(name),
        };
    }
    let own_words = if takes_foreign_arguments(&command) { 1 } else { words.len() };
    if words.iter().take(own_words).any(|word| word == "-h" || word == "--help") {
        return help(&command);
    }
    match command.as_str() {
        "demo" => demo(words),
        "test" => no_words("test", &words).map(|()| Request::Test),
        "env" => no_words("env", &words).map(|()| Request::Env),
        "libtorch" => match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [] => Ok(Request::Libtorch { keep_wheels: false }),
            ["--keep"] => Ok(Request::Libtorch { keep_wheels: true }),
            _ => Err(unexpected("libtorch", &words[0])),
        },
        "peers" => {
            named("peers", words).map(|(name, arguments)| Request::Peers { name, arguments })
        }
        "bench" => {
            named("bench", words).map(|(name, arguments)| Request::Bench { name, arguments })
        }
        _ => Err(UsageError(format!("there is no command `{command}`"))),
    }
}

/// `peers` and `bench` pass on what follows their name, `--help` too.
fn takes_foreign_arguments(command: &str) -> bool {
    ["peers", "bench"].contains(&command)
}

fn help(command: &str) -> Result<Request, UsageError> {
    COMMANDS
        .iter()
        .find(|(name, _)| *name == command)
        .map(|(_, text)| Request::Help((*text).into()))
        .ok_or_else(|| UsageError(format!("there is no command `{command}`")))
}

fn demo(words: Vec<String>) -> Result<Request, UsageError> {
    let mut options = DemoOptions::default();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let (option, value) = match word.split_once('=') {
            Some((option, value)) => (option.to_owned(), Some(value.to_owned())),
            None => (word, None),
        };
        if !["--input", "--classes", "--output"].contains(&option.as_str()) {
            return Err(unexpected("demo", &option));
        }
        let value = value
            .or_else(|| words.next())
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
            .ok_or_else(|| UsageError(format!("`{option}` needs a path")))?;
        match option.as_str() {
            "--input" => options.input.push(value),
            "--classes" => options.classes = Some(value),
            _ => options.output = value,
        }
    }
    Ok(Request::Demo(options))
}

fn named(command: &str, mut words: Vec<String>) -> Result<(String, Vec<String>), UsageError> {
    match words.first() {
        Some(name) if !name.starts_with('-') => Ok((words.remove(0), words)),
        Some(option) => Err(unexpected(command, option)),
        None => Err(UsageError(format!("`cargo xtask {command}` needs a name"))),
    }
}

fn no_words(command: &str, words: &[String]) -> Result<(), UsageError> {
    words.first().map_or(Ok(()), |word| Err(unexpected(command, word)))
}

fn unexpected(command: &str, word: &str) -> UsageError {
    UsageError(format!("`cargo xtask {command}` does not take `{word}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Request, UsageError> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn every_command_has_help_with_examples() {
        for (name, text) in COMMANDS {
            assert!(OVERVIEW.contains(&format!("\n  {name} ")), "{name} is not listed");
            assert_eq!(parsed(&format!("{name} --help")), Ok(Request::Help(text.into())));
            assert_eq!(parsed(&format!("help {name}")), Ok(Request::Help(text.into())));
            let examples = text.split_once("\nExamples:\n").map_or(0, |(_, e)| e.lines().count());
            assert!(examples >= 2, "{name}");
        }
        assert_eq!(parsed(""), Ok(Request::Help(OVERVIEW.into())));
    }

    #[test]
    fn wrong_words_are_named() {
        let cases = [
            ("dmo", "dmo"),
            ("demo --outptu x", "--outptu"),
            ("demo extra", "extra"),
            ("demo --output", "--output"),
            ("demo --output=", "--output"),
            ("test --fast", "--fast"),
            ("libtorch --keep --keep", "--keep"),
            ("peers", "peers"),
            ("bench --all", "--all"),
            ("help nothing", "nothing"),
        ];
        for (line, named) in cases {
            let UsageError(message) = parsed(line).unwrap_err();
            assert!(message.contains(named), "{line}: {message}");
        }
    }

    #[test]
    fn options_reach_the_request() {
        let expected = DemoOptions {
            input: vec!["a.tar".into(), "b.tar".into()],
            classes: Some("c".into()),
            output: "d".into(),
        };
        let line = "demo --input a.tar --input=b.tar --classes c --output d";
        assert_eq!(parsed(line), Ok(Request::Demo(expected)));
        let foreign = vec!["x".to_owned(), "--help".to_owned()];
        let peers = Request::Peers { name: "parquet".into(), arguments: foreign };
        assert_eq!(parsed("peers parquet x --help"), Ok(peers));
    }
}
