//! Every kind of damage is found and named; a sound data set is not blamed.

use std::{
    fs,
    sync::atomic::{AtomicUsize, Ordering},
};

use clipa_schemas::{file::write_json, manifest::entry_path};

use super::*;
use crate::test_set::{ROWS, UNITS, jpeg, write, write_changed};

fn problems(folder: &Path) -> Vec<String> {
    let findings = verify(folder, 2, &|_| ()).unwrap();
    findings.problems.into_iter().map(|Problem { file, what }| format!("{file}: {what}")).collect()
}

#[test]
fn a_sound_set_is_read_to_the_last_row() {
    for kind in [Kind::Pairs, Kind::Classes] {
        let folder = tempfile::tempdir().unwrap();
        write_changed(folder.path(), kind, |_, _| ());
        let seen = AtomicUsize::new(0);
        let findings = verify(folder.path(), 2, &|bytes| {
            seen.fetch_add(bytes as usize, Ordering::Relaxed);
        })
        .unwrap();
        assert_eq!(findings.problems, []);
        assert_eq!(findings.rows, ROWS * u64::from(UNITS));
        assert_eq!((findings.units, findings.shards, findings.row_groups), (2, 2, 2));
        assert_eq!(findings.rejects, 6);
        assert_eq!(findings.bytes, seen.into_inner() as u64);
    }
}

#[test]
fn a_flipped_bit_anywhere_in_a_shard_or_its_rejects_is_found() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let files = ["shards/00000.parquet", "shards/00001.parquet", "rejects/00001.parquet"];
    for file in files.into_iter().chain(["vocabulary.parquet"]) {
        let path = folder.path().join(file);
        let whole = fs::read(&path).unwrap();
        for place in (0..whole.len()).step_by(211).chain([whole.len() - 1]) {
            let mut damaged = whole.clone();
            damaged[place] ^= 1 << (place % 8);
            fs::write(&path, damaged).unwrap();
            let found = problems(folder.path());
            assert_eq!(found.len(), 1, "{file} byte {place}: {found:?}");
            assert!(found[0].starts_with(&format!("{file}: checksum differs")), "{found:?}");
        }
        fs::write(&path, whole).unwrap();
    }
    assert_eq!(problems(folder.path()), [""; 0]);
}

#[test]
fn cut_missing_and_stray_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let shard = folder.path().join("shards/00001.parquet");
    let whole = fs::read(&shard).unwrap();
    fs::write(&shard, &whole[..whole.len() - 1]).unwrap();
    let length = whole.len();
    let cut = format!("shards/00001.parquet: {} bytes, its entry says {length}", length - 1);
    assert_eq!(problems(folder.path()), [cut]);
    fs::remove_file(&shard).unwrap();
    let found = problems(folder.path());
    assert!(found[0].starts_with("shards/00001.parquet: No such file"), "{found:?}");
    fs::write(&shard, &whole).unwrap();

    fs::write(folder.path().join("shards/00007.parquet"), "x").unwrap();
    let stray = "shards/00007.parquet: belongs to no unit of the data set";
    assert_eq!(problems(folder.path()), [stray]);
    fs::remove_file(folder.path().join("shards/00007.parquet")).unwrap();

    fs::remove_file(entry_path(folder.path(), 0)).unwrap();
    let found = problems(folder.path());
    assert!(found[0].starts_with("shards/00000.json: No such file"), "{found:?}");
    fs::remove_file(folder.path().join("dataset.json")).unwrap();
    assert!(verify(folder.path(), 1, &|_| ()).is_err());
}

#[test]
fn what_the_writer_got_wrong_is_found_though_the_checksum_is_right() {
    let folder = tempfile::tempdir().unwrap();
    write_changed(folder.path(), Kind::Pairs, |index, sample| match index {
        2 => sample.images[2].bytes = jpeg(16, 21, 0),
        7 => sample.tokens[0].tokens.push(50_000),
        _ => (),
    });
    assert_eq!(
        problems(folder.path()),
        [
            "shards/00000.parquet: row group 0, row 2, `image_16`: a JPEG of 16 x 21 pixels, its \
             columns say 16 x 20",
            "shards/00001.parquet: row group 0, row 2, `clip_bpe`: token 50000 is in no vocabulary \
             of 49408",
        ]
    );
}

#[test]
fn counts_that_contradict_each_other_are_found() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let path = entry_path(folder.path(), 1);
    let entry: UnitEntry = clipa_schemas::file::read_json(&path).unwrap();

    let mut changed = entry.clone();
    changed.ledger.found += 1;
    changed.problems.push("the tar is truncated".to_owned());
    write_json(&path, &changed).unwrap();
    assert_eq!(
        problems(folder.path()),
        [
            "shards/00001.json: 9 samples found, but 5 accepted and 3 rejected",
            "shards/00001.json: reported when it was made: the tar is truncated",
            "dataset.json: the totals are not the sum of the entries",
        ]
    );

    let mut changed = entry.clone();
    changed.ledger.rejected = BTreeMap::from([("truncated".to_owned(), 3)]);
    write_json(&path, &changed).unwrap();
    let what = "rejects/00001.parquet: the reasons do not add up to those of its entry";
    assert_eq!(problems(folder.path())[0], what);

    let mut changed = entry;
    changed.source.bytes += 1;
    write_json(&path, &changed).unwrap();
    assert_eq!(
        problems(folder.path()),
        ["shards/00001.json: the source differs from the manifest's"]
    );
}

#[test]
fn an_unfinished_set_is_said_to_be_one() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let mut manifest = Manifest::read(folder.path()).unwrap();
    manifest.finish(&[], false);
    manifest.write(folder.path()).unwrap();
    let findings = verify(folder.path(), 1, &|_| ()).unwrap();
    assert_eq!(findings.rows, ROWS * u64::from(UNITS));
    let what = "not complete: the run that makes this data set has not ended";
    assert_eq!(findings.problems, [Problem { file: "dataset.json".into(), what: what.into() }]);
}

#[test]
fn a_flipped_bit_in_the_manifest_or_an_entry_is_found_or_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let manifest = Manifest::read(folder.path()).unwrap();
    for file in ["dataset.json", "shards/00001.json"] {
        let path = folder.path().join(file);
        let whole = fs::read(&path).unwrap();
        let entry = clipa_schemas::file::read_json::<UnitEntry>(&entry_path(folder.path(), 1));
        let entry = entry.unwrap();
        for place in (0..whole.len()).step_by(3) {
            let mut damaged = whole.clone();
            damaged[place] ^= 1 << (place % 7);
            fs::write(&path, damaged).unwrap();
            let found = verify(folder.path(), 1, &|_| ()).map(|findings| findings.problems.len());
            if matches!(found, Ok(0)) {
                // White space, for one, may change without changing anything.
                assert_eq!(Manifest::read(folder.path()).unwrap(), manifest, "{file} byte {place}");
                let read =
                    clipa_schemas::file::read_json::<UnitEntry>(&entry_path(folder.path(), 1));
                assert_eq!(read.unwrap(), entry, "{file} byte {place}");
            }
        }
        fs::write(&path, whole).unwrap();
    }
}
