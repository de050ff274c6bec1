//! Which name goes with which class: understood or refused, never shifted or permuted.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
};

use anyhow::{Result, anyhow};
use clipa_talk::{Failure, figures, printable};

use super::{
    folders::{number_of, raw_name},
    list_file::{Entries, is_wordnet_id},
};

/// Names that a message shows.
const NAMED_IN_MESSAGE: usize = 4;
/// Pairs of equal names that a message shows.
const SHOWN_PAIRS: usize = 8;

/// Classes with their names, and which folder is which.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    /// Name of each class.
    pub(super) names: Vec<String>,
    /// Class of each folder, in the folders' order.
    pub(super) classes: Vec<u32>,
    /// How names and classes were matched, for a person.
    pub(super) note: Option<String>,
}

/// Names in the order of the classes, and the number before the first, where the list has numbers.
pub(super) fn of_numbers(entries: Entries) -> (Vec<String>, Option<u32>) {
    match entries {
        Entries::Plain(names) => (names, None),
        Entries::Keyed(mut pairs) => {
            if pairs.iter().all(|(key, _)| number_of(key).is_some()) {
                pairs.sort_by_key(|(key, _)| number_of(key));
            }
            let first = pairs.first().and_then(|(key, _)| number_of(key));
            (pairs.into_iter().map(|(_, name)| name).collect(), first)
        }
    }
}

/// Names of classes that are folders; `list` is the file with the names, `None` where the folders' names are theirs.
///
/// # Errors
/// List and folders do not agree.
pub(super) fn of_folders(folders: &[PathBuf], list: Option<(Entries, &str)>) -> Result<Named> {
    let raw: Vec<String> = folders.iter().map(|folder| raw_name(folder)).collect();
    let in_order = || (0..folders.len() as u32).collect();
    let Some((entries, file)) = list else {
        let names = raw.iter().map(|name| name.replace('_', " ")).collect();
        return Ok(Named { names, classes: in_order(), note: None });
    };
    let names = match entries {
        Entries::Keyed(pairs) => match by_key(&raw, &pairs, file)? {
            Some(named) => return Ok(named),
            None => of_numbers(Entries::Keyed(pairs)).0,
        },
        Entries::Plain(names) => names,
    };
    if let Some(numbers) = raw.iter().map(|name| number_of(name)).collect::<Option<Vec<u32>>>() {
        return by_number(&numbers, names, file);
    }
    if let Some(named) = by_name(&raw, &names, file)? {
        return Ok(named);
    }
    if names.len() != raw.len() {
        return Err(counts_differ(names.len(), &raw, file));
    }
    let pairs = raw.iter().zip(&names).take(NAMED_IN_MESSAGE);
    let shown: Vec<String> =
        pairs.map(|(raw, name)| format!("{} is `{}`", printable(raw), printable(name))).collect();
    let rest = if names.len() > shown.len() { ", …" } else { "" };
    let note = format!("names of {file} in the folders' order: {}{rest}", shown.join(", "));
    Ok(Named { names, classes: in_order(), note: Some(note) })
}

/// Names by the folder that stands before each; `None` where the keys are numbers and the folders are not.
fn by_key(raw: &[String], pairs: &[(String, String)], file: &str) -> Result<Option<Named>> {
    let are_numbers = |mut keys: &mut dyn Iterator<Item = &String>| {
        (&mut keys).all(|key| number_of(key).is_some())
    };
    if are_numbers(&mut pairs.iter().map(|(key, _)| key)) && !are_numbers(&mut raw.iter()) {
        return Ok(None);
    }
    let key_of = |text: &str| number_of(text).map_or_else(|| text.to_owned(), |n| n.to_string());
    let names: HashMap<String, &String> =
        pairs.iter().map(|(key, name)| (key_of(key), name)).collect();
    if let Some(missing) = raw.iter().find(|name| !names.contains_key(&key_of(name))) {
        let error = anyhow!("{file} has no name for the folder `{}`", printable(missing));
        return Err(Failure::new(error, HINT).into());
    }
    if names.len() != raw.len() {
        return Err(counts_differ(names.len(), raw, file));
    }
    Ok(Some(Named {
        names: raw.iter().map(|name| names[&key_of(name)].clone()).collect(),
        classes: (0..raw.len() as u32).collect(),
        note: Some(format!("names of {file} by the folder that stands before each")),
    }))
}

