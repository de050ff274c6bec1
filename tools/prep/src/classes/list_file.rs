//! Files that hold a list of texts, class names or templates, in the spellings that people have them in.
//!
//! | spelling | who writes it |
//! |---|---|
//! | one a line | CLIP_benchmark |
//! | a JSON list, or an object with lists under names | open_clip's and others' exports |
//! | Python: a list or tuple of strings or of `lambda c: f"a photo of a {c}."` | open_clip's `zero_shot_metadata.py`, CLIP's notebooks |

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, bail};
use clipa_talk::{Failure, printable};
use serde_json::Value;

use super::python;

/// Longest list that is read, in bytes.
const MAX_LIST_BYTES: u64 = 16 << 20;
/// Names of lists that a message shows.
const NAMED_IN_MESSAGE: usize = 8;

/// Which of a file's lists is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Class names.
    Names,
    /// Prompt templates.
    Templates,
}

/// What a list holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entries {
    /// Texts, in their order.
    Plain(Vec<String>),
    /// Texts with a number or WordNet id before each, in the file's order.
    Keyed(Vec<(String, String)>),
}

impl Wanted {
    /// The part of a list's name that tells it from others.
    fn mark(self) -> &'static str {
        match self {
            Wanted::Names => "class",
            Wanted::Templates => "template",
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Wanted::Names => "class names",
            Wanted::Templates => "templates",
        }
    }
}

/// `FILE`, or `FILE:NAME` for one of several lists in it; a file of the whole name comes first.
pub(super) fn split_name(given: &Path) -> (PathBuf, Option<String>) {
    if !given.exists()
        && let Some((file, name)) = given.to_str().and_then(|text| text.rsplit_once(':'))
        && Path::new(file).is_file()
    {
        return (PathBuf::from(file), Some(name.to_owned()));
    }
    (given.to_owned(), None)
}

/// Reads a list; `name` chooses one of several.
///
/// # Errors
/// The file cannot be read, is too large or no UTF-8, holds no list or several, or an entry is no text.
pub(super) fn read(path: &Path, name: Option<&str>, wanted: Wanted) -> Result<Entries> {
    let text = text_of(path)?;
    let entries = match spelling(path, &text) {
        Spelling::Json => of_json(&text, name, wanted),
        Spelling::Notebook => code_of(&text).and_then(|code| of_python(&code, name, wanted)),
        Spelling::Python => of_python(&text, name, wanted),
        Spelling::Lines => of_lines(&text, name, wanted),
    };
    let entries = entries.with_context(|| path.display().to_string())?;
    let is_empty = match &entries {
        Entries::Plain(texts) => texts.is_empty(),
        Entries::Keyed(pairs) => pairs.is_empty(),
    };
    if is_empty {
        bail!("{}: no {} in it", path.display(), wanted.noun());
    }
    Ok(entries)
}

/// The text of a list's file, without a byte order mark.
pub(super) fn text_of(path: &Path) -> Result<String> {
    let context = || format!("cannot read {}", path.display());
    let bytes = fs::metadata(path).with_context(context)?.len();
    if bytes > MAX_LIST_BYTES {
        bail!("{} has {bytes} bytes, a list has {MAX_LIST_BYTES} at most", path.display());
    }
    let bytes = fs::read(path).with_context(context)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].iter().filter(|&&byte| byte == b'\n').count() + 1;
        let error = anyhow!("{}, line {line}: no UTF-8", path.display());
        Failure::new(error, "save the file as UTF-8")
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(&text).replace("\r\n", "\n").replace('\r', "\n"))
}

enum Spelling {
    Json,
    Notebook,
    Python,
    Lines,
}

fn spelling(path: &Path, text: &str) -> Spelling {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    match extension.as_str() {
        "json" => return Spelling::Json,
        "ipynb" => return Spelling::Notebook,
        "py" => return Spelling::Python,
        _ => {}
    }
    let start = text.trim_start();
    let is_json = || serde_json::from_str::<Value>(text).is_ok_and(|value| !value.is_string());
    match start.chars().next() {
        Some('[' | '{') if is_json() => Spelling::Json,
        Some('[' | '(') if start.trim_end().trim_end_matches(',').ends_with([']', ')']) => {
            Spelling::Python
        }
        _ if python::begins_with_assignment(start) => Spelling::Python,
        _ => Spelling::Lines,
    }
}

