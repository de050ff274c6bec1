//! What "done" means: a unit is done as long as what it was made from is the same, by content. And entries say nothing of
//! where that lay.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use clipa_tests::{
    Finished, Member, Program, Tree, counts, drawn_tars, members, prep, shared, temporary, tree,
    write_table, write_tar,
};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Larger than what is always compared byte by byte.
const LARGE_BYTES: usize = 5 << 20;

fn ingest(input: &Path, output: &Path) -> Program {
    prep(["laion", "ingest", "--image", "40:rgb8", "--json"]).arg(input).arg("--output").arg(output)
}

/// What an ingest into a new folder makes of the input.
fn fresh(input: &Path) -> Tree {
    let folder = temporary();
    let output = folder.path().join("fresh");
    ingest(input, &output).run();
    tree(&output)
}

/// Runs the command that the hint names after `begin`, as a person would paste it.
fn follow_hint(finished: &Finished, begin: &str) {
    let said = finished.stderr();
    let command = said.lines().find_map(|line| line.split_once(begin)).unwrap().1;
    let command = command.split(" (").next().unwrap();
    assert!(command.starts_with("rm "), "{command}");
    assert!(Command::new("sh").args(["-c", command]).status().unwrap().success());
}

const REMEDY: &str = "run the same command again: ";

/// Members of a drawn tar, with other words of the same length in one caption.
fn other_words() -> Vec<Member> {
    let mut all = members(&drawn_tars()[0]);
    let caption = all.iter_mut().find(|member| member.name.ends_with(".txt")).unwrap();
    caption.content.fill(b'x');
    all
}

#[test]
fn an_input_replaced_by_another_of_its_name_and_length_is_refused_and_the_remedy_makes_it_anew() {
    let folder = temporary();
    let (input, output) = (folder.path().join("my input"), folder.path().join("my pairs"));
    fs::create_dir(&input).unwrap();
    let tar = input.join("00000.tar");
    write_tar(&tar, members(&drawn_tars()[0]));
    ingest(&input, &output).succeeds();
    let before = tree(&output);
    let (length, time) =
        (fs::metadata(&tar).unwrap().len(), fs::metadata(&tar).unwrap().modified());
    write_tar(&tar, other_words());
    // as a copying tool sets it
    fs::File::options().append(true).open(&tar).unwrap().set_modified(time.unwrap()).unwrap();
    assert_eq!(fs::metadata(&tar).unwrap().len(), length);
    let refused = ingest(&input, &output).exits_with(1).says([
        "my input/00000.tar: 00000.tar has the same length and other bytes",
        "hint: name the same inputs as before, or another --output",
    ]);
    before.must_equal(&tree(&output));
    follow_hint(&refused, REMEDY);
    ingest(&input, &output).succeeds();
    fresh(&input).must_equal(&tree(&output));
}

#[test]
fn a_tar_of_another_folder_is_not_taken_for_the_one_that_was_done() {
    let Some(case) = shared("data/cases/20-replaced-input") else { return };
    let folder = temporary();
    let output = folder.path().join("pairs");
    ingest(&case.join("a/00000.tar"), &output).run();
    let before = tree(&output);
    ingest(&case.join("b/00000.tar"), &output)
        .exits_with(1)
        .says(["b/00000.tar: 00000.tar has the same length and other bytes"]);
    before.must_equal(&tree(&output));
    let again = ingest(&case.join("a/00000.tar"), &output).run();
    assert!(again.stderr().contains("nothing to do"), "{}", again.account());
}

#[test]
fn a_copy_or_a_touched_file_is_still_done() {
    let folder = temporary();
    let (one, other, output) =
        (folder.path().join("one"), folder.path().join("other"), folder.path().join("pairs"));
    for (folder, tar) in [(&one, "00000.tar"), (&other, "00000.tar")] {
        fs::create_dir(folder).unwrap();
        write_tar(&folder.join(tar), members(&drawn_tars()[0]));
    }
    ingest(&one, &output).succeeds();
    let before = tree(&output);
    for input in [&other, &one] {
        let tar = fs::File::options().append(true).open(input.join("00000.tar")).unwrap();
        tar.set_modified(std::time::SystemTime::now()).unwrap();
        ingest(input, &output).succeeds().says(["nothing to do: 1 input done already"]);
        before.must_equal(&tree(&output));
    }
}

#[test]
fn one_changed_byte_anywhere_in_a_large_tar_is_noticed() {
    let folder = temporary();
    let (tar, output) = (folder.path().join("00000.tar"), folder.path().join("pairs"));
    let mut all = members(&drawn_tars()[0]);
    all.push(Member::new("zzz.bin", vec![7; LARGE_BYTES]));
    write_tar(&tar, all);
    let args = ["--threads", "1"];
    ingest(&tar, &output).args(args).run();
    let whole = fs::read(&tar).unwrap();
    for place in [1 << 20, whole.len() / 2 + 12_345, whole.len() - 1500] {
        let mut changed = whole.clone();
        changed[place] ^= 1;
        fs::write(&tar, changed).unwrap();
        let refused = ingest(&tar, &output).args(args).run();
        // what already had problems is done anew, what had none is refused: noticed either way
        let said = refused.stderr();
        assert!(said.contains("the same length and other bytes"), "{place}: {said}");
        fs::write(&tar, &whole).unwrap();
        ingest(&tar, &output).args(args).run();
    }
    let again = ingest(&tar, &output).args(args).run();
    assert!(again.stderr().contains("nothing to do"), "{}", again.account());
}

