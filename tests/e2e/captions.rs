//! Captions wherever they stand, several of an image, and `.json` that is none.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use clipa_schemas::rejects::Reject;
use clipa_schemas::sample::Sample;
use clipa_tests::{
    Finished, Member, inspect, members, prep, rejected, rows, shared, temporary, train, write_tar,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// A JPEG of the drawn set, another one for each number.
fn jpeg(number: usize) -> Vec<u8> {
    let tar = members(&clipa_tests::drawn_tars()[0]);
    let images = tar.into_iter().filter(|member| member.name.ends_with(".jpg"));
    images.skip(number).map(|member| member.content).next().unwrap()
}

fn ingested(tar: &Path, output: &Path) -> Finished {
    prep(["laion", "ingest", "--image", "40:rgb8", "--json"])
        .arg(tar)
        .arg("--output")
        .arg(output)
        .run()
}

/// Ingests samples of these members (suffix and content), each with an image.
fn ingest(folder: &Path, samples: &[Vec<(&str, &[u8])>]) -> (Value, Vec<Sample>, Vec<Reject>) {
    let tar = folder.join("00000.tar");
    let members = samples.iter().enumerate().flat_map(|(number, members)| {
        let image = Member::new(format!("{number:03}.jpg"), jpeg(number % 8));
        let named = |(suffix, content): &(&str, &[u8])| {
            Member::new(format!("{number:03}.{suffix}"), content.to_vec())
        };
        std::iter::once(image).chain(members.iter().map(named).collect::<Vec<_>>())
    });
    write_tar(&tar, members);
    ingest_tar(&tar, &folder.join("pairs"))
}

fn ingest_tar(tar: &Path, output: &Path) -> (Value, Vec<Sample>, Vec<Reject>) {
    let report = ingested(tar, output).json();
    assert_eq!(report["balanced"], true, "{report}");
    inspect(["verify"]).arg(output).succeeds();
    (report, rows(output), rejected(output))
}

/// All captions of a row with their sources.
fn captions(row: &Sample) -> Vec<(&str, &str)> {
    match (&row.captions, &row.caption_sources) {
        (Some(texts), Some(sources)) => {
            assert_eq!(texts[0], row.caption);
            texts.iter().zip(sources).map(|(text, source)| (&**source, &**text)).collect()
        }
        _ => vec![("", &row.caption)],
    }
}

fn of_key<'r>(rows: &'r [Sample], key: &str) -> &'r Sample {
    rows.iter().find(|row| row.key == key).unwrap_or_else(|| panic!("no row {key}"))
}

#[test]
fn an_empty_txt_yields_to_the_json_and_is_counted() {
    let folder = temporary();
    let (report, rows, rejects) = ingest(
        folder.path(),
        &[
            vec![("txt", b""), ("json", b"{\"caption\": \"a red kite\"}")],
            vec![("txt", b" \n\t"), ("json", b"{\"TEXT\": \"a blue kite\"}")],
            vec![("txt", b"a kite"), ("json", b"{\"caption\": \"a kite\"}")],
            vec![("txt", b""), ("json", b"{\"url\": \"https://x.invalid\"}")],
            vec![("txt", b"")],
        ],
    );
    let texts: Vec<&str> = rows.iter().map(|row| &*row.caption).collect();
    assert_eq!(texts, ["a red kite", "a blue kite", "a kite"]);
    assert!(rows.iter().all(|row| row.captions.is_none()), "the same words are one caption");
    assert_eq!(report["repaired"], json!({"empty_txt": 2}));
    assert!(rejects.iter().all(|reject| reject.reason == "empty_caption"), "{rejects:?}");
    assert!(rejects[0].detail.contains("url"), "{rejects:?}");
}

#[test]
fn an_empty_txt_of_the_case_yields_to_the_json() {
    let Some(case) = shared("data/cases/04-empty-txt-json-caption") else { return };
    let folder = temporary();
    let (report, rows, _) = ingest_tar(&case.join("00000.tar"), &folder.path().join("pairs"));
    assert_eq!((rows.len(), &report["repaired"]["empty_txt"]), (6, &json!(4)), "{report}");
    assert_eq!(rows[3].caption, "night train leaving the station");
}