/// Folders that are numbered: from 0, from 1, or with gaps that the number of names decides.
fn by_number(numbers: &[u32], names: Vec<String>, file: &str) -> Result<Named> {
    let count = names.len() as u64;
    let (least, most) = match (numbers.first(), numbers.last()) {
        (Some(&least), Some(&most)) => (least, most),
        _ => (0, 0),
    };
    let first = match least {
        0 if count == u64::from(most) + 1 => 0,
        1.. if count == u64::from(most) => 1,
        _ => {
            let raw: Vec<String> = numbers.iter().map(ToString::to_string).collect();
            return Err(counts_differ(names.len(), &raw, file));
        }
    };
    let note = (first == 1).then(|| {
        let name = printable(&names[0]).into_owned();
        format!("folders are numbered from 1: folder 1 is class 0, `{name}`")
    });
    let classes = numbers.iter().map(|number| number - first).collect();
    Ok(Named { names, classes, note })
}

/// Names that are the folders' own, in whatever order; `None` where they are not.
fn by_name(raw: &[String], names: &[String], file: &str) -> Result<Option<Named>> {
    let mut places: HashMap<String, Vec<usize>> = HashMap::new();
    for (place, name) in names.iter().enumerate() {
        places.entry(comparable(name)).or_default().push(place);
    }
    let found: Vec<Option<usize>> = raw
        .iter()
        .map(|folder| match places.get(&comparable(folder)).map(Vec::as_slice) {
            Some([place]) => Some(*place),
            _ => None,
        })
        .collect();
    if found.iter().all(Option::is_some) {
        let classes: Vec<u32> = found.iter().flatten().map(|&place| place as u32).collect();
        let is_same = classes.iter().enumerate().all(|(n, &class)| n as u32 == class);
        let note = (!is_same || names.len() != raw.len())
            .then(|| format!("classes are in the order of {file}; folders go by their names"));
        return Ok(Some(Named { names: names.to_vec(), classes, note }));
    }
    // Some names are a folder's own and stand elsewhere: neither order can be trusted.
    let misplaced = found.iter().enumerate().find(|(n, place)| place.is_some_and(|p| p != *n));
    if let Some((folder, Some(place))) = misplaced {
        let error = anyhow!(
            "{file} names class {place} `{}`, and the folder of that name is number {folder}",
            printable(&names[*place])
        );
        return Err(Failure::new(error, HINT).into());
    }
    Ok(None)
}

const HINT: &str = "give a name for every folder: in the folders' order, or the folders' own names in any order, or FOLDER NAME on each line \
                    where folders are numbers or WordNet ids";

fn counts_differ(names: usize, raw: &[String], file: &str) -> anyhow::Error {
    let shown: Vec<_> = raw.iter().take(NAMED_IN_MESSAGE).map(|name| printable(name)).collect();
    let rest = if raw.len() > shown.len() { ", …" } else { "" };
    let error = anyhow!(
        "{file} has {} and there are {} ({}{rest})",
        figures::counted(names as u64, "name"),
        figures::counted(raw.len() as u64, "folder"),
        shown.join(", ")
    );
    Failure::new(error, HINT).into()
}

