//! Every image is accounted for: the tar against img2dataset's table and statistics, repairs, refusals, filters.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use clipa_tests::{
    Member, Program, counts, drawn_tars, inspect, members, number, prep, rejected, rows, temporary,
    write_table, write_tar,
};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn ingest(tar: &Path, output: &Path) -> Program {
    prep(["laion", "ingest", "--image", "40:rgb8", "--json"]).arg(tar).arg("--output").arg(output)
}

/// The `nth` drawn image.
fn image(nth: usize) -> Vec<u8> {
    let all = members(&drawn_tars()[0]);
    all.into_iter().filter(|member| member.name.ends_with(".jpg")).nth(nth).unwrap().content
}

/// Image and caption, no sidecar.
fn plain_sample(key: &str, nth: usize) -> [Member; 2] {
    [
        Member::new(format!("{key}.jpg"), image(nth)),
        Member::new(format!("{key}.txt"), format!("caption {key}")),
    ]
}

/// A row as img2dataset writes it.
fn row(key: &str, status: &str, error: Option<&str>) -> Value {
    json!({"key": key, "url": format!("https://images.invalid/{key}"), "status": status, "error_message": error})
}

/// Tar and table of three samples, and two rows that were not downloaded.
fn three_of_five(folder: &Path) -> (PathBuf, Vec<Value>) {
    let tar = folder.join("00000.tar");
    write_tar(&tar, (0..3).flat_map(|nth| plain_sample(&format!("00000{nth}"), nth)));
    let table = vec![
        row("000004", "failed_to_resize", Some("image decoding error")),
        row("000002", "success", None),
        row("000000", "success", None),
        row("000003", "failed_to_download", Some("HTTP Error 404: Not Found")),
        row("000001", "success", None),
    ];
    (tar, table)
}

fn statistics(folder: &Path, successes: u64, download: u64, resize: u64) {
    let text = json!({"count": successes + download + resize, "successes": successes,
        "failed_to_download": download, "failed_to_resize": resize, "duration": 1.5});
    std::fs::write(folder.join("00000_stats.json"), text.to_string()).unwrap();
}

#[test]
fn metadata_is_joined_by_key_and_fills_what_the_sidecar_lacks() {
    let folder = temporary();
    let tar = folder.path().join("00000.tar");
    let sidecar = Member::new("000000.json", json!({"LICENSE": "own", "caption": "x"}).to_string());
    // the table has them in another order than the tar
    let samples = (0..2).flat_map(|nth| plain_sample(&format!("00000{nth}"), nth));
    let no_caption = Member::new("000002.jpg", image(2));
    write_tar(&tar, samples.chain([sidecar, no_caption]));
    let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let table = [
        json!({"key": "000002", "url": "u2", "caption": "of the table", "NSFW": "UNSURE", "similarity": 0.25,
            "status": "success", "original_width": 800, "exif": "{\"Image Orientation\": \"Rotated 180\"}"}),
        json!({"key": "000000", "url": "u0", "caption": "of the table", "similarity": 0.5, "status": "success",
            "LICENSE": "CC0", "punsafe": 0.125, "pwatermark": f64::from(3u8)}),
        json!({"key": "000001", "url": "u1", "sha256": hash, "status": "success", "LANGUAGE": "en",
            "original_height": 450}),
    ];
    write_table(&folder.path().join("00000.parquet"), &table);
    let output = folder.path().join("pairs");
    let report = ingest(&tar, &output).succeeds().json();
    assert_eq!(number(&report["repaired"], "orientation"), 1, "{report}");
    let [zero, one, two] = &rows(&output)[..] else { panic!("three rows") };
    assert_eq!((zero.key.as_str(), zero.metadata.url.as_deref()), ("000000", Some("u0")));
    assert_eq!((zero.caption.as_str(), zero.metadata.similarity), ("caption 000000", Some(0.5)));
    assert_eq!(
        (zero.metadata.license.as_deref(), zero.metadata.punsafe, zero.metadata.pwatermark),
        (Some("own"), Some(0.125), Some(3.0))
    );
    assert_eq!(
        (one.metadata.url.as_deref(), one.metadata.language.as_deref()),
        (Some("u1"), Some("en"))
    );
    assert_eq!(
        (one.metadata.sha256.map(|hash| hash[0]), one.metadata.original_height),
        (Some(0xba), Some(450))
    );
    assert_eq!((two.metadata.url.as_deref(), two.caption.as_str()), (Some("u2"), "of the table"));
    assert_eq!(
        (two.metadata.nsfw.as_deref(), two.metadata.original_width),
        (Some("UNSURE"), Some(800))
    );
    inspect(["verify"]).arg(&output).succeeds();
}