#[test]
fn several_captions_are_kept_with_their_sources() {
    let folder = temporary();
    let five = "A dog runs.\nA brown dog.\nTwo dogs play.\nDogs outside.\nA dog on grass.\n";
    let (report, rows, _) = ingest(
        folder.path(),
        &[
            vec![("txt", five.as_bytes())],
            vec![("json", b"{\"captions\": [\"one\", \"two\", \"one\"], \"TEXT\": \"three\"}")],
            vec![("txt", b"plain"), ("caption", b"written"), ("json", b"{\"alt\": \"seen\"}")],
            vec![("captions.json", b"[\"left\", {\"caption\": \"right\"}]")],
            vec![("txt", b"A long caption that\nwas wrapped by its writer")],
            vec![("txt", b"red\nshoes"), ("json", b"{\"caption\": \"red\\nshoes\"}")],
            vec![(
                "json",
                b"{\"sentences\": [{\"raw\": \"A cat\", \"tokens\": [\"a\", \"cat\"]}]}",
            )],
        ],
    );
    let found: Vec<_> = rows.iter().map(captions).collect();
    let lines: Vec<(&str, &str)> = five.lines().map(|line| ("txt", line)).collect();
    assert_eq!(found[0], lines);
    assert_eq!(
        found[1],
        [("json:captions", "one"), ("json:captions", "two"), ("json:TEXT", "three")]
    );
    assert_eq!(found[2], [("txt", "plain"), ("caption", "written"), ("json:alt", "seen")]);
    assert_eq!(found[3], [("captions.json", "left"), ("captions.json", "right")]);
    assert_eq!(found[4], [("", "A long caption that\nwas wrapped by its writer")]);
    assert_eq!(found[5], [("", "red\nshoes")]);
    assert_eq!(found[6], [("", "A cat")]);
    assert_eq!(report["repaired"], json!({"caption_lines": 1}));
    // each caption has tokens of its own
    let tokens = |caption: usize| &rows[0].captions_text[caption].tokens[0].tokens;
    assert_eq!(tokens(0), &rows[0].tokens[0].tokens);
    assert!((1..5).all(|caption| !tokens(caption).is_empty() && tokens(caption) != tokens(0)));
    let output = folder.path().join("pairs");
    let page = inspect(["sample"]).arg(&output).arg("0").succeeds().stdout();
    let shown = ["5 captions", "Two dogs play.", "A dog on grass."];
    assert!(shown.iter().all(|part| page.contains(part)), "{page}");
    let view = inspect(["sample", "--json"]).arg(&output).arg("2").succeeds().json();
    assert_eq!(view["captions"][1], json!({"text": "written", "source": "caption"}));
}

#[test]
fn what_is_not_read_as_a_caption_is_named() {
    let folder = temporary();
    let (_, rows, rejects) = ingest(
        folder.path(),
        &[
            vec![("json", b"{\"title\": \"x\", \"width\": 3}")],
            vec![("md", b"x"), ("txt.gz", b"x")],
            vec![("json", b"{\"caption\": true, \"text\": {\"en\": \"x\"}}")],
            vec![],
        ],
    );
    assert!(rows.is_empty());
    assert!(rejects.iter().all(|reject| reject.reason == "no_caption"), "{rejects:?}");
    for (reject, named) in rejects.iter().zip([
        &["title", "width"][..],
        &[".md"],
        &["caption (true)", "text"],
        &["no .txt"],
    ]) {
        assert!(named.iter().all(|name| reject.detail.contains(name)), "{named:?}: {reject:?}");
    }
}