/// The code cells of a Jupyter notebook, one after the other.
fn code_of(text: &str) -> Result<String> {
    let notebook: Value = serde_json::from_str(text).context("no notebook")?;
    let cells = notebook["cells"].as_array().ok_or_else(|| anyhow!("a notebook without cells"))?;
    let mut code = String::new();
    for cell in cells.iter().filter(|cell| cell["cell_type"] == "code") {
        match &cell["source"] {
            Value::String(source) => code.push_str(source),
            source => source
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .for_each(|line| code.push_str(line)),
        }
        code.push('\n');
    }
    Ok(code)
}

fn of_python(text: &str, name: Option<&str>, wanted: Wanted) -> Result<Entries> {
    let mut lists = python::lists(text, |candidate| match name {
        Some(name) => candidate == name,
        None => candidate.is_empty() || candidate.to_lowercase().contains(wanted.mark()),
    })?;
    lists.retain(|list| !list.texts.is_empty());
    let names: Vec<String> = lists.iter().map(|list| list.name.clone()).collect();
    let at = only(&names, name, wanted)?;
    Ok(Entries::Plain(lists.swap_remove(at).texts))
}

/// The one list that is meant.
fn only(names: &[String], name: Option<&str>, wanted: Wanted) -> Result<usize> {
    let nouns = wanted.noun();
    match (names.len(), name) {
        (1, _) => Ok(0),
        (0, Some(name)) => bail!("no list named `{}`", printable(name)),
        (0, None) => bail!("no list of {nouns} (one whose name has `{}` in it)", wanted.mark()),
        (many, _) => {
            let shown: Vec<_> =
                names.iter().take(NAMED_IN_MESSAGE).map(|name| printable(name)).collect();
            let error = anyhow!("{many} lists may be the {nouns}: {}", shown.join(", "));
            Err(Failure::new(error, "choose one with FILE:NAME, or copy it to a file of its own")
                .into())
        }
    }
}

fn of_json(text: &str, name: Option<&str>, wanted: Wanted) -> Result<Entries> {
    let mut value: Value = serde_json::from_str(text).context("no JSON")?;
    if let Some(name) = name {
        let found = value.get_mut(name).map(Value::take);
        value = found.ok_or_else(|| anyhow!("no entry `{}`", printable(name)))?;
    }
    let fields = match value {
        Value::Array(items) => return of_items(items, wanted),
        Value::Object(fields) => fields,
        _ => bail!("neither a list nor an object"),
    };
    if wanted == Wanted::Names && !fields.is_empty() && fields.keys().all(|key| is_key(key)) {
        if !are_keys(fields.keys().map(String::as_str)) {
            bail!("its keys are neither 0, 1, 2, … or 1, 2, 3, … nor WordNet ids");
        }
        let pairs = fields.into_iter().map(|(key, value)| Ok((key, keyed_text(value)?)));
        return pairs.collect::<Result<_>>().map(Entries::Keyed);
    }
    let matching = |(key, value): &(String, Value)| {
        value.is_array() && key.to_lowercase().contains(wanted.mark())
    };
    let mut lists: Vec<(String, Value)> = fields.into_iter().filter(matching).collect();
    let names: Vec<String> = lists.iter().map(|(name, _)| name.clone()).collect();
    let at = only(&names, None, wanted).map_err(|error| match names.is_empty() {
        true => Failure::new(error, "a list in an object is named by FILE:NAME").into(),
        false => error,
    })?;
    match lists.swap_remove(at).1 {
        Value::Array(items) => of_items(items, wanted),
        _ => bail!("no list"),
    }
}

fn of_items(items: Vec<Value>, wanted: Wanted) -> Result<Entries> {
    let mut texts = Vec::with_capacity(items.len());
    for (place, item) in items.into_iter().enumerate() {
        match item {
            Value::String(text) => texts.push(text.trim().to_owned()),
            other => bail!("entry {place} of the {} is no text but {other:.40}", wanted.noun()),
        }
    }
    Ok(Entries::Plain(texts))
}