#[test]
fn a_row_of_another_image_is_not_used_and_counted() {
    let folder = temporary();
    let tar = folder.path().join("00000.tar");
    let own = |key: &str| {
        Member::new(format!("{key}.json"), json!({"url": format!("own {key}")}).to_string())
    };
    let samples = (0..2).flat_map(|nth| plain_sample(&format!("00000{nth}"), nth));
    write_tar(&tar, samples.chain([own("000000"), own("000001")]));
    let table = [
        json!({"key": "000000", "url": "own 000000", "similarity": 0.5, "status": "success"}),
        json!({"key": "000001", "url": "of another run", "similarity": 0.5, "status": "success"}),
    ];
    write_table(&folder.path().join("00000.parquet"), &table);
    let output = folder.path().join("pairs");
    let report = ingest(&tar, &output).succeeds().json();
    assert_eq!(report["repaired"], json!({"table_ignored": 1}));
    let [one, other] = &rows(&output)[..] else { panic!("two rows") };
    assert_eq!((one.metadata.similarity, other.metadata.similarity), (Some(0.5), None));
    assert_eq!(other.metadata.url.as_deref(), Some("own 000001"));
}

#[test]
fn rows_that_were_not_downloaded_are_counted_with_their_reasons() {
    let folder = temporary();
    let (tar, table) = three_of_five(folder.path());
    statistics(folder.path(), 3, 1, 1);
    let expected = json!({"failed_to_download: HTTP Error 404: Not Found": 1,
        "failed_to_resize: image decoding error": 1});
    write_table(&folder.path().join("00000.parquet"), &table);
    let output = folder.path().join("with-table");
    let finished = ingest(&tar, &output).succeeds().says(["not downloaded", "404"]);
    assert_eq!(counts(&finished.json()).found, 3);
    assert_eq!(finished.json()["not_downloaded"], expected);
    inspect(["verify"]).arg(&output).succeeds();
    // without the table its statistics still tell how many
    std::fs::remove_file(folder.path().join("00000.parquet")).unwrap();
    let report = ingest(&tar, &folder.path().join("without")).succeeds().json();
    assert_eq!(report["not_downloaded"], json!({"failed_to_download": 1, "failed_to_resize": 1}));
}

#[test]
fn a_tar_that_is_not_what_its_table_says_is_named() {
    let folder = temporary();
    let (tar, good) = three_of_five(folder.path());
    let changed = |change: &dyn Fn(&mut Vec<Value>)| {
        let mut table = good.clone();
        change(&mut table);
        table
    };
    let cases: [(&str, Vec<Value>, &str); 4] = [
        ("lost", changed(&|table| table.push(row("000009", "success", None))), "first 000009"),
        ("unlisted", changed(&|table| drop(table.remove(1))), "first 000002"),
        (
            "failed",
            changed(&|table| table[2]["status"] = json!("failed_to_download")),
            "first 000000",
        ),
        (
            "twice",
            changed(&|table| table.push(row("000003", "failed_to_download", None))),
            "key of their own",
        ),
    ];
    for (name, table, said) in cases {
        write_table(&folder.path().join("00000.parquet"), &table);
        let output = folder.path().join(name);
        ingest(&tar, &output).arg("--dry-run").exits_with(1).says(["00000.parquet", said]);
        let report = ingest(&tar, &output).exits_with(1).says(["00000.parquet", said]).json();
        assert_eq!(counts(&report).accepted, 3, "{name}: what is there is kept");
    }
    write_table(&folder.path().join("00000.parquet"), &good);
    statistics(folder.path(), 3, 2, 0);
    let said = ["00000_stats.json says 2 failed_to_download", "says 0 failed_to_resize"];
    ingest(&tar, &folder.path().join("statistics")).exits_with(1).says(said);
    std::fs::write(folder.path().join("00000_stats.json"), "{").unwrap();
    ingest(&tar, &folder.path().join("broken"))
        .exits_with(1)
        .says(["00000_stats.json cannot be read"]);
}

#[test]
fn a_damaged_table_fails_its_tar_alone_and_the_same_command_ends_when_it_is_repaired() {
    let folder = temporary();
    let (tar, table) = three_of_five(folder.path());
    let other = clipa_tests::copy_into(folder.path(), &drawn_tars()[1]);
    let path = folder.path().join("00000.parquet");
    write_table(&path, &table);
    let whole = std::fs::read(&path).unwrap();
    let output = folder.path().join("pairs");
    for damaged in [&whole[..whole.len() / 2], b"no Parquet", b""] {
        std::fs::write(&path, damaged).unwrap();
        let report = ingest(&tar, &output)
            .arg(&other)
            .exits_with(1)
            .says(["00000.parquet", "repair it"])
            .json();
        assert_eq!(counts(&report).accepted, 32, "the other tar is done");
    }
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(counts(&ingest(&tar, &output).arg(&other).succeeds().json()).accepted, 35);
}

