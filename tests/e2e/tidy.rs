//! What a reviewer would otherwise say again and again: file sizes, names, links, paths of one machine.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::path::{Path, PathBuf};

/// Lines of a source file at most; a longer one has more than one purpose.
const LINES_MAX: usize = 500;
/// Lines of a file of tests at most: one case after the other reads well for longer.
const TEST_LINES_MAX: usize = 600;
/// Folders that hold nothing of ours.
const FOREIGN: [&str; 5] = [".git", ".deps", "target", "demo", "shared"];
/// Names that say nothing about what a file holds.
const EMPTY_NAMES: [&str; 7] = ["util", "utils", "common", "helper", "helpers", "misc", "manager"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Every text file of the repository, by relative path.
fn texts() -> Vec<(String, String)> {
    let mut files = Vec::new();
    collect(&root(), "", &mut files);
    assert!(files.iter().any(|(name, _)| name == "README.md"), "the walk found no README.md");
    files
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        if FOREIGN.contains(&name.as_str()) {
            continue;
        }
        if entry.path().is_dir() {
            collect(&entry.path(), &format!("{prefix}{name}/"), files);
        } else if let Ok(text) = std::fs::read_to_string(entry.path()) {
            files.push((format!("{prefix}{name}"), text));
        }
    }
}

fn none<T: std::fmt::Display>(what: &str, found: impl Iterator<Item = T>) {
    let found: Vec<String> = found.map(|item| item.to_string()).collect();
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

#[test]
fn no_source_file_is_longer_than_its_limit() {
    let long = texts()
        .into_iter()
        .filter(|(name, _)| {
            name.ends_with(".rs") || name.ends_with(".py") || name.ends_with(".cpp")
        })
        .map(|(name, text)| (text.lines().count(), name))
        .filter(|(lines, name)| {
            *lines > if name.contains("test") { TEST_LINES_MAX } else { LINES_MAX }
        })
        .map(|(lines, name)| format!("{name}: {lines} lines"));
    none("split these", long);
}

#[test]
fn every_file_is_named_after_what_it_holds() {
    let empty = texts().into_iter().map(|(name, _)| name).filter(|name| {
        name.split('/').any(|part| EMPTY_NAMES.contains(&part.split('.').next().unwrap_or(part)))
    });
    none("name these after the thing in them", empty);
}

#[test]
fn nothing_names_a_folder_of_one_machine() {
    // Written in two parts, or this file would be found.
    let places = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];
    let named = texts().into_iter().flat_map(|(name, text)| {
        let lines: Vec<String> = text
            .lines()
            .filter(|line| places.iter().any(|place| line.contains(place)))
            .map(|line| format!("{name}: {line}"))
            .collect();
        lines
    });
    none("these paths exist on one machine only", named);
}

#[test]
fn every_link_of_the_documents_leads_somewhere() {
    let root = root();
    let broken =
        texts().into_iter().filter(|(name, _)| name.ends_with(".md")).flat_map(|(name, text)| {
            let folder = root.join(&name).parent().unwrap().to_path_buf();
            let targets: Vec<String> = text
                .split("](")
                .skip(1)
                .filter_map(|rest| rest.split(')').next())
                .map(|target| target.split('#').next().unwrap_or(target).to_owned())
                .collect();
            targets
                .into_iter()
                .filter(move |target| {
                    !target.is_empty() && !target.contains("://") && !folder.join(target).exists()
                })
                .map(move |target| format!("{name}: {target}"))
                .collect::<Vec<_>>()
        });
    none("these links are broken", broken);
}

/// `docs/src/architecture.md` names the tests of each invariant as `test: name`.
#[test]
fn every_test_that_the_architecture_names_exists() {
    let texts = texts();
    let (_, architecture) =
        texts.iter().find(|(name, _)| name == "docs/src/architecture.md").expect("the document");
    let named: Vec<&str> =
        architecture.split("test: `").skip(1).filter_map(|rest| rest.split('`').next()).collect();
    assert!(named.len() >= 8, "the invariants name too few tests: {named:?}");
    let missing = named.into_iter().filter(|test| {
        let definition = format!("fn {test}(");
        !texts.iter().any(|(name, text)| name.ends_with(".rs") && text.contains(&definition))
    });
    none("these tests do not exist", missing);
}

/// The comparisons with other programs read golden numbers out of tests; no test of ours runs them, so that a new name would go unseen.
#[test]
fn every_test_that_a_comparison_reads_exists() {
    let texts = texts();
    let scripts = || texts.iter().filter(|(name, _)| name.starts_with("tests/peers/"));
    let named = scripts().flat_map(|(_, text)| text.split("test = \"").skip(1));
    let named: Vec<&str> = named.filter_map(|rest| rest.split('"').next()).collect();
    assert!(named.len() > 8, "the comparisons name {named:?}");
    let missing = named.into_iter().filter(|test| {
        let definition = format!("fn {test}(");
        !texts.iter().any(|(name, text)| name.ends_with(".rs") && text.contains(&definition))
    });
    none("these tests do not exist", missing);
}
