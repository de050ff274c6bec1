//! What the views say, to the letter.

use std::{fs, path::Path};

use clap::{CommandFactory, Parser};
use clipa_schemas::{
    manifest::{Kind, Manifest},
    reduction::text::TextReduction,
};

use super::*;
use crate::{
    dataset::Dataset,
    grid::{self, Choice},
    test_set,
};
use clipa_talk::{Captured, shell};

fn asked(folder: &Path, arguments: &[&str]) -> (anyhow::Result<Outcome>, Captured) {
    let folder = folder.to_str().unwrap();
    let line =
        ["clipa-inspect", arguments[0], folder].into_iter().chain(arguments[1..].iter().copied());
    let command = InspectCommand::try_parse_from(line).unwrap();
    let (printer, heard) = Printer::captured();
    (run(&command, &printer), heard)
}

fn set() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    test_set::write(folder.path());
    folder
}

#[test]
fn the_command_line_is_sound() {
    InspectCommand::command().debug_assert();
}

#[test]
fn a_summary_counts_and_its_json_holds_the_same() {
    let folder = set();
    let (outcome, heard) = asked(folder.path(), &["summary"]);
    assert_eq!(outcome.unwrap(), Outcome::Fine);
    let page = heard.data();
    for line in [
        ": image-text pairs, complete",
        "  found             16",
        "  accepted          10 (62.5 %)",
        "  rejected          6 (37.5 %)",
        "                    4 truncated",
        "  repaired          1 grey",
        "  row groups        2 of 5 rows",
        "rgb8-square, borrowed, one block per row group",
        "  tagger            perceptron",
    ] {
        assert!(page.contains(line), "{line:?} is not in\n{page}");
    }
    let (_, heard) = asked(folder.path(), &["summary", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&heard.data()).unwrap();
    assert_eq!(json["rows"], 10);
    assert_eq!(json["ledger"]["rejected"]["truncated"], 4);
    let columns = json["columns"].as_array().unwrap();
    let square = columns.iter().find(|column| column["name"] == "image_8").unwrap();
    assert_eq!(square["access"], "borrowed-block");
    assert!(square["bytes"].as_u64().unwrap() >= 10 * 8 * 8 * 3);
    let tokens = columns.iter().filter(|column| column["name"] == "clip_bpe");
    assert_eq!(tokens.count(), 1, "the leaves of a column are one column");
}

#[test]
fn a_sample_is_shown_with_its_reductions_and_without_its_control_characters() {
    let folder = set();
    let (outcome, heard) = asked(folder.path(), &["sample", "7", "--context-length", "6"]);
    assert_eq!(outcome.unwrap(), Outcome::Fine);
    let page = heard.data();
    for line in [
        "sample 7 `000000007`",
        "  shard             shards/00001.parquet, row group 0, row 2",
        "  source            00001.tar",
        "  caption           A small[2J RED circle floats.",
        "  image_12          rgb8, 19 x 12 pixels, 684 B",
        "clip_bpe: 6 tokens",
        "at context length 6",
    ] {
        assert!(page.contains(line), "{line:?} is not in\n{page}");
    }
    // Six tokens have room for four between the special ones: noun, two adjectives, then the verb.
    let json = asked(folder.path(), &["sample", "7", "--context-length", "6", "--json"]).1.data();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let reductions = json["texts"][0]["reductions"].as_array().unwrap();
    assert_eq!(reductions.len(), TextReduction::ALL.len());
    let texts: Vec<&str> = reductions.iter().map(|r| r["text"].as_str().unwrap()).collect();
    let words: Vec<&str> = texts[0].split(' ').collect();
    assert_eq!(words.len(), 6);
    let syntax: Vec<&str> = texts[3].split(' ').collect();
    assert_eq!(syntax[1..4], [words[2], words[3], words[4]], "{texts:?}");
    let by_vocabulary: Vec<&str> = texts[5].split(' ').collect();
    assert_eq!(by_vocabulary[..4], syntax[..4], "{texts:?}");
    let (_, by_key) =
        asked(folder.path(), &["sample", "--key", "000000007", "--context-length", "6"]);
    assert_eq!(by_key.data(), page);
}

#[test]
fn a_sample_of_a_classification_set_names_its_class() {
    let folder = tempfile::tempdir().unwrap();
    test_set::write_changed(folder.path(), Kind::Classes, |_, sample| sample.label = Some(0));
    let (outcome, heard) = asked(folder.path(), &["sample", "4"]);
    assert_eq!(outcome.unwrap(), Outcome::Fine);
    assert!(heard.data().contains("  class             red circle\n"), "{}", heard.data());
}

#[test]
fn the_png_of_a_sample_is_its_largest_image() {
    let folder = set();
    let png = folder.path().join("a.png");
    let (outcome, _) = asked(folder.path(), &["sample", "1", "--png", png.to_str().unwrap()]);
    assert_eq!(outcome.unwrap(), Outcome::Fine);
    let image = image::open(&png).unwrap().into_rgb8();
    assert_eq!(image.dimensions(), (16, 20));
    assert!(image.pixels().all(|pixel| pixel.0.iter().all(|channel| channel.abs_diff(20) < 4)));
}

#[test]
fn a_sheet_shows_every_size_at_its_own_pixels() {
    let folder = set();
    let sheet = folder.path().join("sheet.png");
    let arguments = ["grid", "--output", sheet.to_str().unwrap(), "--rows", "2", "--from", "8"];
    let (outcome, heard) = asked(folder.path(), &arguments);
    assert_eq!(outcome.unwrap(), Outcome::Fine);
    assert!(heard.talk().contains("2 samples"), "{}", heard.talk());
    let drawn = image::open(&sheet).unwrap().into_rgb8();
    for (index, shade) in [(8, 160u8), (9, 180)] {
        // The raw images of these samples: 8 x 8, and 12 high by 12 + index wide.
        let painted = drawn.pixels().filter(|pixel| pixel.0 == [shade; 3]).count();
        let raw = 8 * 8 + 12 * (12 + index);
        assert!((raw..=raw + 16 * 20).contains(&painted), "{painted} of {raw}");
    }
    let (outcome, _) = asked(folder.path(), &arguments);
    assert!(outcome.unwrap_err().to_string().ends_with("sheet.png exists already"));
}

#[test]
fn a_random_choice_is_a_function_of_the_seed() {
    let folder = set();
    let dataset = Dataset::open(folder.path()).unwrap();
    let chosen = |seed, rows| grid::choose(&dataset, Choice::Seed(seed), rows).unwrap();
    assert_eq!(chosen(1, 4), chosen(1, 4));
    assert!((0..20).any(|seed| chosen(seed, 4) != chosen(1, 4)));
    assert_eq!(chosen(3, 99), (0..10).collect::<Vec<_>>());
    assert!((0..50).all(|seed| chosen(seed, 4).len() == 4));
}

#[test]
fn rejects_are_listed_by_reason() {
    let folder = set();
    let (_, heard) = asked(folder.path(), &["rejects", "--examples", "1"]);
    let page = heard.data();
    let example = "  rejected-0-1      the JPEG ends early; 00000.tar at byte 1,024\n";
    assert!(page.starts_with(&format!("too-small (2)\n{example}truncated (4)\n")), "{page}");
    let (_, heard) = asked(folder.path(), &["rejects", "--reason", "aspect"]);
    assert_eq!(
        (heard.data().as_str(), heard.talk().as_str()),
        ("", "no sample was rejected for this reason\n")
    );
}

#[test]
fn verify_says_what_is_wrong_and_what_to_do() {
    let folder = set();
    let (outcome, heard) = asked(folder.path(), &["verify"]);
    assert_eq!(outcome.unwrap(), Outcome::Fine);
    assert!(heard.data().contains(": all is well; 10 rows in 2 row groups of 2 shards, "));
    assert_eq!(heard.talk(), "");
    fs::write(folder.path().join("shards/00001.parquet"), "gone").unwrap();
    let (outcome, heard) = asked(folder.path(), &["verify"]);
    assert_eq!(outcome.unwrap(), Outcome::Problems);
    assert!(heard.data().contains(": 1 problem; 5 rows"), "{}", heard.data());
    let talk = heard.talk();
    assert!(talk.starts_with("warning: shards/00001.parquet: 4 bytes, its entry says "), "{talk}");
    let files = ["shards/00001.json", "shards/00001.parquet", "rejects/00001.parquet"];
    let files = shell::command_line(files.map(|file| folder.path().join(file)));
    assert!(talk.contains(&format!("\nhint: remove {files}, and run")), "{talk}");
}

#[test]
fn what_a_killed_run_left_is_told_from_what_a_stranger_put_there() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("my data");
    fs::create_dir(&folder).unwrap();
    test_set::write(&folder);
    fs::write(folder.join("rejects/.00001.parquet.tmp"), "half").unwrap();
    let (outcome, heard) = asked(&folder, &["verify"]);
    assert_eq!(outcome.unwrap(), Outcome::Problems);
    let talk = heard.talk();
    let left = "warning: rejects/.00001.parquet.tmp: a temporary file of a run that was killed";
    assert!(talk.starts_with(left), "{talk}");
    assert!(talk.contains("\nhint: run the same ingest again: "), "{talk}");
    fs::write(folder.join("shards/.notes.tmp"), "mine").unwrap();
    let (_, heard) = asked(&folder, &["verify"]);
    let talk = heard.talk();
    assert!(talk.contains("warning: shards/.notes.tmp: belongs to no unit"), "{talk}");
    let stranger = shell::quoted(folder.join("shards/.notes.tmp"));
    assert!(stranger.starts_with('\''), "a path with a space is quoted");
    assert!(talk.contains(&format!("\nhint: remove {stranger}, and run")), "{talk}");
}