/// Tar and table of two samples.
fn with_table(folder: &Path, table: &[Value]) -> PathBuf {
    let tar = folder.join("00000.tar");
    let images = members(&drawn_tars()[0]).into_iter().filter(|one| one.name.ends_with(".jpg"));
    let samples = images.take(2).enumerate().flat_map(|(number, image)| {
        let key = format!("00000000{number}");
        [
            Member::new(format!("{key}.jpg"), image.content),
            Member::new(format!("{key}.txt"), "a dog"),
        ]
    });
    write_tar(&tar, samples);
    write_table(&folder.join("00000.parquet"), table);
    tar
}

fn row(number: u32, similarity: f64) -> Value {
    json!({"key": format!("00000000{number}"), "url": format!("https://images.invalid/{number}"),
        "similarity": similarity, "status": "success"})
}

#[test]
fn a_table_that_was_repaired_is_joined_by_the_same_command() {
    let folder = temporary();
    let keyless =
        [json!({"url": "https://images.invalid/0"}), json!({"url": "https://images.invalid/1"})];
    let tar = with_table(folder.path(), &keyless);
    let output = folder.path().join("pairs");
    ingest(&tar, &output).exits_with(1).says(["same command"]);
    // it stays doubtful, and is not done again for nothing
    ingest(&tar, &output).exits_with(1).says(["nothing to do"]);
    write_table(&folder.path().join("00000.parquet"), &[row(0, 0.5), row(1, 0.25)]);
    ingest(&tar, &output).succeeds().says(["doing unit 0 anew", "00000.parquet"]);
    fresh(&tar).must_equal(&tree(&output));
}

#[test]
fn the_table_of_the_case_is_joined_when_it_is_repaired() {
    let Some(case) = shared("data/cases/table-without-key") else { return };
    let folder = temporary();
    for file in ["00000.tar", "00000.parquet"] {
        fs::copy(case.join(file), folder.path().join(file)).unwrap();
    }
    let (tar, output) = (folder.path().join("00000.tar"), folder.path().join("pairs"));
    let run = || ingest(&tar, &output).arg("--deny").arg(case.join("deny.txt")).run();
    let first = run();
    fs::copy(case.join("good.parquet"), folder.path().join("00000.parquet")).unwrap();
    let second = run();
    assert!(
        !second.stderr().contains("nothing to do"),
        "{}\n{}",
        first.account(),
        second.account()
    );
    let anew = folder.path().join("anew");
    ingest(&tar, &anew).arg("--deny").arg(case.join("deny.txt")).run();
    tree(&anew).must_equal(&tree(&output));
}