/// A name without what a tokenizer does not see: case, `_`, double spaces.
fn comparable(name: &str) -> String {
    let words = name.replace('_', " ").to_lowercase();
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a person should know of the names: classes that no prompt tells apart, names that are no words.
pub(super) fn warnings(names: &[String], are_given: bool) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut first: BTreeMap<String, usize> = BTreeMap::new();
    let mut pairs = Vec::new();
    for (class, name) in names.iter().enumerate() {
        match first.get(&comparable(name)) {
            Some(earlier) => pairs.push((*earlier, class)),
            None => drop(first.insert(comparable(name), class)),
        }
    }
    for (one, other) in pairs.iter().take(SHOWN_PAIRS) {
        let (name, second) = (printable(&names[*one]), printable(&names[*other]));
        let second = if name == second { String::new() } else { format!(" and `{second}`") };
        warnings.push(format!(
            "classes {one} and {other} have equal names, `{name}`{second}: their prompts are the same, and class {other} is never predicted"
        ));
    }
    if pairs.len() > SHOWN_PAIRS {
        let more = figures::counted((pairs.len() - SHOWN_PAIRS) as u64, "pair");
        warnings.push(format!("{more} more of equal class names"));
    }
    if !are_given && !names.is_empty() {
        let example = printable(&names[0]);
        if names.iter().all(|name| number_of(name).is_some()) {
            warnings.push(format!(
                "the class names are numbers (`{example}`), which says nothing to a model: name the classes with --classnames FILE"
            ));
        } else if names.iter().all(|name| is_wordnet_id(name)) {
            warnings.push(format!(
                "the class names are WordNet ids (`{example}`), which says nothing to a model: name the classes with --classnames FILE"
            ));
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    /// Name of each folder, by its class.
    fn named(folders: &[&str], names: &[&str]) -> Result<Vec<String>, String> {
        let folders: Vec<PathBuf> = folders.iter().map(PathBuf::from).collect();
        let list = Entries::Plain(texts(names));
        let named =
            of_folders(&folders, Some((list, "n.txt"))).map_err(|error| error.to_string())?;
        Ok(named.classes.iter().map(|&class| named.names[class as usize].clone()).collect())
    }

    #[test]
    fn names_go_by_order_by_number_or_by_name() {
        let fruit = ["apple", "banana", "cherry"];
        assert_eq!(named(&fruit, &["ripe", "yellow", "red"]).unwrap(), ["ripe", "yellow", "red"]);
        assert_eq!(
            named(&fruit, &["cherry", "apple", "Banana"]).unwrap(),
            ["apple", "Banana", "cherry"]
        );
        assert_eq!(named(&["0", "1", "2"], &fruit).unwrap(), fruit);
        assert_eq!(named(&["1", "2", "3"], &fruit).unwrap(), fruit);
        assert_eq!(named(&["0", "2"], &fruit).unwrap(), ["apple", "cherry"]);
        assert_eq!(named(&["1", "3"], &fruit).unwrap(), ["apple", "cherry"]);
        assert_eq!(named(&["banana", "cherry"], &fruit).unwrap(), ["banana", "cherry"]);
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        let fruit = ["apple", "banana", "cherry"];
        for (folders, names) in [
            (&["0", "1"][..], &fruit[..]),
            (&["1", "2"], &fruit),
            (&["0", "1", "2", "3"], &fruit),
            (&["a", "b"], &fruit),
            (&["a", "b", "c", "d"], &fruit),
        ] {
            let error = named(folders, names).unwrap_err();
            assert!(error.contains("n.txt has 3 names and there are"), "{folders:?}: {error}");
        }
        let error = named(&fruit, &["banana", "a ripe apple", "cherry"]).unwrap_err();
        assert!(
            error.contains("names class 0 `banana`, and the folder of that name is number 1"),
            "{error}"
        );
    }

    #[test]
    fn keys_before_the_names_are_the_folders() {
        let pairs = |pairs: &[(&str, &str)]| {
            Entries::Keyed(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
        };
        let folders = [PathBuf::from("n01"), PathBuf::from("n02")];
        let list = pairs(&[("n02", "bear"), ("n01", "ape")]);
        assert_eq!(of_folders(&folders, Some((list, "n"))).unwrap().names, ["ape", "bear"]);
        let list = pairs(&[("n02", "bear"), ("n03", "ape")]);
        let error = of_folders(&folders, Some((list, "n"))).unwrap_err().to_string();
        assert!(error.contains("no name for the folder `n01`"), "{error}");
        let ordered = of_numbers(pairs(&[("2", "b"), ("1", "a")]));
        assert_eq!(ordered, (texts(&["a", "b"]), Some(1)));
    }

    #[test]
    fn equal_names_are_named_with_both_classes() {
        let warned = warnings(&texts(&["missile", "sunglasses", "missile", "Sun_glasses"]), true);
        assert_eq!(warned.len(), 1);
        assert!(
            warned[0].starts_with("classes 0 and 2 have equal names, `missile`:"),
            "{warned:?}"
        );
        assert_eq!(warnings(&texts(&["a b", "A_b"]), true).len(), 1);
        assert!(warnings(&texts(&["0", "1"]), false)[0].contains("--classnames"));
        assert!(warnings(&texts(&["0", "1"]), true).is_empty());
    }
}
