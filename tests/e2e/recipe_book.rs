//! What docs/src/recipes.md says that one may write, one may write.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use clipa_tests::{Finished, train};

const BOOK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/src/recipes.md");

fn book() -> String {
    std::fs::read_to_string(BOOK).unwrap()
}

/// The cells of a table's row behind the one that names a key.
fn row(book: &str, key: &str) -> String {
    let named = |line: &&str| line.starts_with("| ") && line.contains(&format!("`{key}`"));
    let line = book.lines().find(named).unwrap_or_else(|| panic!("{key} has no row"));
    line.splitn(3, '|').nth(2).unwrap().to_owned()
}

/// What stands between backticks.
fn code(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

fn show(set: &str) -> Finished {
    train(["recipes", "show", "tiny-i17-t8", "--set", set]).succeeds()
}

#[test]
fn every_documented_value_is_read_as_it_is_written() {
    let book = book();
    let reductions = row(&book, "image_reduction");
    let values: Vec<&str> = code(&reductions)
        .into_iter()
        .filter(|code| !code.chars().all(char::is_alphabetic))
        .collect();
    assert!(values.len() >= 4, "{values:?}");
    for value in values {
        show(&format!("stage.pretrain.image_reduction={value}"));
    }
    let precision = row(&book, "precision");
    for value in code(&precision) {
        let shown = show(&format!("stage.pretrain.precision={value}")).stdout();
        assert!(shown.contains(&format!("precision = \"{value}\"")), "{shown}");
    }
    let (_, table) = book.split_once("| `text_reduction` | kept").unwrap();
    let table = table.lines().skip(2).take_while(|line| line.starts_with("| `"));
    let names: Vec<&str> = table.map(|line| code(line)[0]).collect();
    assert!(names.len() >= 6, "{names:?}");
    for name in names {
        let shown = show(&format!("stage.pretrain.text_reduction={name}")).stdout();
        assert!(shown.contains(&format!("text_reduction = \"{name}\"")), "{shown}");
    }
}

#[test]
fn the_documented_examples_of_set_do_what_is_said_of_them() {
    let book = book();
    for said in ["`1e6` is one", "`--set batch=64` suggests `stage.batch`"] {
        assert!(book.contains(said), "the book no longer says {said}");
    }
    let shown = show("stage.pretrain.samples=1e6");
    assert!(shown.stdout().contains("samples = 1000000"), "{}", shown.account());
    for key in ["batch=64", "batch=4"] {
        train(["recipes", "show", "tiny-i17-t8", "--set", key]).exits_with(1).says(["stage.batch"]);
    }
    show("stage.finetune.lr=1e-4");
}