/// A name, or `[id, name]` as Keras writes its class index.
fn keyed_text(value: Value) -> Result<String> {
    match value {
        Value::String(text) => Ok(text.trim().to_owned()),
        Value::Array(items) => match items.last() {
            Some(Value::String(text)) => Ok(text.trim().replace('_', " ")),
            _ => bail!("an entry without a name"),
        },
        other => bail!("an entry is no text but {other:.40}"),
    }
}

/// Is it a number, or a WordNet id such as `n01440764`?
pub(super) fn is_key(text: &str) -> bool {
    let is_number = |text: &str| {
        !text.is_empty() && text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    is_number(text) || is_wordnet_id(text)
}

/// Is it a WordNet id such as `n01440764`?
pub(super) fn is_wordnet_id(text: &str) -> bool {
    text.len() == 9 && text.starts_with('n') && text[1..].bytes().all(|byte| byte.is_ascii_digit())
}

fn of_lines(text: &str, name: Option<&str>, wanted: Wanted) -> Result<Entries> {
    if let Some(name) = name {
        bail!("a file of lines has no list named `{}`", printable(name));
    }
    let lines: Vec<&str> = text.trim_end().split('\n').map(str::trim).collect();
    if lines == [""] {
        return Ok(Entries::Plain(Vec::new()));
    }
    let blank = lines.iter().position(|line| line.is_empty());
    if let (Wanted::Names, Some(place)) = (wanted, blank) {
        let error = anyhow!("line {} is empty", place + 1);
        let hint = "a line is a class: give it a name, or take the line out";
        return Err(Failure::new(error, hint).into());
    }
    let lines: Vec<&str> = lines.into_iter().filter(|line| !line.is_empty()).collect();
    let mut texts = Vec::with_capacity(lines.len());
    let all_quoted = lines.iter().all(|line| python::is_literal(line));
    for (place, line) in lines.iter().enumerate() {
        let is_python = all_quoted || wanted == Wanted::Templates && python::is_entry(line);
        let text = if is_python { python::entry(line) } else { Ok((*line).to_owned()) };
        texts.push(text.with_context(|| format!("line {}", place + 1))?);
    }
    Ok(match (wanted, keyed(&texts)) {
        (Wanted::Names, Some(pairs)) => Entries::Keyed(pairs),
        _ => Entries::Plain(texts),
    })
}

/// Key and text of every line, where all lines begin with different keys of one kind: a WordNet id, or a number of
/// 0, 1, 2, … or 1, 2, 3, ….
fn keyed(lines: &[String]) -> Option<Vec<(String, String)>> {
    let mut pairs = Vec::with_capacity(lines.len());
    for line in lines {
        let (key, text) = line.split_once(|c: char| c.is_whitespace() || ":,;=".contains(c))?;
        let text = text.trim_start_matches(|c: char| c.is_whitespace() || ":,;=".contains(c));
        if !is_key(key) || text.is_empty() {
            return None;
        }
        pairs.push((key.to_owned(), text.to_owned()));
    }
    are_keys(pairs.iter().map(|(key, _)| key.as_str())).then_some(pairs)
}

/// Are they all different, and WordNet ids or the numbers 0, 1, 2, … or 1, 2, 3, …?
fn are_keys<'k>(keys: impl Iterator<Item = &'k str>) -> bool {
    let mut keys: Vec<&str> = keys.collect();
    let count = keys.len();
    keys.sort_unstable();
    keys.dedup();
    let mut numbers: Vec<usize> = keys.iter().filter_map(|key| key.parse().ok()).collect();
    numbers.sort_unstable();
    let counts = |first: usize| numbers.iter().enumerate().all(|(n, &number)| number == n + first);
    let is_counted = numbers.len() == count && (counts(0) || counts(1));
    keys.len() == count && (is_counted || keys.iter().all(|key| is_wordnet_id(key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, text: &str, wanted: Wanted) -> Result<Entries> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        let (path, name) = split_name(&path);
        read(&path, name.as_deref(), wanted)
    }

    fn plain(name: &str, text: &str, wanted: Wanted) -> Vec<String> {
        match file(name, text, wanted).unwrap() {
            Entries::Plain(texts) => texts,
            keyed => panic!("{keyed:?}"),
        }
    }

    #[test]
    fn templates_in_every_spelling_are_the_same() {
        let expected = ["a photo of a {}.", "art of the {}"];
        for (name, text) in [
            ("t.txt", "a photo of a {}.\nart of the {}\n"),
            ("t.txt", "\u{feff}a photo of a {}.\r\nart of the {}\r\n\r\n"),
            ("t.json", r#"["a photo of a {}.", "art of the {}"]"#),
            ("t.txt", r#"["a photo of a {}.", "art of the {}"]"#),
            ("t.json", r#"{"classes": ["x"], "templates": ["a photo of a {}.", "art of the {}"]}"#),
            ("t.txt", "['a photo of a {}.',\n 'art of the {}',]\n"),
            ("t.txt", "lambda c: f'a photo of a {c}.',\nlambda c: f\"art of the {c}\",\n"),
            (
                "t.py",
                "T_TEMPLATES = (\n  lambda c: f'a photo of a {c}.', # one\n  lambda x: 'art of the {}'.format(x),\n)\n",
            ),
            ("t.txt", "templates = [\n 'a photo of a {}.',\n 'art ' 'of the {}',\n]"),
            (
                "t.ipynb",
                r#"{"cells": [{"cell_type": "code", "source": ["imagenet_templates = [\n", "  'a photo of a {}.',\n", "  'art of the {}',\n", "]"]}]}"#,
            ),
        ] {
            assert_eq!(plain(name, text, Wanted::Templates), expected, "{name}: {text}");
        }
    }

    #[test]
    fn one_of_several_lists_is_named() {
        let text = "A_TEMPLATES = ['{}']\nB_TEMPLATES = ['a {}']\n";
        let error = file("t.py", text, Wanted::Templates).unwrap_err();
        assert!(format!("{error:#}").contains("A_TEMPLATES, B_TEMPLATES"), "{error:#}");
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("t.py"), text).unwrap();
        let (path, name) = split_name(&folder.path().join("t.py:B_TEMPLATES"));
        let read = read(&path, name.as_deref(), Wanted::Templates).unwrap();
        assert_eq!(read, Entries::Plain(vec!["a {}".to_owned()]));
    }

    #[test]
    fn names_with_keys_are_told_from_names_that_begin_with_a_number() {
        let pairs = |text| match file("n.txt", text, Wanted::Names).unwrap() {
            Entries::Keyed(pairs) => Some(pairs),
            Entries::Plain(_) => None,
        };
        let fish = pairs("n01440764 tench, Tinca tinca\nn01443537 goldfish").unwrap();
        assert_eq!(fish[0], ("n01440764".to_owned(), "tench, Tinca tinca".to_owned()));
        assert_eq!(pairs("0 ape\n1: bear").unwrap()[1], ("1".to_owned(), "bear".to_owned()));
        assert_eq!(pairs("1 cent\n2 cent\n5 cent"), None);
        assert_eq!(pairs("ape\nbear"), None);
    }

    #[test]
    fn a_line_without_a_name_is_refused_and_not_passed_over() {
        let error = file("n.txt", "ape\n\nbear\n", Wanted::Names).unwrap_err();
        assert!(format!("{error:#}").contains("line 2 is empty"), "{error:#}");
        let error = file("n.txt", "\n \n", Wanted::Names).unwrap_err();
        assert!(format!("{error:#}").contains("no class names"), "{error:#}");
        assert!(file("n.json", "[\"ape\", 3]", Wanted::Names).is_err());
        let gap = file("n.json", r#"{"0": "ape", "2": "bear"}"#, Wanted::Names).unwrap_err();
        assert!(format!("{gap:#}").contains("its keys are neither 0, 1, 2"), "{gap:#}");
    }
}
