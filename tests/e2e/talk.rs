//! How the programs talk and end: exit codes, bounds of what may be asked for, a machine without locks or threads, a
//! mistake of the program, Ctrl-C, and nothing from data that a terminal would obey.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use clipa_tests::{
    Finished, Member, Program, World, drawn_tars, inspect, members, prep, temporary, train, tree,
    write_tar,
};
use std::{fs, path::Path};

fn ingest(input: &Path, output: &Path) -> Program {
    prep(["laion", "ingest", "--image", "40:rgb8"]).arg(input).arg("--output").arg(output)
}

#[test]
fn a_number_of_threads_that_no_machine_has_is_refused_with_the_remedy() {
    for threads in ["0", "100000", "many", "-1", "18446744073709551616"] {
        let threads = format!("--threads={threads}");
        let said = [&*threads.replace("--threads=", "'"), "--threads"];
        for program in [
            prep(["laion", "ingest", "a.tar", "--output", "o"]),
            prep(["classes", "ingest", "a", "--output", "o"]),
            prep(["dedup", "o"]),
            prep(["takedown", "o", "--deny", "a"]),
            prep(["synth", "--output", "o"]),
            inspect(["verify", "o"]),
            train(["eval", "--run", "r", "--data", "d"]),
        ] {
            program.arg(&threads).exits_with(2).says(said);
        }
    }
}

#[test]
fn where_the_system_starts_no_more_threads_the_run_ends_with_the_remedy() {
    let folder = temporary();
    let output = folder.path().join("pairs");
    let many = ingest(&drawn_tars()[0], &output).args(["--threads", "64"]);
    let ended = many.with_fault("CLIPA_MAX_THREADS", "20").exits_with(1);
    let ended = ended.says(["no thread for `ingest-work`", "hint: name fewer --threads"]);
    assert_eq!(ended.stderr().matches("error:").count(), 1, "{}", ended.account());
    ingest(&drawn_tars()[0], &output).succeeds();
    // pieces that need nothing of each other are done by the threads that there are
    inspect(["verify", "--threads", "64"])
        .arg(&output)
        .with_fault("CLIPA_MAX_THREADS", "1")
        .succeeds();
}

#[test]
fn a_file_system_without_locks_is_a_warning_and_the_bytes_are_the_same() {
    let folder = temporary();
    let locked = folder.path().join("locked");
    ingest(&drawn_tars()[0], &locked).succeeds();
    for code in [libc_code::ENOSYS, libc_code::EOPNOTSUPP, libc_code::ENOLCK] {
        let output = folder.path().join(code);
        ingest(&drawn_tars()[0], &output).with_fault("CLIPA_FAIL_FLOCK", code).succeeds().says([
            "warning: ",
            "is on a file system without locks",
            "no other run",
        ]);
        tree(&locked).must_equal(&tree(&output));
        prep(["dedup", "--remove"])
            .arg(&output)
            .with_fault("CLIPA_FAIL_FLOCK", code)
            .succeeds()
            .says(["without locks"]);
    }
    let output = folder.path().join("failing");
    ingest(&drawn_tars()[0], &output)
        .with_fault("CLIPA_FAIL_FLOCK", libc_code::EIO)
        .exits_with(1)
        .says(["cannot lock"]);
}

/// Error numbers of Linux.
mod libc_code {
    pub(super) const EIO: &str = "5";
    pub(super) const ENOLCK: &str = "37";
    pub(super) const ENOSYS: &str = "38";
    pub(super) const EOPNOTSUPP: &str = "95";
}

#[test]
fn a_mistake_of_the_program_ends_the_run_with_its_place_and_the_next_run_finishes() {
    let folder = temporary();
    let input = folder.path().join("in");
    fs::create_dir(&input).unwrap();
    for (number, tar) in drawn_tars().iter().enumerate() {
        fs::copy(tar, input.join(format!("{number:05}.tar"))).unwrap();
    }
    let undisturbed = folder.path().join("undisturbed");
    ingest(&input, &undisturbed).succeeds();
    for (number, (place, said)) in [
        ("decode-7@00001.tar", "the stage `decode` at sample `"),
        ("read-0@00000.tar", "the stage `read` at sample `"),
        ("text-31@00002.tar", "the stage `text` at sample `"),
        ("write-0@00001.tar", "the stage `write` at the samples `"),
        ("commit@00001.tar", "the stage `commit` of "),
        ("open@00002.tar", "the stage `open` of "),
        ("feed@00000.tar", "the thread `ingest-feed` panicked"),
    ]
    .into_iter()
    .enumerate()
    {
        let output = folder.path().join(number.to_string());
        let threads = if number % 2 == 0 { "1" } else { "4" };
        // a run that hangs would never come back
        let mut limited = Program::new("clipa-prep", ["laion", "ingest", "--image", "40:rgb8"])
            .arg(&input)
            .args(["--threads", threads, "--output"])
            .arg(&output);
        limited = limited.with_variable("CLIPA_PANIC_AT", place);
        let ended = limited.within_time();
        let stderr = ended.stderr();
        let line = stderr.lines().find(|line| line.starts_with("error: ")).unwrap_or_default();
        assert!(line.contains(said) && ended.code() == Some(1), "{place}: {}", ended.account());
        if !place.starts_with("feed") {
            let tar = place.split('@').nth(1).unwrap();
            assert!(line.contains(&format!("in/{tar}")), "{place}: {line}");
        }
        assert!(stderr.contains("hint: finished units are kept"), "{stderr}");
        ingest(&input, &output).succeeds();
        tree(&undisturbed).must_equal(&tree(&output));
    }
}

