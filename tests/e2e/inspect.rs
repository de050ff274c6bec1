//! `clipa-inspect`: what is damaged is found, what is shown is what is stored.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use clipa_tests::{Member, drawn, inspect, prep, temporary, write_tar};
use std::path::{Path, PathBuf};

/// The drawn tars and one with a broken image, so that there are rejects too.
fn data_set(folder: &Path) -> PathBuf {
    let broken = folder.join("broken.tar");
    let picture = Member::new("a.jpg", "no picture");
    write_tar(&broken, Member::sample("broken", picture, "a rejected caption"));
    let output = folder.join("pairs");
    prep(["laion", "ingest", "--image", "40:rgb8", "--image", "32:rgb8-square"])
        .arg(drawn().join("train"))
        .arg(broken)
        .arg("--output")
        .arg(&output)
        .succeeds();
    output
}

/// The first bytes, an image or a compressed column, and the footer; of shards and rejects.
#[test]
fn a_flipped_byte_anywhere_is_found() {
    let folder = temporary();
    let output = data_set(folder.path());
    inspect(["verify"]).arg(&output).succeeds();
    for file in ["shards/00000.parquet", "shards/00002.parquet", "rejects/00003.parquet"] {
        let path = output.join(file);
        let whole = std::fs::read(&path).unwrap();
        for part in [4, whole.len() / 3, whole.len() / 2, whole.len() - 200] {
            let mut damaged = whole.clone();
            damaged[part] ^= 1;
            std::fs::write(&path, damaged).unwrap();
            inspect(["verify"]).arg(&output).exits_with(1).says([file.rsplit('/').next().unwrap()]);
        }
        std::fs::write(&path, whole).unwrap();
    }
    inspect(["verify"]).arg(&output).succeeds();
}

#[test]
fn a_missing_or_cut_shard_is_found() {
    let folder = temporary();
    let output = data_set(folder.path());
    let shard = output.join("shards/00001.parquet");
    let whole = std::fs::read(&shard).unwrap();
    std::fs::write(&shard, &whole[..whole.len() - 1]).unwrap();
    inspect(["verify"]).arg(&output).exits_with(1).says(["00001.parquet"]);
    std::fs::remove_file(&shard).unwrap();
    inspect(["verify"]).arg(&output).exits_with(1).says(["00001.parquet"]);
}

#[test]
fn a_contact_sheet_is_a_png_that_is_never_overwritten() {
    let folder = temporary();
    let output = data_set(folder.path());
    let sheet = folder.path().join("sheet.png");
    inspect(["grid", "--rows", "2"]).arg(&output).arg("--output").arg(&sheet).succeeds();
    let content = std::fs::read(&sheet).unwrap();
    assert!(content.starts_with(b"\x89PNG\r\n\x1a\n"));
    inspect(["grid"]).arg(&output).arg("--output").arg(&sheet).exits_with(1).says(["sheet.png"]);
    assert_eq!(std::fs::read(&sheet).unwrap(), content);
}

#[test]
fn a_sample_is_found_by_its_place_and_by_its_key() {
    let folder = temporary();
    let output = data_set(folder.path());
    let by_place = inspect(["sample"]).arg(&output).arg("5").succeeds().stdout();
    let key = clipa_tests::members(&clipa_tests::drawn_tars()[0])
        .into_iter()
        .filter_map(|member| member.name.strip_suffix(".jpg").map(str::to_owned))
        .nth(5)
        .unwrap();
    assert!(by_place.contains(&key), "{key} is not in\n{by_place}");
    let by_key = inspect(["sample", "--key", &key]).arg(&output).succeeds().stdout();
    assert_eq!(by_key, by_place);
    inspect(["sample", "--key", "no-such-key"]).arg(&output).exits_with(1).says(["no-such-key"]);
    inspect(["sample"]).arg(&output).arg("999999").exits_with(1).says(["999999"]);
}

#[test]
fn a_folder_that_is_no_data_set_is_named() {
    let folder = temporary();
    for command in ["summary", "verify"] {
        let path = folder.path();
        inspect([command]).arg(path).exits_with(1).says([&path.to_string_lossy()]);
    }
}
