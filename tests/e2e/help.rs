//! The help of every command is what `golden/help` holds; `CLIPA_UPDATE_GOLDEN=1` writes it anew.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use clipa_tests::Program;
use std::path::{Path, PathBuf};

/// Every command with its own help, the program's own first.
const COMMANDS: [(&str, &[&str]); 4] = [
    (
        "clipa-prep",
        &[
            "",
            "laion",
            "laion ingest",
            "classes ingest",
            "takedown",
            "dedup",
            "synth",
            "tagger train",
            "tagger eval",
        ],
    ),
    ("clipa-inspect", &["", "summary", "sample", "grid", "verify", "rejects"]),
    (
        "clipa-train",
        &[
            "", "pretrain", "finetune", "run", "eval", "embed", "bench", "export", "import",
            "recipes",
        ],
    ),
    ("xtask", &["", "demo", "test", "libtorch", "peers", "bench", "study", "env"]),
];

fn golden(program: &str, command: &str) -> PathBuf {
    let name = format!("{program} {command}").trim().replace(' ', "-");
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/help").join(name).with_extension("txt")
}

#[test]
fn every_help_is_as_agreed() {
    let update = std::env::var_os("CLIPA_UPDATE_GOLDEN").is_some();
    let mut different = Vec::new();
    for (program, commands) in COMMANDS {
        for command in commands {
            let finished =
                Program::new(program, []).args(command.split_whitespace()).arg("--help").succeeds();
            let (help, file) = (finished.stdout(), golden(program, command));
            if update {
                std::fs::create_dir_all(file.parent().unwrap()).unwrap();
                std::fs::write(&file, &help).unwrap();
            } else if std::fs::read_to_string(&file).ok().as_deref() != Some(help.as_str()) {
                different.push(format!("{program} {command}\n{help}"));
            }
        }
    }
    assert!(
        different.is_empty(),
        "other help; CLIPA_UPDATE_GOLDEN=1 accepts it:\n{}",
        different.join("\n")
    );
}

#[test]
fn the_help_of_a_program_names_every_command() {
    for (program, commands) in COMMANDS {
        let help = Program::new(program, ["--help"]).succeeds().stdout();
        for command in commands.iter().filter_map(|command| command.split(' ').next()) {
            assert!(help.contains(command), "{program} --help lacks {command}:\n{help}");
        }
    }
}

#[test]
fn a_wrong_command_line_is_exit_code_2() {
    for (program, _) in COMMANDS {
        Program::new(program, ["frobnicate"]).exits_with(2).says(["frobnicate"]);
        Program::new(program, ["--frobnicate"]).exits_with(2).says(["--frobnicate"]);
    }
}