#[test]
fn captions_of_the_case_are_read_or_named() {
    let Some(case) = shared("data/cases/05-caption-lists") else { return };
    let folder = temporary();
    let (_, rows, rejects) = ingest_tar(&case.join("00000.tar"), &folder.path().join("fields"));
    let two = ["a red lighthouse on a rocky coast", "two bicycles leaning on a brick wall"];
    assert_eq!(captions(of_key(&rows, "000000000")), two.map(|text| ("json:captions", text)));
    assert_eq!(captions(of_key(&rows, "000000001")).len(), 2);
    assert_eq!(captions(of_key(&rows, "000000002"))[0].0, "json:org_caption");
    for key in ["000000003", "000000004", "000000007", "000000009"] {
        assert_eq!(captions(of_key(&rows, key)).len(), 1, "{key}");
    }
    let named: BTreeMap<&str, &str> =
        rejects.iter().map(|reject| (&*reject.key, &*reject.detail)).collect();
    let fields = [
        ("000000005", "title"),
        ("000000006", "prompt"),
        ("000000008", "caption_llava"),
        ("000000010", "text"),
    ];
    assert!(fields.iter().all(|(key, field)| named[key].contains(field)), "{named:?}");
    assert_eq!((rows.len(), rejects.len()), (7, 4));

    let (_, rows, rejects) = ingest_tar(&case.join("00001.tar"), &folder.path().join("suffixes"));
    assert_eq!(captions(of_key(&rows, "000000000")).len(), 2);
    for key in 1..=5 {
        of_key(&rows, &format!("{key:09}"));
    }
    of_key(&rows, "000000007");
    assert!(
        rejects
            .iter()
            .all(|reject| reject.detail.contains(".txt.gz") || reject.detail.contains(".md")),
        "{rejects:?}"
    );
}

#[test]
fn odd_json_is_read_and_broken_json_is_named_with_its_place() {
    let folder = temporary();
    let deep = format!("{{\"caption\": \"deep\", \"x\": {}{}}}", "[".repeat(500), "]".repeat(500));
    let wide: Vec<u8> =
        "\u{feff}{\"caption\": \"wide\"}".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let good: [(&[u8], &str); 9] = [
        (b"{\"caption\": \"nan\", \"a\": NaN, \"b\": -Infinity, \"c\": 1e999}", "nan"),
        (b"\xef\xbb\xbf{\"caption\": \"bom\"}", "bom"),
        (b"{\"caption\": \"lone \\udc00\"}", "lone \u{fffd}"),
        (b"{\"caption\": \"a\", \"caption\": \"b\"}", "b"),
        (b"[{\"caption\": \"listed\"}]\n", "listed"),
        (b"\"{\\\"caption\\\": \\\"twice\\\"}\"", "twice"),
        (b"{\"caption\": \"padded\"}\0\0\0", "padded"),
        (deep.as_bytes(), "deep"),
        (&wide, "wide"),
    ];
    let bad: [(&[u8], &str); 6] = [
        (b"", "line 1, column 1"),
        (b"{\n \"caption\": \"x\",\n}", "line 3, column 1"),
        (b"{\"caption\": \"x\"}\n{\"caption\": \"y\"}", "JSON lines?) at line 2, column 1"),
        (b"{\"caption\": undefined}", "line 1, column 13"),
        (b"{'caption': 'x'}", "line 1, column 2"),
        (b"<html>", "line 1, column 1"),
    ];
    let samples: Vec<Vec<(&str, &[u8])>> =
        good.iter().chain(&bad).map(|(json, _)| vec![("json", *json)]).collect();
    let (_, rows, rejects) = ingest(folder.path(), &samples);
    let texts: Vec<&str> = rows.iter().map(|row| &*row.caption).collect();
    assert_eq!(texts, good.map(|(_, text)| text));
    assert_eq!(rejects.len(), bad.len());
    for (reject, (_, place)) in rejects.iter().zip(bad) {
        assert!(
            reject.reason == "bad_sidecar" && reject.detail.contains(place),
            "{place}: {reject:?}"
        );
    }
}

