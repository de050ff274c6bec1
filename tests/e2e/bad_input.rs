//! Bad input: one clear message or a counted rejection, no panic, nothing lost that was there.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use clipa_tests::{
    Counts, Member, Program, counts, drawn, drawn_tars, inspect, members, middle_of_jpeg, prep,
    skipped, temporary, tree, write_tar,
};
use std::path::Path;
use std::process::Command;

/// A caption far longer than any limit of a page's alt text.
const LONG_CAPTION_BYTES: usize = 60_000;

fn ingest(input: &Path, output: &Path) -> Program {
    prep(["laion", "ingest", "--image", "40:rgb8", "--json"]).arg(input).arg("--output").arg(output)
}

/// The first drawn image, as a member.
fn drawn_image() -> Member {
    let all = members(&drawn_tars()[0]);
    all.into_iter().find(|member| member.name.ends_with(".jpg")).expect("a drawn JPEG")
}

/// Ingests a tar of these members.
fn ingested(members: impl IntoIterator<Item = Member>) -> Counts {
    let folder = temporary();
    let tar = folder.path().join("00000.tar");
    write_tar(&tar, members);
    let output = folder.path().join("pairs");
    let finished = ingest(&tar, &output).succeeds();
    inspect(["verify"]).arg(&output).succeeds();
    counts(&finished.json())
}

#[test]
fn a_missing_input_is_named() {
    let folder = temporary();
    let output = folder.path().join("pairs");
    ingest(&folder.path().join("nowhere.tar"), &output).exits_with(1).says(["nowhere.tar"]);
    assert!(!output.exists(), "a data set was begun");
}

#[test]
fn an_empty_folder_and_an_empty_file_are_named() {
    let folder = temporary();
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    ingest(&empty, &folder.path().join("a")).exits_with(1).says(["empty"]);
    let file = folder.path().join("nothing.tar");
    std::fs::write(&file, "").unwrap();
    ingest(&file, &folder.path().join("b")).exits_with(1).says(["nothing.tar"]);
}

#[test]
fn a_truncated_tar_is_an_error_that_keeps_what_was_whole() {
    let folder = temporary();
    let tar = folder.path().join("00000.tar");
    let whole = std::fs::read(&drawn_tars()[0]).unwrap();
    // Within the image of a sample, where no reading of the format lets a tar end.
    std::fs::write(&tar, &whole[..middle_of_jpeg(&drawn_tars()[0], 20)]).unwrap();
    let other = clipa_tests::copy_into(folder.path(), &drawn_tars()[1]);
    let output = folder.path().join("pairs");
    let finished = ingest(&tar, &output).arg(&other).exits_with(1).says(["00000.tar", "cut off"]);
    let accepted = counts(&finished.json()).accepted;
    assert_eq!(accepted, 32 + 20, "the whole tar, and what stands before the cut in the other");
    // The cut stays on record, and is all that is wrong.
    let verified = inspect(["verify"]).arg(&output).exits_with(1).says(["cut off"]);
    assert!(verified.stdout().contains(" 1 problem;"), "{}", verified.account());
}

#[test]
fn a_broken_image_is_a_rejection_and_its_neighbours_stay() {
    let good = drawn_image();
    let half = Member::new("b.jpg", &good.content[..good.content.len() / 2]);
    let text = Member::new("c.jpg", "<html>404 not found</html>");
    let samples = [
        Member::sample("000000", good.clone(), "a whole picture"),
        Member::sample("000001", half, "half a picture"),
        Member::sample("000002", text, "no picture"),
        Member::sample("000003", Member::new("d.jpg", ""), "nothing"),
        Member::sample("000004", good, "another whole picture"),
    ];
    let expected = Counts { found: 5, accepted: 2, rejected: 3 };
    assert_eq!(ingested(samples.into_iter().flatten()), expected);
}

#[test]
fn a_caption_of_sixty_thousand_characters_ends_nothing() {
    let long = "a very long alt text ".repeat(LONG_CAPTION_BYTES / 21 + 1);
    let one_word = "x".repeat(LONG_CAPTION_BYTES);
    let samples = [
        Member::sample("000000", drawn_image(), &long),
        Member::sample("000001", drawn_image(), &one_word),
        Member::sample("000002", drawn_image(), "short"),
    ];
    let Counts { found, accepted, .. } = ingested(samples.into_iter().flatten());
    assert_eq!(found, 3);
    assert!(accepted >= 1, "the short caption is accepted");
}

