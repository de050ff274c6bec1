//! No filter passes in silence what it has no data for, and sizes are those of the image on the web.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use clipa_tests::{
    Member, Program, counts, drawn_tars, ingest_every_encoding, inspect, members, number, rejected,
    rows, shared, temporary, write_table, write_tar,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn ingest(input: &Path, output: &Path) -> Program {
    ingest_every_encoding(input, output).arg("--json")
}

/// Rejected samples by reason.
fn reasons(report: &Value) -> BTreeMap<&str, u64> {
    let reasons = report["rejected"].as_object().unwrap();
    reasons.iter().map(|(reason, rejected)| (reason.as_str(), number(rejected, "count"))).collect()
}

/// Keys of the rows.
fn keys(dataset: &Path) -> Vec<String> {
    rows(dataset).into_iter().map(|row| row.key).collect()
}

fn jpeg() -> Vec<u8> {
    let all = members(&drawn_tars()[0]);
    all.into_iter().find(|member| member.name.ends_with(".jpg")).unwrap().content
}

/// A tar of an image for each sidecar, which is text as it stands; none where it is empty.
fn tar_of(folder: &Path, sidecars: &[&str]) -> PathBuf {
    let path = folder.join("00000.tar");
    let jpeg = jpeg();
    write_tar(
        &path,
        sidecars.iter().enumerate().flat_map(|(key, sidecar)| {
            let all = [
                Member::new(format!("{key:09}.jpg"), jpeg.clone()),
                Member::new(format!("{key:09}.txt"), "a caption"),
                Member::new(format!("{key:09}.json"), *sidecar),
            ];
            let count = if sidecar.is_empty() { 2 } else { 3 };
            all.into_iter().take(count)
        }),
    );
    path
}