#[test]
fn what_is_no_data_set_is_named_with_the_one_that_was_meant() {
    let folder = set();
    let outside = tempfile::tempdir().unwrap();
    let inside = folder.path().join("shards");
    for view in ["summary", "verify", "rejects"] {
        let message = |path: &Path| {
            let (outcome, _) = asked(path, &[view]);
            let (printer, heard) = Printer::captured();
            printer.error(&outcome.unwrap_err());
            heard.talk()
        };
        let empty = message(outside.path());
        assert!(
            empty.contains("not a clipa data set") && empty.contains("hint: clipa-prep"),
            "{empty}"
        );
        let missing = message(&outside.path().join("nowhere"));
        assert!(missing.contains("nowhere: no such folder"), "{missing}");
        let meant = message(&inside);
        assert!(
            meant.contains(&format!("hint: perhaps {} is meant", folder.path().display())),
            "{meant}"
        );
    }
}

#[test]
fn a_sample_that_is_not_there_is_named() {
    let folder = set();
    let (outcome, _) = asked(folder.path(), &["sample", "10"]);
    assert!(outcome.unwrap_err().to_string().contains("no sample 10: "));
    let (outcome, _) = asked(folder.path(), &["sample", "--key", "x"]);
    assert!(outcome.unwrap_err().to_string().contains("`x`"));
}

#[test]
fn a_set_in_the_making_is_shown_as_far_as_it_is() {
    let folder = set();
    let mut manifest = Manifest::read(folder.path()).unwrap();
    manifest.finish(&[], false);
    manifest.write(folder.path()).unwrap();
    let (outcome, heard) = asked(folder.path(), &["summary"]);
    assert_eq!(outcome.unwrap(), Outcome::Fine);
    assert!(heard.data().contains("not complete"), "{}", heard.data());
    assert!(heard.data().contains("  accepted          10"), "{}", heard.data());
    assert!(heard.talk().contains("2 units finished so far"), "{}", heard.talk());
}