#[test]
fn a_caption_with_controls_and_every_script_is_kept() {
    let captions =
        ["\u{1b}[31mred\u{7}", "emoji 👩‍👩‍👧 and 漢字 and عربى", "a\0b", "\u{202e}backwards"];
    let samples = captions.iter().enumerate().flat_map(|(index, caption)| {
        Member::sample(&format!("{index:06}"), drawn_image(), caption)
    });
    assert_eq!(ingested(samples), Counts { found: 4, accepted: 4, rejected: 0 });
}

#[test]
fn nan_in_a_sidecar_is_a_missing_number() {
    let mut sample = Member::sample("000000", drawn_image(), "a picture");
    sample[2].content =
        br#"{"key": "000000", "caption": "a picture", "similarity": NaN, "punsafe": -Infinity}"#
            .to_vec();
    assert_eq!(ingested(sample), Counts { found: 1, accepted: 1, rejected: 0 });
}

#[test]
fn a_sidecar_that_is_no_json_loses_no_good_pair() {
    let mut sample = Member::sample("000000", drawn_image(), "a picture");
    sample[2].content = b"{\"key\": ".to_vec();
    assert_eq!(ingested(sample), Counts { found: 1, accepted: 1, rejected: 0 });
}

#[test]
fn an_output_that_is_something_else_is_left_alone() {
    let folder = temporary();
    std::fs::write(folder.path().join("thesis.txt"), "years of work").unwrap();
    let before = tree(folder.path());
    ingest(&drawn().join("train"), folder.path()).exits_with(1);
    before.must_equal(&tree(folder.path()));
}

#[test]
fn an_unknown_option_is_a_usage_error() {
    let folder = temporary();
    for wrong in [["--imagine", "40:rgb8"], ["--image", "40:rgb9"], ["--image", "0:rgb8"]] {
        prep(["laion", "ingest"])
            .arg(drawn().join("train"))
            .arg("--output")
            .arg(folder.path().join("pairs"))
            .args(wrong)
            .exits_with(2);
    }
}

/// A shell line in a mount namespace of its own, in which `place` is a file system of that size.
fn on_small_disk(place: &Path, size: &str, script: &str) -> std::process::Output {
    let place = place.display();
    let script = format!("mount -t tmpfs -o size={size} none '{place}' && {{ {script}\n}}");
    Command::new("unshare").args(["--mount", "sh", "-c", &script]).output().expect("unshare starts")
}

fn small_disk_works(place: &Path) -> bool {
    let able = Command::new("unshare")
        .args(["--mount", "sh", "-c"])
        .arg(format!("mount -t tmpfs -o size=1m none '{}'", place.display()))
        .output()
        .is_ok_and(|output| output.status.success());
    if !able {
        skipped("mounting a small disk needs root and unshare");
    }
    able
}

#[test]
fn a_full_disk_stops_the_run_and_more_room_finishes_it() {
    let folder = temporary();
    let place = folder.path().join("disk");
    std::fs::create_dir(&place).unwrap();
    if !small_disk_works(&place) {
        return;
    }
    let undisturbed = folder.path().join("undisturbed");
    let train = drawn().join("train");
    let sized = |output: &Path| {
        prep(["laion", "ingest", "--image", "64:rgb8"]).arg(&train).arg("--output").arg(output)
    };
    sized(&undisturbed).succeeds();
    let output = place.join("pairs");
    let line = sized(&output).shell_line();
    let copy = folder.path().join("copy");
    // 96 images of at least 64 x 64 x 3 bytes are 1.2 MB; 700 kB hold one shard of the three.
    let finished = on_small_disk(
        &place,
        "700k",
        &format!(
            "{line}; echo \"exit $?\"; ls '{out}/shards'; \
             mount -o remount,size=64m '{place}' && {line} && cp -r '{out}' '{copy}'",
            out = output.display(),
            place = place.display(),
            copy = copy.display(),
        ),
    );
    let account = format!(
        "{}\n{}",
        String::from_utf8_lossy(&finished.stdout),
        String::from_utf8_lossy(&finished.stderr)
    );
    assert!(account.contains("exit 1"), "{account}");
    assert!(account.contains("No space left on device"), "{account}");
    assert!(!account.contains("panicked at"), "{account}");
    assert!(finished.status.success(), "the second run: {account}");
    tree(&undisturbed).must_equal(&tree(&copy));
}