#[test]
fn json_oddities_of_the_case_are_read_or_named_with_their_place() {
    let Some(case) = shared("data/cases/29-json-oddities") else { return };
    let folder = temporary();
    let (report, rows, rejects) = ingest_tar(&case.join("00000.tar"), &folder.path().join("pairs"));
    let of = |reason: &str| -> Vec<&str> {
        let found = rejects.iter().filter(|reject| reject.reason == reason);
        found.map(|reject| &reject.key[..2]).collect()
    };
    assert_eq!(of("bad_sidecar"), ["01", "03", "07", "08", "10", "27", "28", "29", "31"]);
    let broken = rejects.iter().filter(|reject| reject.reason == "bad_sidecar");
    assert!(broken.clone().all(|reject| reject.detail.contains("at line ")), "{rejects:?}");
    assert_eq!((of("no_caption"), of("empty_caption")), (vec!["13", "14", "15"], vec!["18", "20"]));
    assert_eq!(of_key(&rows, "19-empty-then-text").caption, "a quiet lake");
    assert_eq!(of_key(&rows, "22-dup").caption, "a quiet lake");
    assert_eq!(of_key(&rows, "24-utf16").caption, "CAP");
    assert_eq!((rows.len(), &report["repaired"]["sidecar_not_utf8"]), (18, &json!(1)), "{report}");
}

#[test]
fn a_reject_keeps_all_captions_and_a_takedown_leaves_none() {
    let folder = temporary();
    let two =
        b"{\"captions\": [\"first words\", \"second words\"], \"url\": \"https://x.invalid/0\"}";
    let tar = folder.path().join("00000.tar");
    let sample = |key: &str, image: Vec<u8>| {
        [Member::new(format!("{key}.jpg"), image), Member::new(format!("{key}.json"), two.to_vec())]
    };
    let samples = [sample("kept", jpeg(0)), sample("broken", b"no image".to_vec())];
    write_tar(&tar, samples.into_iter().flatten());
    let output = folder.path().join("pairs");
    let (_, kept, rejects) = ingest_tar(&tar, &output);
    let words = Some(vec!["first words".to_owned(), "second words".to_owned()]);
    assert_eq!((kept.len(), &kept[0].captions), (1, &words));
    assert_eq!((rejects.len(), &rejects[0].captions), (1, &words));

    let list = folder.path().join("deny.txt");
    std::fs::write(&list, "https://x.invalid/0\n").unwrap();
    prep(["takedown"]).arg(&output).arg("--deny").arg(&list).succeeds();
    assert!(rows(&output).is_empty());
    let left = rejected(&output);
    assert_eq!(left.len(), 2);
    assert!(left.iter().all(|reject| reject.caption.is_none()
        && reject.captions.is_none()
        && reject.url.is_none()));
    inspect(["verify"]).arg(&output).succeeds();
    // an ingest that is told so at once leaves none either
    let output = folder.path().join("denied");
    prep(["laion", "ingest", "--image", "40:rgb8"])
        .arg(&tar)
        .arg("--deny")
        .arg(&list)
        .arg("--output")
        .arg(&output)
        .exits_with(1)
        .says(["no row was made"]);
    assert!(
        rejected(&output)
            .iter()
            .all(|reject| reject.captions.is_none() && reject.caption.is_none())
    );
}

#[test]
fn a_takedown_keeps_the_captions_of_the_other_rows() {
    let folder = temporary();
    let (_, before, _) = ingest(
        folder.path(),
        &[
            vec![("json", b"{\"captions\": [\"a\", \"b\"]}")],
            vec![("txt", b"one")],
            vec![("json", b"{\"captions\": [\"c\", \"d\", \"e\"]}")],
        ],
    );
    let (output, list) = (folder.path().join("pairs"), folder.path().join("deny.txt"));
    std::fs::write(&list, "key:001\n").unwrap();
    prep(["takedown"]).arg(&output).arg("--deny").arg(&list).succeeds();
    assert_eq!(rows(&output), [before[0].clone(), before[2].clone()]);
    inspect(["verify"]).arg(&output).succeeds();
}

