//! Every member of an input is part of a sample, or ignored for a named reason; nothing accepted is never success.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use clipa_tests::{
    Finished, Member, Program, copy_into, counts, drawn_tars, inspect, members, number, prep, rows,
    shared, temporary, write_tar,
};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

fn ingest(input: &Path, output: &Path) -> Program {
    prep(["laion", "ingest", "--image", "40:rgb8", "--json"]).arg(input).arg("--output").arg(output)
}

fn image() -> Vec<u8> {
    let all = members(&drawn_tars()[0]);
    all.into_iter().find(|member| member.name.ends_with(".jpg")).unwrap().content
}

fn text(name: &str) -> Member {
    Member::new(name, format!("the caption {name}"))
}

/// A tar of these names: images by their suffix, the others texts.
fn tar(folder: &Path, names: &[&str]) -> PathBuf {
    let path = folder.join("00000.tar");
    let member = |name: &&str| match name.rsplit('.').next() {
        Some("jpg") => Member::new(*name, image()),
        _ => text(name),
    };
    write_tar(&path, names.iter().map(member));
    path
}

fn sums(report: &Value) -> (u64, u64, u64) {
    let sum = |of: &str| {
        report["members"][of].as_object().unwrap().values().filter_map(Value::as_u64).sum::<u64>()
    };
    (number(&report["members"], "walked"), sum("used"), sum("ignored"))
}

fn keys(output: &Path) -> Vec<String> {
    let mut keys: Vec<String> = rows(output).into_iter().map(|row| row.key).collect();
    keys.sort();
    keys
}

#[test]
fn dotted_keys_are_samples_of_their_own() {
    let folder = temporary();
    let names = [
        "d/a.1.x.jpg",
        "d/a.1.x.txt",
        "d/a.2.x.txt",
        "d/a.2.x.jpg",
        "b.jpg",
        "b.txt",
        "b.seg.npy",
        "README",
    ];
    let output = folder.path().join("pairs");
    let finished = ingest(&tar(folder.path(), &names), &output).succeeds().says([
        "keys cut at the last dot: 2",
        "suffix .seg.npy 1",
        "no_key 1",
    ]);
    assert_eq!(counts(&finished.json()).accepted, 3);
    assert_eq!(keys(&output), ["b", "d/a.1.x", "d/a.2.x"]);
    assert_eq!(sums(&finished.json()), (8, 6, 2));
    inspect(["verify"]).arg(&output).succeeds();
}

#[test]
fn the_dotted_names_of_the_cases_are_twelve_samples() {
    let Some(case) = shared("data/cases/01-dotted-names") else { return };
    let folder = temporary();
    let output = folder.path().join("pairs");
    let report = ingest(&case, &output).succeeds().says(["keys cut at the last dot: 12"]).json();
    assert_eq!((counts(&report).accepted, sums(&report)), (12, (24, 24, 0)));
}

#[test]
fn compound_suffixes_are_found_by_their_last_one() {
    let folder = temporary();
    let output = folder.path().join("pairs");
    let tar = tar(folder.path(), &["a.0.jpg", "a.0.txt", "b.input.jpg", "b.outputs.txt"]);
    let finished =
        ingest(&tar, &output).succeeds().says(["found by their last suffix", ".input.jpg 1"]);
    assert_eq!(
        (counts(&finished.json()).accepted, keys(&output)),
        (2, vec!["a".to_owned(), "b".to_owned()])
    );
    if let Some(case) = shared("data/cases/02-compound-suffix") {
        let report = ingest(&case, &folder.path().join("case")).run();
        assert!(counts(&report.json()).accepted >= 6);
    }
}

#[test]
fn what_macos_leaves_is_one_line_and_no_problem() {
    let folder = temporary();
    let output = folder.path().join("pairs");
    let names = [
        "./._a.jpg",
        "./a.jpg",
        "./._a.txt",
        "./a.txt",
        "__MACOSX/._b.jpg",
        ".DS_Store",
        "._.DS_Store",
    ];
    let finished = ingest(&tar(folder.path(), &names), &output)
        .succeeds()
        .says(["apple_double 4", "hidden 1"]);
    assert_eq!(finished.json()["problems"], json!([]));
    if let Some(case) = shared("data/cases/17-appledouble") {
        let report = ingest(&case, &folder.path().join("case")).succeeds().json();
        assert_eq!((counts(&report).accepted, sums(&report)), (40, (162, 80, 82)));
    }
}

