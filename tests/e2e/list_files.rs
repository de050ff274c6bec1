//! What a list file says: every line is understood or refused, and a list that names nothing is said.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use clipa_schemas::file::hex;
use clipa_tests::{
    DRAWN_SAMPLES, Member, Program, drawn, drawn_tars, ingest_every_encoding, members, number,
    prep, rejected, rows, shared, temporary, write_table, write_tar,
};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn ingest(input: &Path, output: &Path) -> Program {
    ingest_every_encoding(input, output).arg("--json")
}

fn takedown(dataset: &Path, list: &Path) -> Program {
    prep(["takedown", "--json"]).arg(dataset).arg("--deny").arg(list)
}

fn written(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// A data set of ten images, with a URL and a key of its own for each.
fn pairs(folder: &Path) -> PathBuf {
    let images = members(&drawn_tars()[0]).into_iter().filter(|it| it.name.ends_with(".jpg"));
    let samples = images.take(10).enumerate();
    let tar = folder.join("00000.tar");
    write_tar(
        &tar,
        samples.flat_map(|(key, image)| Member::sample(&format!("{key:09}"), image, "x")),
    );
    let output = folder.join("all");
    ingest(&tar, &output).succeeds();
    output
}

/// Rows that a list would take out.
fn named(dataset: &Path, list: &Path) -> u64 {
    number(&takedown(dataset, list).arg("--dry-run").succeeds().json(), "removed")
}

#[test]
fn every_line_of_a_list_is_understood_or_refused() {
    let folder = temporary();
    let output = pairs(folder.path());
    let all = rows(&output);
    let url = |row: usize| all[row].metadata.url.clone().unwrap();
    let (u, v, hash) = (url(3), url(5), hex(&all[7].image_hash));
    let utf16 = |text: &str, order: fn(u16) -> [u8; 2]| -> Vec<u8> {
        text.encode_utf16().flat_map(order).collect()
    };
    for (name, bytes, expected) in [
        ("noheader.csv", format!("{u},NSFW\n{v},asked for on 3/5/2024\n").into_bytes(), 2),
        ("header.csv", format!("url,reason\n{u},NSFW\n").into_bytes(), 1),
        ("header.txt", format!("reason;URL\nx;{u}\n\"a;b\";{v}\n").into_bytes(), 2),
        ("hash.csv", format!("hash,url\n-123,{u}\n77,\n").into_bytes(), 1),
        ("quoted.csv", format!("\"{u}\"\n\"{v}\"\n").into_bytes(), 2),
        ("quoted.txt", format!("\"{u}\",\"a, b\"\n").into_bytes(), 1),
        ("tabs.tsv", format!("{u}\tremoved\n{v}\tremoved\n").into_bytes(), 2),
        ("tabs.txt", format!("removed by owner\t{u}\n").into_bytes(), 1),
        ("remark.txt", format!("{u} # asked for\n{v}\t# too\n").into_bytes(), 2),
        ("space.txt", format!("{u} {v}\n").into_bytes(), 2),
        ("sum.txt", format!("{hash}  000000007.jpg\n").into_bytes(), 1),
        ("bsd.txt", format!("SHA256 (7 (1).jpg) = {hash}\n").into_bytes(), 1),
        ("windows.txt", format!("\u{feff}{u}\r\n\r\n{v}\r\n").into_bytes(), 2),
        ("excel.txt", utf16(&format!("\u{feff}url\tx\r\n{u}\ty\r\n"), u16::to_le_bytes), 1),
        ("big-end.txt", utf16(&format!("\u{feff}{u}\n{v}"), u16::to_be_bytes), 2),
        ("key.csv", format!("key\n{}\n", all[9].key).into_bytes(), 1),
    ] {
        assert_eq!(named(&output, &written(folder.path(), name, bytes)), expected, "{name}");
    }
    for (name, bytes, said) in [
        ("noheader.txt", format!("{u},NSFW\n"), "noheader.txt, line 1: a URL with a comma"),
        (
            "late.txt",
            format!("{u}\n{v},0.31,NSFW\n{v},NSFW\n"),
            "late.txt, line 3: a URL with a comma",
        ),
        ("suffix.txt", format!("{u}\nhttps://a.b/c.jpg,0.31\n"), "suffix.txt, line 2"),
        ("both.txt", format!("{u},{v}\n"), "both.txt, line 1"),
        ("comma.csv", "https://a.b/w_3,h_2/x.png,NSFW\n".to_owned(), "comma.csv, line 1"),
        (
            "fields.csv",
            format!("url,reason\n{u},NSFW\n{v}\n"),
            "fields.csv, line 3: its number of fields",
        ),
        ("quote.csv", format!("\"{u}\n"), "quote.csv, line 1: a quote"),
        ("words.txt", format!("{u} taken back\n"), "words.txt, line 1: a URL, and more"),
        ("rows.jsonl", format!("{{\"url\": \"{u}\"}}\n"), "rows.jsonl, line 1: neither a URL"),
        ("host.txt", "https:///x.jpg\n".to_owned(), "host.txt, line 1"),
        ("link.csv", format!("link,reason\n{u},x\n"), "link.csv, line 1"),
        ("mac.txt", format!("{u}\r{v}\r"), "mac.txt, line 1: it holds control"),
    ] {
        let list = written(folder.path(), name, bytes);
        takedown(&output, &list).exits_with(1).says([said]);
    }
    let latin = [b"https://a.b/caf\xe9.jpg\n".as_slice(), b"https://a.b/\n"].concat();
    let latin = written(folder.path(), "latin.txt", latin);
    takedown(&output, &latin).exits_with(1).says(["latin.txt, line 1: it is not UTF-8"]);
    let packed = written(folder.path(), "list.txt.gz", b"\x1f\x8b\x08\x00rest");
    takedown(&output, &packed).exits_with(1).says(["compressed with gzip: unpack it"]);
}

#[test]
fn a_table_as_a_list_needs_a_column_that_names_something() {
    let folder = temporary();
    let output = folder.path().join("all");
    ingest(&drawn().join("train"), &output).succeeds();
    let row = rows(&output).remove(5);
    let list = folder.path().join("list.parquet");
    let takes = |rows: &[Value]| {
        write_table(&list, rows);
        takedown(&output, &list).arg("--dry-run")
    };
    let report = takes(&[json!({"KEY": row.key, "note": "x"})]).succeeds().json();
    assert_eq!(number(&report, "removed"), 1, "a column of keys alone is one");
    let report = takes(&[json!({"key": "000000000", "url": row.metadata.url})]).succeeds().json();
    assert_eq!(number(&report, "removed"), 1, "beside a URL a key is only a number");
    takes(&[json!({"link": row.metadata.url})])
        .exits_with(1)
        .says(["no column of URLs", "it has link"]);
    takes(&[json!({"url": 7})]).exits_with(1).says(["row 0: `url` is a number"]);
    takes(&[json!({"url": row.metadata.url}), json!({"url": "http://"})])
        .exits_with(1)
        .says(["row 1: `url` is no URL"]);
}

#[test]
fn a_list_that_names_nothing_is_said_and_a_takedown_ends_with_exit_code_1() {
    let folder = temporary();
    let output = folder.path().join("all");
    ingest(&drawn().join("train"), &output).succeeds();
    let row = rows(&output).remove(5);
    let stranger = written(folder.path(), "stranger.txt", "https://a.b/c.jpg\n");
    let empty = written(folder.path(), "empty.txt", "# none yet\n");
    let known =
        written(folder.path(), "known.txt", format!("url:{}\nkey:none", row.metadata.url.unwrap()));
    takedown(&output, &stranger)
        .exits_with(1)
        .says(["stranger.txt: nothing in this data set", "1 entry"]);
    takedown(&output, &empty)
        .exits_with(1)
        .says(["empty.txt: nothing in this data set", "0 entries"]);
    let both =
        takedown(&output, &known).arg("--deny").arg(&stranger).arg("--dry-run").exits_with(1);
    let lists = &both.json()["lists"];
    assert_eq!((number(&lists[0], "entries"), number(&lists[0], "matched")), (2, 1));
    assert_eq!(number(&lists[1], "matched"), 0);
    both.says(["known.txt: 2 entries, of which 1 name"]);
    takedown(&output, &known).succeeds();
    takedown(&output, &known).exits_with(1).says(["was it taken down before"]);

    let denied = folder.path().join("denied");
    let run = ingest(&drawn().join("train"), &denied).arg("--deny").arg(&stranger);
    let report = run.succeeds().says(["stranger.txt names no sample of these inputs"]).json();
    assert_eq!(report["warnings"].as_array().unwrap().len(), 1);
    let known_only = folder.path().join("known-only");
    let run = ingest(&drawn().join("train"), &known_only).arg("--deny").arg(&known).succeeds();
    assert_eq!(run.json()["warnings"], json!([]));
    let allowed = folder.path().join("allowed");
    let run = ingest(&drawn().join("train"), &allowed).arg("--allow").arg(&stranger).run();
    run.says(["--allow", "stranger.txt names no sample"]);
}

#[test]
fn spellings_of_one_url_are_one_and_two_urls_stay_two() {
    let folder = temporary();
    let jpeg =
        members(&drawn_tars()[0]).into_iter().find(|member| member.name.ends_with(".jpg")).unwrap();
    let urls = [
        "http://b\u{fc}cher.example:80/\u{e9} a.jpg?x=\u{e9}#top",
        "https://b\u{fc}cher.example/\u{e9}%20A.jpg?x=\u{e9}",
        "http://b\u{fc}cher.example/x%2Fa.jpg",
    ];
    let tar = folder.path().join("00000.tar");
    write_tar(
        &tar,
        urls.iter().enumerate().flat_map(|(key, url)| {
            [
                Member::new(format!("{key}.jpg"), jpeg.content.clone()),
                Member::new(format!("{key}.txt"), "a caption"),
                Member::new(format!("{key}.json"), json!({"url": url}).to_string()),
            ]
        }),
    );
    for (entry, expected) in [
        ("https://XN--BCHER-KVA.example/%C3%A9%20a.jpg?x=%c3%a9", "0"),
        ("http://b%c3%bccher.example/./y/../%c3%a9%20A.jpg?x=\u{e9}", "1"),
        ("url: xn--bcher-kva.example/x%2fa.jpg", "2"),
    ] {
        let output = folder.path().join(expected);
        let list = written(folder.path(), "list.txt", entry);
        ingest(&tar, &output).arg("--deny").arg(&list).succeeds();
        let keys: Vec<String> = rejected(&output).into_iter().map(|reject| reject.key).collect();
        assert_eq!(keys, [expected], "{entry}");
    }
}

#[test]
fn the_lists_of_the_case_are_read() {
    let Some(case) = shared("data/cases/33-deny-lists") else { return };
    let folder = temporary();
    let output = folder.path().join("pairs");
    let found = number(&ingest(&case.join("00000.tar"), &output).succeeds().json(), "accepted");
    assert!(found > 2 && found < DRAWN_SAMPLES as u64);
    for (name, expected) in [
        ("plain.txt", 1),
        ("header.csv", 1),
        ("noheader.csv", 2),
        ("quoted.csv", 2),
        ("tabs.tsv", 2),
        ("comment-behind.txt", 1),
        ("space.txt", 2),
        ("url.parquet", 2),
        ("key.parquet", 2),
        ("sha256sum.txt", 2),
    ] {
        assert_eq!(named(&output, &case.join(name)), expected, "{name}");
    }
}