/// Any damage is an error, a mismatch, or harmless; never a panic that ends the run.
#[test]
fn a_flipped_byte_in_a_table_ends_nothing() {
    let folder = temporary();
    let (tar, table) = three_of_five(folder.path());
    let path = folder.path().join("00000.parquet");
    write_table(&path, &table);
    let whole = std::fs::read(&path).unwrap();
    for place in (0..24).map(|step| step * whole.len() / 24) {
        let mut damaged = whole.clone();
        damaged[place] ^= 0x55;
        std::fs::write(&path, damaged).unwrap();
        let output = folder.path().join(place.to_string());
        let finished = ingest(&tar, &output).run();
        let report = finished.json();
        assert!(report["accepted"] == 3 || report["accepted"] == 0, "{}", finished.account());
    }
}

#[test]
fn a_sidecar_that_cannot_be_used_is_counted_and_costs_no_sample() {
    let folder = temporary();
    let tar = folder.path().join("00000.tar");
    let large = format!("{{\"url\": \"{}\"}}", "x".repeat(1 << 20));
    let sidecars = [Member::new("000000.json", large), Member::new("000001.json", "{")];
    write_tar(
        &tar,
        (0..3).flat_map(|nth| plain_sample(&format!("00000{nth}"), nth)).chain(sidecars),
    );
    let output = folder.path().join("pairs");
    let report = ingest(&tar, &output).succeeds().json();
    assert_eq!(report["repaired"], json!({"sidecar_ignored": 1, "sidecar_too_large": 1}));
    assert_eq!(counts(&report).accepted, 3);
    // and refused they are no rows
    let output = folder.path().join("refused");
    let report = ingest(&tar, &output)
        .args(["--refuse", "sidecar_ignored,sidecar_too_large"])
        .succeeds()
        .json();
    assert_eq!(report["rejected"]["sidecar_ignored"]["example_key"], "000001");
    assert_eq!(report["rejected"]["sidecar_too_large"]["example_key"], "000000");
    assert_eq!((counts(&report).accepted, &report["repaired"]), (1, &json!({})));
    let refused = ingest(&tar, &folder.path().join("unknown")).args(["--refuse", "sepia"]);
    refused.exits_with(2).says(["sepia", "orientation", "grey", "cmyk", "caption_not_utf8"]);
}

#[test]
fn an_image_file_of_a_class_folder_has_the_limit_of_one_in_a_tar() {
    let folder = temporary();
    let class = folder.path().join("classes/ape");
    std::fs::create_dir_all(&class).unwrap();
    std::fs::write(class.join("a.jpg"), image(0)).unwrap();
    std::fs::File::create(class.join("b.jpg")).unwrap().set_len((64 << 20) + 1).unwrap();
    let output = folder.path().join("set");
    let report = prep(["classes", "ingest", "--json", "--image", "40:rgb8"])
        .arg(folder.path().join("classes"))
        .arg("--output")
        .arg(&output)
        .succeeds()
        .json();
    assert_eq!(report["rejected"]["too_large"]["count"], 1, "{report}");
    assert_eq!(counts(&report).accepted, 1);
}

#[test]
fn languages_and_areas_are_filtered() {
    let folder = temporary();
    let tar = folder.path().join("00000.tar");
    let sidecar = |key: &str, language: &str| {
        Member::new(format!("{key}.json"), json!({"LANGUAGE": language}).to_string())
    };
    let sidecars = [sidecar("000000", "en"), sidecar("000001", "fr")];
    write_tar(
        &tar,
        (0..3).flat_map(|nth| plain_sample(&format!("00000{nth}"), nth)).chain(sidecars),
    );
    let output = folder.path().join("languages");
    let report = ingest(&tar, &output).args(["--language", "de,EN"]).succeeds().json();
    assert_eq!(report["rejected"]["language"]["example_key"], "000001");
    assert_eq!(counts(&report).accepted, 2, "one that names no language stays");
    assert_eq!(rejected(&output)[0].detail, "language fr");
    let report =
        ingest(&tar, &folder.path().join("areas")).args(["--min-area", "4096"]).succeeds().json();
    assert_eq!(counts(&report).accepted, 3, "the short side is 64");
    let report = ingest(&tar, &folder.path().join("larger"))
        .args(["--min-area", "100000"])
        .exits_with(1)
        .json();
    assert_eq!(report["rejected"]["small_area"]["count"], 3);
}

#[test]
fn the_report_names_rates_bottleneck_and_the_next_command() {
    let folder = temporary();
    let (tar, _) = three_of_five(folder.path());
    let output = folder.path().join("pairs");
    let finished = ingest(&tar, &output).succeeds().says(["bottleneck: ", "hint: look at it"]);
    let report = finished.json();
    let bottleneck = report["bottleneck"].as_str().unwrap();
    let rates = report["stage_images_per_second"].as_object().unwrap();
    let slowest = rates
        .values()
        .filter_map(Value::as_f64)
        .filter(|&rate| rate > 0.0)
        .fold(f64::MAX, f64::min);
    assert_eq!(rates[bottleneck].as_f64(), Some(slowest), "{report}");
    assert!(report["next"].as_str().unwrap().contains("clipa-inspect summary"), "{report}");
}
