//! `clipa-prep classes ingest`: which name goes with which class is understood or refused, never shifted or permuted.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use clipa_schemas::prompts::{self, Prompts};
use clipa_tests::{
    Member, Program, counts, drawn, members, prep, rejected, rows, shared, temporary, write_tar,
};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

fn ingest(input: &Path, output: &Path) -> Program {
    prep(["classes", "ingest", "--json", "--image", "32:rgb8-square", "--tagger", "none"])
        .arg(input)
        .arg("--output")
        .arg(output)
}

fn prompts(output: &Path) -> Prompts {
    prompts::read(output, "clip_bpe").unwrap()
}

/// Name of each class.
fn names(output: &Path) -> Vec<String> {
    let prompts = prompts(output);
    let named = prompts.class.iter().copied().zip(prompts.class_name.iter().cloned());
    named.collect::<BTreeMap<u32, String>>().into_values().collect()
}

/// Class's name of each row's key.
fn named_rows(output: &Path) -> BTreeMap<String, String> {
    let names = names(output);
    let named =
        rows(output).into_iter().map(|row| (row.key, names[row.label.unwrap() as usize].clone()));
    named.collect()
}

/// A drawn picture.
fn picture() -> Vec<u8> {
    let all = members(&drawn().join("train/00000.tar"));
    all.into_iter().find(|member| member.name.ends_with(".jpg")).unwrap().content
}

/// A folder with these files; pictures where the suffix says so.
fn write_files(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let content = if name.ends_with(".jpg") { picture() } else { text.as_bytes().to_vec() };
        fs::write(path, content).unwrap();
    }
}

/// A tar with a picture for each label.
fn write_labels(path: &Path, labels: &[u32]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let picture = picture();
    let samples = labels.iter().enumerate().flat_map(|(place, label)| {
        let member =
            |suffix: &str, content: &[u8]| Member::new(format!("s{place:07}.{suffix}"), content);
        [member("jpg", &picture), member("cls", label.to_string().as_bytes())]
    });
    write_tar(path, samples);
}

#[test]
fn the_layout_of_clip_benchmark_is_read_with_its_own_names_and_templates() {
    let Some(case) = shared("data/cases/08-clip-benchmark-layout/wds_shapes") else { return };
    let folder = temporary();
    for (input, output) in [(case.clone(), "above"), (case.join("test"), "test")] {
        let output = folder.path().join(output);
        let report = ingest(&input, &output).succeeds().json();
        assert_eq!(counts(&report).rejected, 0, "{report}");
        assert_eq!(names(&output), ["red circle", "blue square", "green bar"]);
        let prompts = prompts(&output).prompt;
        assert_eq!(prompts[..2], ["a drawing of a red circle.", "the red circle on paper"]);
        assert_eq!(prompts.len(), 6);
    }
    // Other names do not cost the set its templates.
    let given = folder.path().join("names.txt");
    fs::write(&given, "circle\nsquare\nbar\n").unwrap();
    let output = folder.path().join("given");
    ingest(&case.join("test"), &output).arg("--classnames").arg(&given).succeeds();
    assert_eq!(prompts(&output).prompt[0], "a drawing of a circle.");
}

#[test]
fn a_hidden_folder_is_no_class() {
    let Some(case) = shared("data/cases/11-hidden-folder") else { return };
    let folder = temporary();
    let output = folder.path().join("set");
    let finished = ingest(&case.join("images"), &output)
        .arg("--classnames")
        .arg(case.join("names.txt"))
        .succeeds()
        .says([".ipynb_checkpoints", "banana/._0.jpg", "1 .heic (apple/photo.heic)", "1 .pdf"]);
    assert_eq!(counts(&finished.json()).accepted, 9);
    assert_eq!(names(&output), ["a ripe apple", "a banana", "cherries"]);
    for (key, name) in named_rows(&output) {
        let folder = key.split('/').next().unwrap();
        let right = [("apple", "a ripe apple"), ("banana", "a banana"), ("cherry", "cherries")];
        assert!(right.contains(&(folder, name.as_str())), "{key} is {name}");
    }
}