#[test]
fn a_table_that_changed_appeared_or_went_is_no_reason_to_say_done() {
    let folder = temporary();
    let tar = with_table(folder.path(), &[row(0, 0.5), row(1, 0.25)]);
    let (table, output) = (folder.path().join("00000.parquet"), folder.path().join("pairs"));
    ingest(&tar, &output).succeeds();
    let good = fs::read(&table).unwrap();
    write_table(&table, &[row(0, 0.5), row(1, 0.75)]);
    ingest(&tar, &output).exits_with(1).says(["00000.parquet has"]);
    fs::remove_file(&table).unwrap();
    ingest(&tar, &output).exits_with(1).says(["00000.parquet is not there now"]);
    fs::write(&table, good).unwrap();
    ingest(&tar, &output).succeeds().says(["nothing to do"]);
    fs::write(folder.path().join("00000_stats.json"), r#"{"count": 2, "successes": 2}"#).unwrap();
    ingest(&tar, &output).exits_with(1).says(["00000_stats.json was not there then"]);
}

#[test]
fn what_was_taken_down_does_not_come_back_because_its_input_changed() {
    let folder = temporary();
    let tar = with_table(
        folder.path(),
        &[row(0, 0.5), json!({"key": "9", "url": "https://images.invalid/9"})],
    );
    let output = folder.path().join("pairs");
    ingest(&tar, &output).exits_with(1);
    let list = folder.path().join("deny.txt");
    fs::write(&list, "https://images.invalid/0\n").unwrap();
    prep(["takedown"]).arg(&output).arg("--deny").arg(&list).succeeds();
    write_table(&folder.path().join("00000.parquet"), &[row(0, 0.5), row(1, 0.25)]);
    ingest(&tar, &output).exits_with(1).says(["brings them back unless --deny names them"]);
}

#[test]
fn entries_do_not_depend_on_how_a_path_is_spelled() {
    let folder = temporary();
    let input = folder.path().join("a");
    fs::create_dir(&input).unwrap();
    let broken = Member::new("x.jpg", *b"no image");
    let huge = Member::new("y.txt", vec![b'a'; (1 << 20) + 1]);
    let mut odd = Member::sample("x", broken, "a broken image").to_vec();
    odd.extend([Member::new("y.jpg", members(&drawn_tars()[0])[0].content.clone()), huge]);
    write_tar(&input.join("0.tar"), odd.clone());
    write_tar(&input.join("1.tar"), members(&drawn_tars()[1]));
    // a table that contradicts its tar: the problem stands in the entry
    write_table(&input.join("0.parquet"), &[row(0, 0.5)]);
    fs::write(input.join("1_stats.json"), "{").unwrap();
    let absolute = |name: &str| input.join(name).to_str().unwrap().to_owned();
    let spelled: [Vec<String>; 6] = [
        vec!["a".to_owned()],
        vec!["./a/0.tar".to_owned(), "./a/1.tar".to_owned()],
        vec![absolute("0.tar"), absolute("1.tar")],
        vec!["a/*.tar".to_owned()],
        vec!["a/../a/{0..1}.tar".to_owned()],
        vec![absolute("")],
    ];
    let mut first: Option<Tree> = None;
    for (number, inputs) in spelled.iter().enumerate() {
        let output = folder.path().join(format!("out-{number}"));
        let said = prep(["laion", "ingest", "--image", "40:rgb8", "--json", "--output"])
            .arg(&output)
            .args(inputs)
            .within(folder.path())
            .exits_with(1)
            .stderr();
        // messages name what the person named
        let named = inputs[0].trim_end_matches("0.tar").trim_end_matches("*.tar");
        let named = named.split('{').next().unwrap().trim_end_matches('/');
        assert!(said.contains(&format!("{named}/0.tar: ")), "{inputs:?}: {said}");
        let made = tree(&output);
        first.get_or_insert_with(|| tree(&output)).must_equal(&made);
    }
    // another folder holds the same tars
    let moved = folder.path().join("moved");
    fs::rename(&input, &moved).unwrap();
    let output = folder.path().join("out-moved");
    ingest(&moved, &output).exits_with(1);
    first.unwrap().must_equal(&tree(&output));
}

#[test]
fn a_folder_of_classes_is_compared_by_content_and_named_without_its_place() {
    let folder = temporary();
    let set = folder.path().join("set");
    let images: Vec<Member> =
        members(&drawn_tars()[0]).into_iter().filter(|one| one.name.ends_with(".jpg")).collect();
    for (class, image) in ["ape", "bee"].into_iter().zip(&images) {
        fs::create_dir_all(set.join(class)).unwrap();
        fs::write(set.join(class).join("1.jpg"), &image.content).unwrap();
    }
    let classes = |input: &str, within: &Path, output: &Path| {
        prep(["classes", "ingest", "--image", "40:rgb8", "--json"])
            .arg(input)
            .arg("--output")
            .arg(output)
            .within(within)
    };
    let output = folder.path().join("out");
    classes("set", folder.path(), &output).succeeds();
    for (number, (input, within)) in
        [("./set/", folder.path()), (".", set.as_path()), (set.to_str().unwrap(), &set)]
            .into_iter()
            .enumerate()
    {
        let other = folder.path().join(number.to_string());
        classes(input, within, &other).succeeds();
        tree(&output).must_equal(&tree(&other));
    }
    classes("set", folder.path(), &output).succeeds().says(["nothing to do"]);
    // another image of the same length
    let mut changed = images[0].content.clone();
    let last = changed.len() - 3;
    changed[last] ^= 1;
    fs::write(set.join("ape/1.jpg"), changed).unwrap();
    classes("set", folder.path(), &output)
        .exits_with(1)
        .says(["an image has the same length and other bytes"]);
    fs::write(set.join("ape/1.jpg"), &images[0].content).unwrap();
    classes("set", folder.path(), &output).succeeds();
    // another class moves the numbers of those behind it
    fs::create_dir(set.join("ant")).unwrap();
    fs::write(set.join("ant/1.jpg"), &images[2].content).unwrap();
    classes("set", folder.path(), &output).exits_with(1).says(["classes: 2 there, 3 now"]);
}

#[test]
fn a_unit_that_had_no_entry_is_done_by_the_same_command() {
    let folder = temporary();
    let tar = folder.path().join("00000.tar");
    fs::write(&tar, "an error page").unwrap();
    let output = folder.path().join("pairs");
    ingest(&tar, &output).exits_with(1).says(["00000.tar is not a tar"]);
    write_tar(&tar, members(&drawn_tars()[0]));
    assert_eq!(counts(&ingest(&tar, &output).succeeds().json()).accepted, 32);
    fresh(&tar).must_equal(&tree(&output));
}