#[test]
fn filters_judge_each_caption_and_keep_the_others() {
    let folder = temporary();
    let tar = folder.path().join("00000.tar");
    let sample = |key: &str, txt: &str, number| {
        [Member::new(format!("{key}.jpg"), jpeg(number)), Member::new(format!("{key}.txt"), txt)]
    };
    let samples = [
        sample("a", "IMG 1\na grey cat asleep on a sill\nA cat, grey and asleep", 0),
        sample("b", "x\ny", 1),
    ];
    write_tar(&tar, samples.into_iter().flatten());
    let output = folder.path().join("pairs");
    let filtered =
        || prep(["laion", "ingest", "--image", "40:rgb8", "--json", "--min-words", "4"]).arg(&tar);
    let report = filtered().arg("--output").arg(&output).succeeds().json();
    let kept = rows(&output);
    assert_eq!(
        captions(&kept[0]),
        [("txt", "a grey cat asleep on a sill"), ("txt", "A cat, grey and asleep")]
    );
    assert_eq!((kept.len(), &report["repaired"]["captions_filtered"]), (1, &json!(1)), "{report}");
    let rejects = rejected(&output);
    assert_eq!(
        (&*rejects[0].reason, rejects[0].captions.as_ref().unwrap().len()),
        ("caption_words", 2)
    );
    let output = folder.path().join("refused");
    let report = filtered()
        .args(["--refuse", "captions_filtered"])
        .arg("--output")
        .arg(&output)
        .exits_with(1)
        .json();
    assert_eq!(report["rejected"]["captions_filtered"]["count"], 1, "{report}");
}

/// A model trained on any of several captions goes on after a kill with the same losses, and a source that is nowhere is
/// said.
#[test]
fn training_on_random_captions_goes_on_with_the_same_losses() {
    let folder = temporary();
    let tar = folder.path().join("00000.tar");
    let drawn = clipa_tests::drawn_tars().into_iter().flat_map(|tar| members(&tar));
    let samples = drawn.filter_map(|member| {
        let key = member.name.strip_suffix(".txt")?.to_owned();
        let text = String::from_utf8(member.content.clone()).unwrap();
        let other =
            json!({"captions": [format!("another view of {text}"), format!("{key} again")]});
        Some([member, Member::new(format!("{key}.json"), other.to_string())])
    });
    let images = clipa_tests::drawn_tars().into_iter().flat_map(|tar| members(&tar));
    let images = images.filter(|member| member.name.ends_with(".jpg"));
    write_tar(&tar, images.chain(samples.flatten()).collect::<Vec<_>>());
    let data = folder.path().join("pairs");
    prep(["laion", "ingest", "--for", "tiny-i17-t8"])
        .arg(&tar)
        .arg("--output")
        .arg(&data)
        .succeeds();
    assert!(rows(&data).iter().all(|row| captions(row).len() == 3));

    let pretrain = |run: &str, captions: &str| {
        let set = [
            "batch=16",
            "samples=192",
            "warmup_steps=2",
            "log_steps=1",
            "checkpoint_steps=4",
            captions,
        ];
        let set = set.iter().flat_map(|set| ["--set".to_owned(), format!("stage.{set}")]);
        train(["pretrain", "--recipe", "tiny-i17-t8"])
            .args(set)
            .arg("--data")
            .arg(&data)
            .arg("--output")
            .arg(folder.path().join(run))
    };
    let losses = |run: &str| -> Vec<(u64, f64)> {
        let text = std::fs::read_to_string(folder.path().join(run).join("metrics.jsonl"));
        let text = text.unwrap_or_default();
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        let line = |line| serde_json::from_str::<Value>(line).unwrap();
        whole
            .map(line)
            .filter_map(|line| Some((line["step"].as_u64()?, line["loss"].as_f64()?)))
            .collect()
    };
    pretrain("whole", "captions=random").succeeds();
    let undisturbed = losses("whole");
    assert_eq!(undisturbed.len(), 12);
    pretrain("killed", "captions=random").killed_when(|| losses("killed").len() >= 6);
    pretrain("killed", "captions=random").arg("--resume").succeeds();
    assert_eq!(losses("killed"), undisturbed);
    pretrain("first", "captions=first").succeeds();
    assert_ne!(losses("first"), undisturbed);
    pretrain("nowhere", "captions={ \"json:nowhere\" = 1 }")
        .succeeds()
        .says(["192 samples", "`captions` names"]);
    assert_eq!(losses("nowhere"), losses("first"));
}