#[test]
fn classes_of_one_name_are_named() {
    let Some(case) = shared("data/cases/16-equal-class-names") else { return };
    let folder = temporary();
    ingest(&case.join("images"), &folder.path().join("set"))
        .arg("--classnames")
        .arg(case.join("names.txt"))
        .succeeds()
        .says(["classes 0 and 2 have equal names, `missile`"]);
}

#[test]
fn what_a_system_leaves_beside_classes_is_left_out_and_said() {
    let folder = temporary();
    let images = folder.path().join("images");
    write_files(
        &images,
        &[
            ("ape/a.jpg", ""),
            ("bear/deep/b.jpg", ""),
            ("__MACOSX/c.jpg", ""),
            ("@eaDir/d.jpg", ""),
            ("lost+found/e.jpg", ""),
            (".DS_Store", "x"),
            ("Thumbs.db", "x"),
            ("notes.md", "x"),
        ],
    );
    fs::write(folder.path().join("names.txt"), "an ape\na bear\n").unwrap();
    let output = folder.path().join("set");
    ingest(&images, &output)
        .arg("--classnames")
        .arg(folder.path().join("names.txt"))
        .succeeds()
        .says(["left out, hidden or the system's: 5", "1 .md (notes.md)", "ape is `an ape`"]);
    let named = named_rows(&output);
    assert_eq!(
        (named.len(), &*named["ape/a.jpg"], &*named["bear/deep/b.jpg"]),
        (2, "an ape", "a bear")
    );
}

#[test]
fn numbered_folders_are_classes_in_the_order_of_the_numbers() {
    let folder = temporary();
    let path = |name: &str| folder.path().join(name);
    let files: Vec<String> = (0..12).map(|class| format!("zero/{class}/a.jpg")).collect();
    write_files(folder.path(), &files.iter().map(|file| (file.as_str(), "")).collect::<Vec<_>>());
    let files: Vec<String> = (1..4).map(|class| format!("one/{class:02}/a.jpg")).collect();
    write_files(folder.path(), &files.iter().map(|file| (file.as_str(), "")).collect::<Vec<_>>());
    let lines = |count: usize| (0..count).map(|n| format!("name {n}\n")).collect::<String>();
    fs::write(path("12.txt"), lines(12)).unwrap();
    fs::write(path("3.txt"), lines(3)).unwrap();
    let run = |input: &str, names: &str, output: &str| {
        ingest(&path(input), &path(output)).arg("--classnames").arg(path(names))
    };
    run("zero", "12.txt", "a").succeeds();
    let named = named_rows(&path("a"));
    assert_eq!((&*named["2/a.jpg"], &*named["10/a.jpg"]), ("name 2", "name 10"));
    run("one", "3.txt", "b").succeeds().says(["folder 1 is class 0, `name 0`"]);
    assert_eq!(named_rows(&path("b"))["03/a.jpg"], "name 2");
    run("zero", "3.txt", "c").exits_with(1).says(["3 names and there are 12 folders"]);
    assert!(!path("c").exists(), "a refused set left its folder");
    ingest(&path("zero"), &path("d")).succeeds().says(["the class names are numbers"]);
}

#[test]
fn labels_and_names_that_do_not_agree_are_refused_and_from_1_is_asked_for() {
    let folder = temporary();
    let path = |name: &str| folder.path().join(name);
    for (set, labels) in [("one", &[1, 2, 3, 1][..]), ("more", &[0, 1, 2, 3]), ("fewer", &[0, 1])] {
        write_labels(&path(set).join("test/0.tar"), labels);
        fs::write(path(set).join("classnames.txt"), "ape\nbear\ncat\n").unwrap();
    }
    ingest(&path("one"), &path("out")).exits_with(1).says(["none is 0", "--first-label 1"]);
    ingest(&path("more"), &path("out")).exits_with(1).says(["label 3", "has 3 names"]);
    ingest(&path("fewer"), &path("out"))
        .exits_with(1)
        .says(["2 labels (0 to 1)", "--missing-classes"]);
    assert!(!path("out").exists(), "a refused set left its folder");
    ingest(&path("one"), &path("one-out")).args(["--first-label", "1"]).succeeds();
    let named = named_rows(&path("one-out"));
    assert_eq!((&*named["s0000000"], &*named["s0000002"]), ("ape", "cat"));
    ingest(&path("fewer"), &path("fewer-out"))
        .arg("--missing-classes")
        .succeeds()
        .says(["classes without an image: 1 (2)"]);
    // A list that is numbered from 1 says it.
    fs::write(path("one/classnames.txt"), "3 cat\n1 ape\n2 bear\n").unwrap();
    ingest(&path("one"), &path("numbered")).succeeds().says(["label 1 is class 0, `ape`"]);
    assert_eq!(named_rows(&path("numbered"))["s0000002"], "cat");
    // One tar is a part of a set.
    ingest(&path("fewer/test/0.tar"), &path("part-out")).succeeds();
    assert!(rejected(&path("part-out")).is_empty());
    fs::write(path("fewer/test/nshards.txt"), "2\n").unwrap();
    ingest(&path("fewer"), &path("out")).exits_with(1).says(["nshards.txt says `2`"]);
    fs::remove_file(path("fewer/test/nshards.txt")).unwrap();
    fs::write(path("fewer/dataset_type.txt"), "retrieval").unwrap();
    ingest(&path("fewer"), &path("out")).exits_with(1).says(["says `retrieval`"]);
}

