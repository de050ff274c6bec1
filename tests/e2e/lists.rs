//! What lists allow, deny and take down, and images that are there twice.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use clipa_schemas::file::hex;
use clipa_schemas::manifest::{Manifest, read_entries};
use clipa_tests::{
    DRAWN_SAMPLES, Member, Program, Tree, counts, draw, drawn, drawn_tars, ingest_every_encoding,
    inspect, members, number, prep, rejected, rows, temporary, tree, write_table, write_tar,
};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;

fn ingest(input: &Path, output: &Path) -> Program {
    ingest_every_encoding(input, output).arg("--json")
}

fn takedown(dataset: &Path, list: &Path) -> Program {
    prep(["takedown", "--json"]).arg(dataset).arg("--deny").arg(list)
}

fn dedup(dataset: &Path) -> Program {
    prep(["dedup", "--json"]).arg(dataset)
}

fn written(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// A data set of the drawn tars, and a list of four of its samples: by URL, by both hashes and by key.
fn listed(folder: &Path) -> (PathBuf, PathBuf) {
    let output = folder.join("all");
    ingest(&drawn().join("train"), &output).succeeds();
    let rows = rows(&output);
    let (url, key) = (rows[3].metadata.url.as_ref().unwrap(), &rows[70].key);
    let (sha256, image_hash) = (hex(&rows[40].metadata.sha256.unwrap()), hex(&rows[41].image_hash));
    let text =
        format!("# taken back\nurl:{url}#fragment\nsha256:{sha256}\n\n{image_hash}\nkey:{key}\n");
    (output, written(folder, "list.txt", &text))
}

#[test]
fn what_is_denied_is_no_row_and_leaves_neither_url_nor_caption() {
    let folder = temporary();
    let (all, list) = listed(folder.path());
    let output = folder.path().join("denied");
    let report = ingest(&drawn().join("train"), &output).arg("--deny").arg(&list).succeeds().json();
    assert_eq!(number(&report["rejected"]["denied"], "count"), 4);
    let rejects = rejected(&output);
    assert!(rejects.iter().all(|reject| reject.url.is_none() && reject.caption.is_none()));
    let details: Vec<&str> = rejects.iter().map(|reject| reject.detail.as_str()).collect();
    assert_eq!(details[0], "listed by its url");
    assert_eq!(details[3], "listed by its key");
    assert!(
        details[1..3]
            .iter()
            .all(|detail| detail.ends_with("sha256") || detail.ends_with("image_hash"))
    );
    let kept: Vec<String> = rows(&output).into_iter().map(|row| row.key).collect();
    let mut expected: Vec<String> = rows(&all).into_iter().map(|row| row.key).collect();
    for row in [70, 41, 40, 3] {
        expected.remove(row);
    }
    assert_eq!(kept, expected);
    // another list is another configuration; the same one under another name is not
    let renamed = written(folder.path(), "b.txt", &std::fs::read_to_string(&list).unwrap());
    ingest(&drawn().join("train"), &output).arg("--deny").arg(&renamed).succeeds();
    let more = written(folder.path(), "c.txt", "https://images.invalid/");
    ingest(&drawn().join("train"), &output).arg("--deny").arg(&more).exits_with(1).says(["deny"]);
}

#[test]
fn only_what_is_allowed_is_a_row_and_denying_wins() {
    let folder = temporary();
    let (all, list) = listed(folder.path());
    let urls = rows(&all)
        .iter()
        .take(10)
        .map(|row| json!({"URL": row.metadata.url, "hash": 7}))
        .collect::<Vec<_>>();
    let allowed = folder.path().join("allowed-0.parquet");
    write_table(&allowed, &urls);
    let output = folder.path().join("allowed");
    let report = ingest(&drawn().join("train"), &output)
        .arg("--allow")
        .arg(folder.path().join("allowed-*.parquet"))
        .arg("--deny")
        .arg(&list)
        .succeeds()
        .json();
    assert_eq!(counts(&report).accepted, 9);
    assert_eq!(number(&report["rejected"]["denied"], "count"), 4);
    assert_eq!(number(&report["rejected"]["not_allowed"], "count"), DRAWN_SAMPLES as u64 - 13);
    inspect(["verify"]).arg(&output).succeeds();
}

#[test]
fn a_line_that_is_no_entry_and_a_list_that_is_not_there_are_refused() {
    let folder = temporary();
    let wrong = written(folder.path(), "wrong.txt", "https://images.invalid/1\nimages.invalid\n");
    let output = folder.path().join("pairs");
    let run = |list: &Path| ingest(&drawn().join("train"), &output).arg("--deny").arg(list);
    run(&wrong).exits_with(1).says(["wrong.txt, line 2"]);
    run(&folder.path().join("nowhere.txt")).exits_with(1).says(["nowhere.txt"]);
    assert!(!output.exists(), "a data set was begun");
}

#[test]
fn a_takedown_leaves_what_an_ingest_without_the_samples_writes() {
    let folder = temporary();
    let (output, list) = listed(folder.path());
    let denied = folder.path().join("denied");
    ingest(&drawn().join("train"), &denied).arg("--deny").arg(&list).succeeds();
    let before = tree(&output);

    let report = takedown(&output, &list).arg("--dry-run").succeeds().json();
    assert_eq!((number(&report, "removed"), number(&report, "units_changed")), (4, 3));
    before.must_equal(&tree(&output));

    let report = takedown(&output, &list).succeeds().json();
    assert_eq!(
        (number(&report, "removed"), number(&report, "rows_before")),
        (4, DRAWN_SAMPLES as u64)
    );
    inspect(["verify"]).arg(&output).succeeds();
    for unit in 0..3 {
        let (new, old) =
            (format!("shards/0000{unit}.1.parquet"), format!("shards/0000{unit}.parquet"));
        let bytes = |path: PathBuf| std::fs::read(path).unwrap();
        assert!(bytes(output.join(&new)) == bytes(denied.join(&old)), "{new} has other rows");
        assert!(!output.join(old).exists());
    }
    let rejects = rejected(&output);
    assert!(rejects.iter().all(|reject| reject.reason == "takedown" && reject.offset.is_some()));
    assert!(rejects.iter().all(|reject| reject.url.is_none() && reject.caption.is_none()));
    let totals = Manifest::read(&output).unwrap().totals;
    assert!(
        totals.is_balanced()
            && totals.found == DRAWN_SAMPLES as u64
            && totals.rejected["takedown"] == 4
    );

    let after = tree(&output);
    let report = takedown(&output, &list).succeeds().says(["of which 1 name something"]).json();
    assert_eq!(number(&report, "removed"), 0, "of what was taken down only the key is left");
    after.must_equal(&tree(&output));
    // the data set can still be continued, and what was taken down does not come back
    ingest(&drawn().join("train"), &output).succeeds().says(["nothing to do"]);
    after.must_equal(&tree(&output));
}

#[test]
fn a_takedown_clears_rejects_and_can_empty_a_unit() {
    let folder = temporary();
    let tar = folder.path().join("00000.tar");
    let image =
        members(&drawn_tars()[0]).into_iter().find(|member| member.name.ends_with(".jpg")).unwrap();
    let broken = Member::sample("1", Member::new("1.jpg", "no image"), "a reject");
    write_tar(&tar, Member::sample("0", image, "a row").into_iter().chain(broken));
    let output = folder.path().join("pairs");
    ingest(&tar, &output).succeeds();
    let list =
        written(folder.path(), "list.txt", "https://images.invalid/0\nhttps://images.invalid/1\n");
    let report = takedown(&output, &list).succeeds().json();
    assert_eq!((number(&report, "removed"), number(&report, "rejects_cleared")), (1, 1));
    let rejects = rejected(&output);
    assert_eq!(rejects.len(), 2);
    assert!(rejects.iter().all(|reject| reject.url.is_none() && reject.caption.is_none()));
    assert_eq!(rows(&output).len(), 0);
    inspect(["verify"]).arg(&output).succeeds();
}

/// What is named by its bytes goes wherever it is: rows, copies among them, duplicates and other rejects.
#[test]
fn a_takedown_leaves_no_caption_url_or_hash_of_what_it_names_by_url_key_or_hash() {
    let folder = temporary();
    let input = repeated(folder.path());
    let output = folder.path().join("pairs");
    // the last tar's captions are too long to be rows; of the others, copies are taken out
    let long = members(&input.join("3.tar")).into_iter().map(|member| match &member.name {
        name if name.ends_with(".txt") => Member::new(name.as_str(), "a b c d e f g h"),
        _ => member,
    });
    let long: Vec<Member> = long.collect();
    write_tar(&input.join("3.tar"), long);
    ingest(&input, &output).args(["--max-words", "5"]).succeeds();
    dedup(&output).arg("--remove").succeeds();
    let hashes: Vec<_> = rejected(&output).into_iter().map(|reject| reject.image_hash).collect();
    assert_eq!(hashes.len(), 5);
    assert!(hashes.iter().all(Option::is_some), "their images were read");
    let first = rows(&output).remove(0);
    assert_eq!(hashes.iter().filter(|&&hash| hash == Some(first.image_hash)).count(), 2);
    for (name, entry, rows_out, rejects_cleared) in [
        ("hash", hex(&first.image_hash), 1, 2),
        ("url", first.metadata.url.clone().map(|url| format!("url:{url}")).unwrap(), 1, 0),
        ("reject's url", "https://images.invalid/30".to_owned(), 0, 1),
        ("reject's key", "key:30".to_owned(), 0, 1),
        ("key", format!("key:{}", first.key), 1, 0),
    ] {
        let dataset = folder.path().join(name);
        copied(&output, &dataset);
        let list = written(folder.path(), "list.txt", &entry);
        let report = takedown(&dataset, &list).succeeds().json();
        assert_eq!(number(&report, "removed"), rows_out, "{name}");
        assert_eq!(number(&report, "rejects_cleared"), rejects_cleared, "{name}");
        inspect(["verify"]).arg(&dataset).succeeds();
        let is_clear = rejected(&dataset).iter().filter(|reject| reject.is_clear()).count() as u64;
        assert_eq!(is_clear, rows_out + rejects_cleared, "{name}");
        if name == "hash" {
            let has = |hash: &[u8; 32]| *hash == first.image_hash;
            assert!(!rows(&dataset).iter().any(|row| has(&row.image_hash)));
            assert!(
                !rejected(&dataset)
                    .iter()
                    .any(|reject| reject.image_hash.as_ref().is_some_and(has))
            );
        }
    }
}

fn copied(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            copied(&entry.path(), &to.join(entry.file_name()));
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// Every file that manifest and entries name is there and whole.
fn is_consistent(dataset: &Path) {
    let manifest = Manifest::read(dataset).unwrap();
    manifest.shards().for_each(|shard| shard.file.verify(dataset).unwrap());
    for entry in read_entries(dataset).unwrap() {
        entry.shard.iter().for_each(|shard| shard.file.verify(dataset).unwrap());
        entry.rejects.iter().for_each(|file| file.verify(dataset).unwrap());
        assert!(entry.ledger.is_balanced());
    }
}

/// Each moment at which a takedown can be killed, put together from the folder before and after it.
#[test]
fn a_takedown_that_was_interrupted_anywhere_is_consistent_and_ends_the_same() {
    let folder = temporary();
    let (before, list) = listed(folder.path());
    let after = folder.path().join("after");
    copied(&before, &after);
    takedown(&after, &list).succeeds();
    let whole = tree(&after);
    let files = |unit: usize| {
        [format!("shards/0000{unit}.1.parquet"), format!("rejects/0000{unit}.1.parquet")]
    };
    // (new files of so many units, entries of so many, the manifest)
    let moments =
        [(0, 0, false), (1, 0, false), (1, 1, false), (2, 1, false), (3, 3, false), (3, 3, true)];
    let sha256 = Command::new("sha256sum").arg(&list).output().unwrap().stdout;
    let sha256 = String::from_utf8(sha256[..64].to_vec()).unwrap();
    for (step, (written_units, committed, manifest)) in moments.into_iter().enumerate() {
        let state = folder.path().join(format!("state-{step}"));
        copied(&before, &state);
        written(&state, "takedown.json", &json!({"lists_sha256": [sha256]}).to_string());
        let take = |name: &str| {
            std::fs::copy(after.join(name), state.join(name)).unwrap();
        };
        (0..written_units).flat_map(files).for_each(|name| take(&name));
        (0..committed).for_each(|unit| take(&format!("shards/0000{unit}.json")));
        if manifest {
            take("dataset.json");
        }
        is_consistent(&state);
        inspect(["verify"]).arg(&state).exits_with(1).says(["hint: run the same takedown again"]);
        // until it ends nothing else happens
        ingest(&drawn().join("train"), &state).exits_with(1).says(["takedown", &sha256]);
        let other = written(folder.path(), "other.txt", "key:none");
        takedown(&state, &other).exits_with(1).says(["another takedown", &sha256]);
        takedown(&state, &list).arg("--deny").arg(&other).succeeds();
        whole.must_equal(&tree(&state));
        inspect(["verify"]).arg(&state).succeeds();
    }
}

#[test]
fn a_killed_takedown_ends_the_same() {
    let folder = temporary();
    let input = folder.path().join("drawn");
    draw(&input, 640, 8);
    let before = folder.path().join("before");
    ingest(&input.join("train"), &before).succeeds();
    // one sample in nine, so that every shard is written anew
    let urls: Vec<String> = rows(&before)
        .into_iter()
        .step_by(9)
        .filter_map(|row| row.metadata.url)
        .map(|url| format!("url:{url}"))
        .collect();
    let list = written(folder.path(), "list.txt", &urls.join("\n"));
    let undisturbed = folder.path().join("undisturbed");
    copied(&before, &undisturbed);
    takedown(&undisturbed, &list).succeeds();
    for last in ["rejects/00001.1.parquet", "shards/00004.1.parquet"] {
        let killed = folder.path().join(last.replace('/', "-"));
        copied(&before, &killed);
        takedown(&killed, &list).killed_when(|| killed.join(last).exists());
        is_consistent(&killed);
        takedown(&killed, &list).succeeds();
        tree(&undisturbed).must_equal(&tree(&killed));
    }
}

/// Four tars of drawn samples in which some images come again under other keys.
fn repeated(folder: &Path) -> PathBuf {
    let drawn: Vec<Member> = members(&drawn_tars()[0]);
    let image = |nth: usize| {
        drawn.iter().filter(|member| member.name.ends_with(".jpg")).nth(nth).unwrap().clone()
    };
    let input = folder.join("repeated");
    std::fs::create_dir(&input).unwrap();
    // samples 0-3 | 3-6 and 0 | 7-9 | 0, 7 and 9 again
    for (tar, images) in
        [vec![0, 1, 2, 3], vec![3, 4, 5, 6, 0], vec![7, 8, 9], vec![0, 7, 9]].iter().enumerate()
    {
        let samples = images.iter().enumerate().flat_map(|(place, &nth)| {
            Member::sample(&format!("{tar}{place}"), image(nth), &format!("caption {tar} {place}"))
        });
        write_tar(&input.join(format!("{tar}.tar")), samples);
    }
    input
}

#[test]
fn images_that_come_again_are_counted_and_taken_out_on_request() {
    let folder = temporary();
    let input = repeated(folder.path());
    let output = folder.path().join("pairs");
    ingest(&input, &output).succeeds();
    let before = tree(&output);
    let report = dedup(&output).succeeds().says(["--remove"]).json();
    assert_eq!((number(&report, "rows"), number(&report, "duplicates")), (15, 5));
    assert_eq!(number(&report, "units_with_duplicates"), 2);
    assert_eq!(report["examples"][0], "10: the image of 03 in unit 00000");
    before.must_equal(&tree(&output));

    let report = dedup(&output).arg("--remove").succeeds().json();
    assert_eq!((number(&report, "duplicates"), number(&report, "removed")), (5, 5));
    let keys: Vec<String> = rows(&output).into_iter().map(|row| row.key).collect();
    assert_eq!(keys, ["00", "01", "02", "03", "11", "12", "13", "20", "21", "22"]);
    let rejects = rejected(&output);
    assert!(rejects.iter().all(|reject| reject.reason == "duplicate_image"));
    assert_eq!(rejects[1].detail, "the image of 00 in unit 00000");
    assert_eq!(rejects[1].caption.as_deref(), Some("caption 1 4"));
    inspect(["verify"]).arg(&output).succeeds();
    let report = ingest(&input, &output).succeeds().says(["nothing to do"]).json();
    assert_eq!((counts(&report).accepted, counts(&report).rejected), (10, 5));

    let after = tree(&output);
    let report = dedup(&output).arg("--remove").succeeds().json();
    assert_eq!((number(&report, "duplicates"), number(&report, "removed")), (0, 0));
    after.must_equal(&tree(&output));
}

#[test]
fn which_duplicate_stays_depends_on_nothing_but_the_inputs() {
    let folder = temporary();
    let input = repeated(folder.path());
    let ingest_some = |name: &str, tars: &[&str]| -> PathBuf {
        let output = folder.path().join(name);
        let paths: Vec<PathBuf> = tars.iter().map(|tar| input.join(tar)).collect();
        ingest(&paths[0], &output).args(&paths[1..]).run();
        output
    };
    let distinct = |name: &str, tars: &[&str], threads: &str| -> Tree {
        let output = ingest_some(name, tars);
        dedup(&output).args(["--remove", "--threads", threads]).succeeds();
        tree(&output)
    };
    let all = ["0.tar", "1.tar", "2.tar", "3.tar"];
    let whole = distinct("whole", &all, "1");
    whole.must_equal(&distinct("threads", &all, "3"));
    // some inputs first, then all
    distinct("grown", &all[..2], "2");
    whole.must_equal(&distinct("grown", &all, "2"));
    // the first tar cannot be read in the first run
    let away = folder.path().join("away.tar");
    std::fs::rename(input.join("0.tar"), &away).unwrap();
    std::fs::write(input.join("0.tar"), "no tar").unwrap();
    let late = ingest_some("late", &all);
    dedup(&late).arg("--remove").exits_with(1).says(["not all inputs", "hint: run the command"]);
    assert_eq!(rows(&late).len(), 11, "nothing is taken out before all inputs are there");
    assert_eq!(number(&dedup(&late).succeeds().json(), "duplicates"), 3);
    std::fs::rename(&away, input.join("0.tar")).unwrap();
    whole.must_equal(&distinct("late", &all, "2"));
    // an entry that is not there any more: its unit is to be made again first
    std::fs::remove_file(late.join("shards/00001.json")).unwrap();
    dedup(&late).arg("--remove").exits_with(1).says(["not all inputs"]);
    whole.must_equal(&distinct("late", &all, "2"));
}

#[test]
fn killed_while_duplicates_are_taken_out_it_ends_the_same() {
    let folder = temporary();
    let input = folder.path().join("drawn");
    draw(&input, 640, 8);
    let train = input.join("train");
    // every tar again under another name
    for tar in 0..8 {
        std::fs::copy(train.join(format!("0000{tar}.tar")), train.join(format!("1000{tar}.tar")))
            .unwrap();
    }
    let before = folder.path().join("before");
    ingest(&train, &before).succeeds();
    let undisturbed = folder.path().join("undisturbed");
    copied(&before, &undisturbed);
    let report = dedup(&undisturbed).arg("--remove").succeeds().json();
    assert!(number(&report, "removed") >= 640, "{report}");
    for last in ["rejects/00008.1.parquet", "rejects/00012.1.parquet"] {
        let output = folder.path().join(last.replace('/', "-"));
        copied(&before, &output);
        dedup(&output).arg("--remove").killed_when(|| output.join(last).exists());
        is_consistent(&output);
        // what was not taken out yet is harmless
        ingest(&train, &output).succeeds().says(["nothing to do"]);
        inspect(["verify"]).arg(&output).succeeds();
        dedup(&output).arg("--remove").succeeds();
        tree(&undisturbed).must_equal(&tree(&output));
    }
}

#[test]
fn duplicates_are_not_taken_out_while_a_takedown_is_under_way() {
    let folder = temporary();
    let output = folder.path().join("pairs");
    ingest(&repeated(folder.path()), &output).succeeds();
    written(&output, "takedown.json", &json!({"lists_sha256": ["abc"]}).to_string());
    dedup(&output).arg("--remove").exits_with(1).says(["takedown", "abc"]);
    assert_eq!(rows(&output).len(), 15);
}

#[test]
fn an_ingest_that_is_told_to_drop_duplicates_names_the_command_that_does() {
    let folder = temporary();
    let output = folder.path().join("pairs");
    for value in [&["--dedup", "exact"][..], &["--dedup"]] {
        let refused = ingest(&drawn().join("train"), &output).args(value);
        refused.exits_with(2).says(["hint: ", "clipa-prep dedup DATASET --remove"]);
    }
    assert!(!output.exists(), "a data set was begun");
}