#[test]
fn a_sidecar_that_cannot_be_read_passes_no_filter_and_no_list() {
    let folder = temporary();
    let long = format!("{{\"url\": \"https://a.b/2\", \"x\": \"{}\"}}", "y".repeat(2 << 20));
    let sidecars =
        ["{'url': 'https://a.b/0'}", r#"{"url": "https://a.b/1", "punsafe": 0.1}"#, &long];
    let tar = tar_of(folder.path(), &sidecars);
    let deny = folder.path().join("deny.txt");
    std::fs::write(&deny, "https://a.b/0\nhttps://a.b/2\n").unwrap();
    let deny = deny.to_str().unwrap();
    for (place, flags) in
        [["--deny", deny], ["--max-punsafe", "0.5"], ["--min-side", "8"]].iter().enumerate()
    {
        let output = folder.path().join(place.to_string());
        let run = ingest(&tar, &output).args(flags).succeeds();
        let run = run.says([
            "rejected bad_sidecar: 2 (for example 000000000: the .json is not a JSON object",
            flags[0],
        ]);
        assert_eq!(reasons(&run.json()), BTreeMap::from([("bad_sidecar", 2)]), "{flags:?}");
        assert_eq!(keys(&output), ["000000001"]);
        // of what may be on the list nothing stays
        let has_text = rejected(&output).iter().any(|reject| !reject.is_clear());
        assert_eq!(has_text, place > 0, "{flags:?}");
    }
    let output = folder.path().join("all");
    ingest(&tar, &output).succeeds();
    assert_eq!(rows(&output).len(), 3, "without a filter nobody needs it");
}

#[test]
fn a_value_of_another_kind_costs_the_sample_and_one_that_is_not_there_is_counted() {
    let folder = temporary();
    let sidecars = [
        r#"{"url": "u.example/0", "similarity": 0.31, "NSFW": "UNLIKELY"}"#,
        r#"{"url": "u.example/1", "similarity": "0.2", "NSFW": "NSFW"}"#,
        r#"{"url": "u.example/2", "similarity": "high", "NSFW": true}"#,
        r#"{"url": "u.example/3", "similarity": NaN, "NSFW": null}"#,
        r#"{"url": "u.example/4", "similarity": true, "NSFW": 1}"#,
        r#"{"url": "u.example/5", "similarity": "n/a", "NSFW": "false"}"#,
        "",
    ];
    let tar = tar_of(folder.path(), &sidecars);
    let run = |name: &str, flags: &[&str]| {
        let output = folder.path().join(name);
        let finished = ingest(&tar, &output).args(flags).succeeds();
        let kept: Vec<usize> = keys(&output).iter().map(|key| key.parse().unwrap()).collect();
        (finished, kept)
    };
    let (similar, kept) = run("similar", &["--min-similarity", "0.3"]);
    assert_eq!(kept, [0, 3, 5, 6]);
    assert_eq!(reasons(&similar.json()), BTreeMap::from([("bad_metadata", 2), ("similarity", 1)]));
    assert_eq!(similar.json()["unfiltered"], json!({"--min-similarity": 3}));
    similar.says(["--min-similarity: 3 rows had no value for it and stay (--drop-missing"]);
    let (dropped, kept) = run("dropped", &["--min-similarity", "0.3", "--drop-missing"]);
    assert_eq!(kept, [0]);
    assert_eq!(reasons(&dropped.json())["missing_value"], 3);
    assert_eq!(dropped.json()["unfiltered"], json!({}));
    let (verdicts, kept) = run("verdicts", &["--drop-nsfw", "NSFW"]);
    assert_eq!(kept, [0, 3, 6], "true, 1 and false are no verdicts");
    assert_eq!(reasons(&verdicts.json()), BTreeMap::from([("bad_metadata", 3), ("nsfw", 1)]));
    let (truths, kept) = run("truths", &["--drop-nsfw", "true"]);
    assert_eq!(kept, [0, 1, 3, 4, 5, 6], "{}", truths.account());
    let (nobody, kept) = run("nobody", &["--max-pwatermark", "0.5"]);
    assert_eq!(kept.len(), 7);
    nobody.says(["--max-pwatermark: no sample had a pwatermark, so that it kept nothing out"]);
    let list = folder.path().join("deny.txt");
    std::fs::write(&list, "https://u.example/1\n").unwrap();
    let (denied, kept) = run("denied", &["--deny", list.to_str().unwrap()]);
    assert_eq!(kept, [0, 2, 3, 4, 5, 6]);
    assert_eq!(denied.json()["unfiltered"], json!({"--deny": 1}));
    inspect(["verify"]).arg(folder.path().join("denied")).succeeds();
}

#[test]
fn a_table_that_cannot_be_joined_fails_its_tar_while_a_filter_needs_it() {
    let folder = temporary();
    let tar = tar_of(folder.path(), &["", "", ""]);
    let table = folder.path().join("00000.parquet");
    let list = folder.path().join("deny.txt");
    std::fs::write(&list, "https://a.b/1\n").unwrap();
    let row =
        |key: Value, n: u32| json!({"key": key, "url": format!("https://a.b/{n}"), "NSFW": "NSFW"});
    let good: Vec<Value> = (0..3).map(|n| row(json!(format!("{n:09}")), n)).collect();
    let without: Vec<Value> =
        good.iter().map(|row| json!({"url": row["url"], "NSFW": "NSFW"})).collect();
    let strange: Vec<Value> = (0..3).map(|n| row(json!(format!("x{n}")), n)).collect();
    for (name, rows, said) in
        [("without", &without, "no column `key`"), ("strange", &strange, "no row for any sample")]
    {
        write_table(&table, rows);
        let output = folder.path().join(name);
        let run = || ingest(&tar, &output).arg("--deny").arg(&list).args(["--drop-nsfw", "UNSURE"]);
        run().exits_with(1).says([said, "--deny needs it", "hint: "]);
        assert_eq!(rows_of(&output), 0);
        run().arg("--dry-run").exits_with(1).says([said]);
        // repaired, the same command does it
        write_table(&table, &good);
        let report = run().succeeds().json();
        assert_eq!((counts(&report).accepted, reasons(&report)["denied"]), (2, 1));
    }
    write_table(&table, &without);
    let report =
        ingest(&tar, &folder.path().join("all")).exits_with(1).says(["no column `key`"]).json();
    assert_eq!(counts(&report).accepted, 3, "nobody needs it");
    // numbers instead of keys, as pandas makes them, and another case
    let numbers: Vec<Value> = (0..3).map(|n| row(json!(n), n)).collect();
    let upper: Vec<Value> = good
        .iter()
        .map(|row| json!({"Key": row["key"], "url": row["url"], "NSFW": "NSFW"}))
        .collect();
    for (name, rows) in [("numbers", numbers), ("upper", upper)] {
        write_table(&table, &rows);
        let output = folder.path().join(name);
        ingest(&tar, &output).arg("--deny").arg(&list).succeeds();
        assert_eq!(keys(&output), ["000000000", "000000002"], "{name}");
    }
    // where each sample has a .json, only the samples whose own does not answer are refused
    let tar = tar_of(
        folder.path(),
        &[r#"{"url": "https://a.b/0"}"#, r#"{"url": "https://a.b/1"}"#, "{}"],
    );
    write_table(&table, &without);
    let output = folder.path().join("sidecars");
    let report = ingest(&tar, &output).arg("--deny").arg(&list).exits_with(1).json();
    assert_eq!(reasons(&report), BTreeMap::from([("bad_sidecar", 1), ("denied", 1)]));
}

fn rows_of(dataset: &Path) -> usize {
    rows(dataset).len()
}

#[test]
fn size_filters_measure_the_image_on_the_web() {
    let folder = temporary();
    let sized = |width: u32, height: u32| {
        json!({"url": "u", "original_width": width, "original_height": height}).to_string()
    };
    let sidecars = [sized(40, 30), sized(2000, 50), sized(640, 480), sized(16, 16), sized(0, 0)];
    let texts: Vec<&str> = sidecars.iter().map(String::as_str).collect();
    let tar = tar_of(folder.path(), &texts);
    let kept = |flags: &[&str]| {
        let output = folder.path().join(flags.concat());
        ingest(&tar, &output).args(flags).succeeds();
        keys(&output).iter().map(|key| key.parse().unwrap()).collect::<Vec<usize>>()
    };
    // the picture in the tar is 64×64, which counts where the metadata name no size
    assert_eq!(kept(&["--min-side", "50"]), [1, 2, 4]);
    assert_eq!(kept(&["--min-area", "4000"]), [1, 2, 4]);
    assert_eq!(kept(&["--drop-aspect", "3"]), [0, 2, 3, 4]);
    assert_eq!(kept(&["--min-side", "65"]), [2]);
}

#[test]
fn the_tables_of_the_case_filter_or_are_refused() {
    let Some(case) = shared("data/cases/30-table-types") else { return };
    let folder = temporary();
    let all = [0usize, 1, 2, 3, 4, 5];
    // similarity is 0.20, 0.21, ... 0.25, and 0.25 throughout in `decimal`
    for (name, kept) in [
        ("plain", &all[3..]),
        ("codec-none", &all[3..]),
        ("codec-snappy", &all[3..]),
        ("codec-zstd", &all[3..]),
        ("codec-gzip", &all[3..]),
        ("codec-brotli", &all[3..]),
        ("codec-lz4", &all[3..]),
        ("v2-pages", &all[3..]),
        ("binary", &all[3..]),
        ("decimal", &all[..]),
        ("large-string", &all[3..]),
        ("string-view", &all[3..]),
        ("key-category", &all[3..]),
        ("key-int64", &all[3..]),
        ("key-float", &all[3..]),
        ("half", &all[3..]),
        ("index", &all[3..]),
        ("int-hash", &all[3..]),
        ("float-width", &all[3..]),
        ("no-status", &all[3..]),
        ("other-run", &all[3..]),
        ("shuffled", &all[3..]),
        ("two-null-types", &all[3..]),
        ("upper-names", &all[3..]),
    ] {
        let output = folder.path().join(name);
        let flags = ["--min-similarity", "0.225", "--tagger", "none"];
        let report = ingest(&case.join(name), &output).args(flags).succeeds().json();
        let found: Vec<usize> = keys(&output).iter().map(|key| key.parse().unwrap()).collect();
        assert_eq!(found, kept, "{name}");
        assert_eq!(report["unfiltered"], json!({}), "{name}");
    }
    let strict = folder.path().join("decimal-strict");
    let report =
        ingest(&case.join("decimal"), &strict).args(["--min-similarity", "0.26"]).run().json();
    assert_eq!(reasons(&report), BTreeMap::from([("similarity", 6)]));
    let text = folder.path().join("text");
    let run = ingest(&case.join("similarity-text"), &text).args(["--min-similarity", "0.3"]);
    let report = run.succeeds().json();
    assert_eq!(report["unfiltered"], json!({"--min-similarity": 3}));
    assert_eq!(reasons(&report), BTreeMap::from([("similarity", 1)]));
    for (name, said) in [
        ("empty-file", "the file is empty"),
        ("no-key", "no column `key` to find a sample's row by"),
        ("zero-rows", "no row with a key"),
    ] {
        let run = ingest(&case.join(name), &folder.path().join(name));
        run.args(["--min-similarity", "0.3"]).exits_with(1).says([said]);
    }
    let struct_exif = folder.path().join("struct-exif");
    let run = ingest(&case.join("struct-exif"), &struct_exif).args(["--min-similarity", "0.3"]);
    run.run().says(["--min-similarity: no sample had a similarity"]);
}

#[test]
fn the_sizes_of_the_case_are_those_on_the_web() {
    let Some(case) = shared("data/cases/43-size-filters") else { return };
    let folder = temporary();
    let output = folder.path().join("pairs");
    let flags = ["--min-side", "100", "--min-area", "10000", "--drop-aspect", "3"];
    let report = ingest(&case.join("00000.tar"), &output).args(flags).succeeds().json();
    assert_eq!(keys(&output), ["000000002", "000000004"]);
    assert_eq!(counts(&report).rejected, 3);
}

#[test]
fn the_broken_sidecars_of_the_case_pass_nothing() {
    let Some(case) = shared("data/cases/47-broken-json-with-filter") else { return };
    let folder = temporary();
    let output = folder.path().join("pairs");
    let run = ingest(&case.join("00000.tar"), &output)
        .args(["--drop-nsfw", "NSFW", "--max-punsafe", "0.5", "--deny"])
        .arg(case.join("deny.txt"));
    let report = run.run().says(["rejected bad_sidecar: 6", "deny.txt names no sample"]).json();
    assert_eq!((counts(&report).found, counts(&report).rejected), (6, 6));
    assert!(rejected(&output).iter().all(|reject| reject.is_clear()));
}

#[test]
fn the_table_without_keys_of_the_case_fails_its_tar_until_it_is_repaired() {
    let Some(case) = shared("data/cases/table-without-key") else { return };
    let folder = temporary();
    for file in ["00000.tar", "00000.parquet"] {
        std::fs::copy(case.join(file), folder.path().join(file)).unwrap();
    }
    let output = folder.path().join("pairs");
    let run = || {
        let run = ingest(&folder.path().join("00000.tar"), &output);
        run.args(["--drop-nsfw", "NSFW", "--deny"]).arg(case.join("deny.txt"))
    };
    run().exits_with(1).says(["no column `key`", "it has url, sha256, status", "--deny needs it"]);
    std::fs::copy(case.join("good.parquet"), folder.path().join("00000.parquet")).unwrap();
    let report = run().run().json();
    assert_eq!(reasons(&report), BTreeMap::from([("denied", 3)]));
}