#[test]
fn names_and_templates_are_read_in_python_and_json() {
    let folder = temporary();
    let path = |name: &str| folder.path().join(name);
    write_files(folder.path(), &[("set/n02/b.jpg", ""), ("set/n01/a.jpg", "")]);
    let python = "import x\nOPENAI_TEMPLATES = (\n    lambda c: f'a bad photo of a {c}.',\n)\n\
                  SIMPLE_TEMPLATES = (\n    lambda c: f'itap of a {c}.',\n    lambda c: f\"art of the {c}.\",\n)\n\
                  CLASSNAMES = ['ape', \"bear's paw\"]\n";
    fs::write(path("zero_shot_metadata.py"), python).unwrap();
    fs::write(path("sets.json"), r#"{"classes": ["ape", "bear"], "templates": ["{} x", "y {}"]}"#)
        .unwrap();
    let run = |names: &str, templates: &str, output: &str| {
        let program = ingest(&path("set"), &path(output)).arg("--classnames").arg(path(names));
        program.arg("--templates").arg(path(templates))
    };
    run("zero_shot_metadata.py", "zero_shot_metadata.py", "a")
        .exits_with(1)
        .says(["OPENAI_TEMPLATES, SIMPLE_TEMPLATES", "FILE:NAME"]);
    run("zero_shot_metadata.py", "zero_shot_metadata.py:SIMPLE_TEMPLATES", "b").succeeds();
    let prompts_of = |output: &str| prompts(&path(output)).prompt;
    let expected =
        ["itap of a ape.", "art of the ape.", "itap of a bear's paw.", "art of the bear's paw."];
    assert_eq!(prompts_of("b"), expected);
    run("sets.json", "sets.json", "c").succeeds();
    assert_eq!(prompts_of("c"), ["ape x", "y ape", "bear x", "y bear"]);
    fs::write(path("bad.txt"), "a photo of a %s.\n").unwrap();
    run("sets.json", "bad.txt", "d")
        .exits_with(1)
        .says(["no place for the class name", "{} or {c}"]);
    assert!(!path("d").exists(), "a refused set left its folder");
}

#[test]
fn a_second_run_with_corrected_names_applies_them_and_with_other_classes_is_refused() {
    let folder = temporary();
    let path = |name: &str| folder.path().join(name);
    write_files(folder.path(), &[("set/ape/a.jpg", ""), ("set/bear/b.jpg", "")]);
    let run = |names: &str| {
        fs::write(path("names.txt"), names).unwrap();
        ingest(&path("set"), &path("out")).arg("--classnames").arg(path("names.txt"))
    };
    run("an aep\na bear\n").succeeds();
    run("an ape\na bear\n").succeeds().says(["class 0: `an aep` there, `an ape` now"]);
    assert_eq!(names(&path("out")), ["an ape", "a bear"]);
    // The other order makes other labels, which are in the shards.
    run("bear\nape\n").exits_with(1).says(["class-folders"]);
    assert_eq!(names(&path("out")), ["an ape", "a bear"]);
    write_files(folder.path(), &[("set/cat/c.jpg", "")]);
    run("ape\nbear\ncat\n").exits_with(1).says(["classes: 2 there, 3 now"]);
}