#[test]
fn ctrl_c_is_exit_code_130_and_the_same_command_continues() {
    let folder = temporary();
    let (input, output) = (folder.path().join("in"), folder.path().join("pairs"));
    fs::create_dir(&input).unwrap();
    for number in 0..12 {
        let name = format!("{number:05}.tar");
        fs::copy(&drawn_tars()[number % 3], input.join(name)).unwrap();
    }
    let undisturbed = folder.path().join("undisturbed");
    ingest(&input, &undisturbed).succeeds();
    let first = output.join("shards/00000.json");
    ingest(&input, &output)
        .args(["--threads", "1"])
        .interrupted_when(|| first.exists())
        .has_code(130)
        .says(["interrupted", "hint: finished inputs are kept; run the same command again"]);
    ingest(&input, &output).succeeds();
    tree(&undisturbed).must_equal(&tree(&output));
    let drawing = folder.path().join("drawing");
    prep(["synth", "--samples", "20000", "--tars", "100", "--output"])
        .arg(&drawing)
        .interrupted_when(|| drawing.join("train").exists())
        .has_code(130)
        .says(["stopped before everything was drawn", "hint: the same command continues"]);
}

/// What a terminal would obey: a colour, a cleared screen, a carriage return, a bell, and text that runs backwards.
const EVIL: &str = "red\u{1b}[31m\u{1b}]0;title\u{7}\u{9b}2J\r\u{202e}\u{2066}txt";

/// Expects that neither stream holds what a terminal obeys; says whether one repeats the rest of it.
fn is_harmless(finished: &Finished) -> bool {
    let unwanted = |c: char| {
        (c.is_control() && !matches!(c, '\n' | '\t'))
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
    };
    let said = [finished.stdout(), finished.stderr()].concat();
    let found = said.chars().find(|&c| unwanted(c));
    assert_eq!(found, None, "{said:?}\n{}", finished.account());
    said.contains("red")
}

#[test]
fn nothing_from_data_or_the_command_line_reaches_a_terminal_as_a_command() {
    let world = World::new();
    let folder = temporary();
    let evil = folder.path().join(EVIL);
    fs::create_dir(&evil).unwrap();
    let mut all = members(&drawn_tars()[0]);
    all.extend(Member::sample(EVIL, Member::new("x.jpg", *b"no image"), EVIL));
    let tar = evil.join(format!("{EVIL}.tar"));
    write_tar(&tar, all);
    fs::write(evil.join(format!("{EVIL}_stats.json")), "{").unwrap();
    let output = evil.join("pairs");
    let classes = folder.path().join("classes");
    for (number, name) in [EVIL, "other"].into_iter().enumerate() {
        fs::create_dir_all(classes.join(name)).unwrap();
        let image =
            members(&drawn_tars()[number]).into_iter().find(|one| one.name.ends_with(".jpg"));
        fs::write(classes.join(name).join(format!("{EVIL}.jpg")), image.unwrap().content).unwrap();
    }
    let set = evil.join("set");
    let list = evil.join("list.txt");
    fs::write(&list, format!("{EVIL}\nhttps://images.invalid/{EVIL}\n")).unwrap();
    let recipe = evil.join("recipe.toml");
    let text = fs::read_to_string(world.path("recipe.toml")).unwrap();
    let name = serde_json::to_string(EVIL).unwrap();
    fs::write(
        &recipe,
        text.replacen("name = \"test\"", &format!("name = {name}\n{name} = {name}"), 1),
    )
    .unwrap();
    let runs = vec![
        ingest(&tar, &output),
        ingest(&tar, &output).arg("--json"),
        ingest(&evil.join("missing.tar"), &output),
        ingest(&tar, &output).args(["--deny"]).arg(&list),
        ingest(&tar, &output).args(["--image", EVIL]),
        ingest(&tar, &output).args(["--tagger", EVIL]),
        prep(["classes", "ingest", "--image", "40:rgb8", "--output"]).arg(&set).arg(&classes),
        prep(["takedown", "--dry-run", "--deny"]).arg(&list).arg(&output),
        prep(["dedup"]).arg(&evil),
        prep([EVIL]),
        inspect(["summary"]).arg(&output),
        inspect(["verify"]).arg(&output),
        inspect(["rejects"]).arg(&output),
        inspect(["rejects", "--json"]).arg(&output),
        inspect(["rejects", "--reason", EVIL]).arg(&output),
        inspect(["sample", "--key", EVIL]).arg(&output),
        inspect(["summary"]).arg(&evil),
        inspect([EVIL]),
        train(["pretrain", "--dry-run", "--recipe"])
            .arg(&recipe)
            .arg("--data")
            .arg(&output)
            .arg("--output")
            .arg(&evil),
        train(["pretrain", "--recipe", EVIL, "--data", "d", "--output", "o"]),
        train(["pretrain", "--recipe"])
            .arg(world.path("recipe.toml"))
            .args(["--set", &format!("stage.{EVIL}=1"), "--data"])
            .arg(world.path("pairs"))
            .args(["--output", "o", "--dry-run"]),
        train(["eval", "--run"]).arg(&evil).arg("--data").arg(&set),
        train(["recipes", EVIL]),
        train([EVIL]),
    ];
    let commands = runs.len();
    let repeated = runs.into_iter().map(Program::run).filter(is_harmless).count();
    assert!(
        repeated > commands / 2,
        "{repeated} of {commands} messages repeat what they are about"
    );
}