#[test]
fn nothing_accepted_is_a_failure_that_keeps_the_output_free() {
    let folder = temporary();
    let output = folder.path().join("pairs");
    let bad = tar(folder.path(), &["a.npy", "a.txt", "b.npy", "b.txt"]);
    ingest(&bad, &output).exits_with(1).says([
        "no row was made",
        ".npy",
        "no_image",
        "img2dataset",
    ]);
    // other inputs and other options
    let right = folder.path().join("right");
    std::fs::create_dir(&right).unwrap();
    copy_into(&right, &drawn_tars()[0]);
    let again = prep(["laion", "ingest", "--image", "48:rgb8", "--json"])
        .arg(&right)
        .arg("--output")
        .arg(&output);
    assert!(counts(&again.succeeds().json()).accepted > 0);
    inspect(["verify"]).arg(&output).succeeds();
}

fn gzipped(tar: &Path, to: &Path) -> bool {
    let packed = Command::new("gzip").arg("-c").arg(tar).output();
    let Ok(packed) = packed else { return false };
    std::fs::write(to, packed.stdout).unwrap();
    true
}

fn must_have_the_same_rows(one: &Path, other: &Path) {
    assert_eq!(rows(one), rows(other));
}

#[test]
fn gzip_tars_have_the_rows_of_the_tar() {
    let folder = temporary();
    let plain = folder.path().join("plain");
    ingest(&drawn_tars()[0], &plain).succeeds();
    for name in ["00000.tar.gz", "00000.tgz", "00000.tar"] {
        let input = folder.path().join(format!("in-{name}"));
        std::fs::create_dir(&input).unwrap();
        if !gzipped(&drawn_tars()[0], &input.join(name)) {
            return clipa_tests::skipped("there is no gzip");
        }
        let output = folder.path().join(format!("out-{name}"));
        ingest(&input, &output).succeeds();
        must_have_the_same_rows(&plain, &output);
    }
    // cut off: what stands before the cut is kept, and the cut is a problem
    let whole = std::fs::read(folder.path().join("in-00000.tgz/00000.tgz")).unwrap();
    let cut = folder.path().join("cut.tgz");
    std::fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    let finished: Finished =
        ingest(&cut, &folder.path().join("cut")).exits_with(1).says(["gzip is damaged or cut off"]);
    let accepted = counts(&finished.json()).accepted;
    assert!(accepted > 5 && accepted < rows(&plain).len() as u64, "{accepted}");
}

#[test]
fn what_a_folder_holds_beside_its_tars_is_said() {
    let folder = temporary();
    let input = folder.path().join("in");
    std::fs::create_dir_all(input.join("more")).unwrap();
    copy_into(&input, &drawn_tars()[0]);
    copy_into(&input.join("more"), &drawn_tars()[1]);
    for name in ["9.tar.part", "8.tar.zst", "list.csv"] {
        std::fs::write(input.join(name), "x").unwrap();
    }
    ingest(&input, &folder.path().join("pairs")).succeeds().says([
        "passed over in",
        "1 sub-folders with 1 tars",
        "1 .part",
        "unzstd",
        "1 .csv",
    ]);
    if let Some(case) = shared("data/cases/18-mixed-folder/in") {
        let finished = ingest(&case, &folder.path().join("case")).run();
        assert_eq!(counts(&finished.json()).accepted, 16, "two tars and two gzip tars");
    }
}

#[test]
fn other_outputs_are_refused_with_the_one_to_make() {
    let remedy = "img2dataset --output_format webdataset";
    let folder = temporary();
    std::fs::create_dir(folder.path().join("00000")).unwrap();
    std::fs::write(folder.path().join("00000/0.jpg"), image()).unwrap();
    std::fs::write(folder.path().join("pairs.csv"), "filepath,title\n00000/0.jpg,a house\n")
        .unwrap();
    let output = folder.path().join("pairs");
    ingest(folder.path(), &output).exits_with(1).says(["1 sub-folders", "1 .csv", remedy]);
    ingest(&folder.path().join("pairs.csv"), &output).exits_with(1).says(["it is a table", remedy]);
    // and the output is free
    ingest(&drawn_tars()[0], &output).succeeds();
    let Some(case) = shared("data/cases/37-other-outputs") else { return };
    for input in ["files", "files/00000", "parquet", "parquet/00000.parquet", "hf", "pairs.csv"] {
        let output = folder.path().join("case");
        ingest(&case.join(input), &output).exits_with(1).says([remedy]);
    }
}
