//! INPUT arguments to the tars that they name, in a stable order.

use std::{
    cmp::Ordering,
    collections::HashMap,
    path::{Path, PathBuf},
};

use super::error::ArchiveError;

/// Most files that one brace list may name; LAION-5B has 231,349 tars.
pub const MAX_LISTED: u64 = 10_000_000;

/// The tars that the arguments name, in the order of the arguments: files, folders (every tar in them, gzip tars too),
/// globs, and brace lists (`{00000..00010}`, `{a,b}`). A name that exists is taken as it is, whatever signs it
/// holds; within a folder or glob the order is the natural one (`2.tar` before `10.tar`).
///
/// # Errors
/// An argument names nothing, a listed file does not exist, or a file is named twice.
pub fn expand<P: AsRef<Path>>(inputs: &[P]) -> Result<Vec<PathBuf>, ArchiveError> {
    if inputs.is_empty() {
        return Err(ArchiveError::NoInput);
    }
    let mut tars = Vec::new();
    let mut named_by: HashMap<PathBuf, String> = HashMap::new();
    for input in inputs {
        let input = input.as_ref();
        for path in expand_one(input)? {
            // a link to nothing is an input that cannot be read, and keeps none of the others from being read
            let identity = std::fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
            let second = input.display().to_string();
            if let Some(first) = named_by.insert(identity, second.clone()) {
                return Err(ArchiveError::DuplicateInput { path, first, second });
            }
            tars.push(path);
        }
    }
    Ok(tars)
}

fn expand_one(input: &Path) -> Result<Vec<PathBuf>, ArchiveError> {
    if let Some(found) = existing(input)? {
        return Ok(found);
    }
    let shown = input.display().to_string();
    let Some(text) = input.to_str() else {
        return Err(ArchiveError::MissingInput { input: shown });
    };
    if text.contains("://") {
        let reason = "URLs are not read by this version; copy the tars to a disk".to_owned();
        return Err(ArchiveError::BadPattern { input: shown, reason });
    }
    if text.contains('{') { expand_braces(text) } else { expand_glob(text, text) }
}

/// The file itself, or the tars in the folder; `None` where there is neither.
fn existing(path: &Path) -> Result<Option<Vec<PathBuf>>, ArchiveError> {
    if !path.exists() {
        return Ok(None);
    }
    if path.is_dir() { tars_in(path).map(Some) } else { Ok(Some(vec![path.to_owned()])) }
}

fn tars_in(folder: &Path) -> Result<Vec<PathBuf>, ArchiveError> {
    let list_error = |source| ArchiveError::List { path: folder.to_owned(), source };
    let mut tars = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(list_error)? {
        tars.push(entry.map_err(list_error)?.path());
    }
    only_tars(tars, &folder.display().to_string())
}

fn expand_glob(pattern: &str, input: &str) -> Result<Vec<PathBuf>, ArchiveError> {
    if !pattern.contains(['*', '?', '[']) {
        return Err(ArchiveError::MissingInput { input: input.to_owned() });
    }
    let bad = |reason: String| ArchiveError::BadPattern { input: input.to_owned(), reason };
    let matches = glob::glob(pattern).map_err(|error| bad(error.to_string()))?;
    let found: Result<Vec<_>, _> = matches.collect();
    let found = found.map_err(|error| ArchiveError::List {
        path: error.path().to_owned(),
        source: error.into(),
    })?;
    only_tars(found, input)
}

/// Keeps the `.tar` files, in natural order.
fn only_tars(paths: Vec<PathBuf>, input: &str) -> Result<Vec<PathBuf>, ArchiveError> {
    let mut tars: Vec<PathBuf> =
        paths.into_iter().filter(|path| is_tar_name(path) && !path.is_dir()).collect();
    if tars.is_empty() {
        let input = input.to_owned();
        return Err(ArchiveError::NothingMatched { input, there: None });
    }
    tars.sort_by(|a, b| natural_order(&a.to_string_lossy(), &b.to_string_lossy()));
    Ok(tars)
}

/// Does the name say that it is a tar that can be read, compressed with gzip or not?
pub(super) fn is_tar_name(path: &Path) -> bool {
    stem_bytes(path).is_some()
}

/// Endings of tars that are read.
const TAR_ENDINGS: [&str; 3] = [".tar", ".tar.gz", ".tgz"];

fn stem_bytes(path: &Path) -> Option<usize> {
    let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
    let ending = TAR_ENDINGS.iter().find(|ending| name.ends_with(**ending))?;
    Some(name.len() - ending.len())
}

/// The file beside a tar whose name is the tar's, `.tar`, `.tar.gz` or `.tgz` replaced by `ending`.
pub fn beside(tar: &Path, ending: &str) -> PathBuf {
    let name = tar.file_name().unwrap_or_default().to_string_lossy();
    let stem = match stem_bytes(tar).and_then(|bytes| name.get(..bytes)) {
        Some(stem) => stem.to_owned(),
        None => tar.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
    };
    tar.with_file_name(stem + ending)
}

fn expand_braces(input: &str) -> Result<Vec<PathBuf>, ArchiveError> {
    let bad = |reason: String| ArchiveError::BadPattern { input: input.to_owned(), reason };
    if listed_at_most(input) > MAX_LISTED {
        return Err(bad(format!("it lists more than {MAX_LISTED} files")));
    }
    let listed = webdataset::braceexpand(input).map_err(|error| bad(error.to_string()))?;
    let mut found = Vec::new();
    let mut missing = Vec::new();
    for name in &listed {
        match existing(Path::new(name))? {
            Some(mut tars) => found.append(&mut tars),
            None if name.contains(['*', '?', '[']) => found.append(&mut expand_glob(name, input)?),
            None => missing.push(name),
        }
    }
    let Some(&first) = missing.first() else {
        return Ok(found);
    };
    // `{abc}` is no list: it stands for itself, and is not there.
    if *listed == [input] {
        return Err(ArchiveError::MissingInput { input: input.to_owned() });
    }
    Err(ArchiveError::MissingFromList {
        input: input.to_owned(),
        missing: missing.len(),
        listed: listed.len(),
        first: first.clone(),
    })
}

/// An upper bound of the number of names in a brace list, so that `{0..999999999999}` is refused before it
/// fills the memory.
fn listed_at_most(pattern: &str) -> u64 {
    let mut product = 1u64;
    for group in pattern.split('{').skip(1) {
        let inner = group.split('}').next().unwrap_or(group);
        let commas = inner.matches(',').count() as u64;
        let mut ends = inner.split("..").map(|end| end.trim().parse::<i64>());
        let count = match (ends.next(), ends.next()) {
            (Some(Ok(from)), Some(Ok(to))) => from.abs_diff(to).saturating_add(1),
            // A number beyond 64 bits.
            (Some(_), Some(_)) if inner.len() > 20 && commas == 0 => u64::MAX,
            _ => commas + 1,
        };
        product = product.saturating_mul(count);
    }
    product
}

/// Text order with runs of digits compared as numbers.
pub fn natural_order(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a.as_bytes(), b.as_bytes());
    while let (Some(&l), Some(&r)) = (left.first(), right.first()) {
        if l.is_ascii_digit() && r.is_ascii_digit() {
            let (l_digits, l_rest) = left.split_at(digits(left));
            let (r_digits, r_rest) = right.split_at(digits(right));
            let (l_number, r_number) = (significant(l_digits), significant(r_digits));
            let order = l_number.len().cmp(&r_number.len()).then_with(|| l_number.cmp(r_number));
            if order != Ordering::Equal {
                return order;
            }
            (left, right) = (l_rest, r_rest);
        } else if l == r {
            (left, right) = (&left[1..], &right[1..]);
        } else {
            return l.cmp(&r);
        }
    }
    // `01` and `1` are the same number but not the same name.
    left.len().cmp(&right.len()).then_with(|| a.cmp(b))
}

fn digits(text: &[u8]) -> usize {
    text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len())
}

fn significant(digits: &[u8]) -> &[u8] {
    &digits[digits.iter().position(|&digit| digit != b'0').unwrap_or(digits.len())..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            std::fs::write(folder.path().join(name), b"x").unwrap();
        }
        folder
    }

    fn names(folder: &tempfile::TempDir, inputs: &[&str]) -> Result<Vec<String>, ArchiveError> {
        let inputs: Vec<_> = inputs.iter().map(|input| folder.path().join(input)).collect();
        let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        Ok(expand(&inputs)?.iter().map(name).collect())
    }

    #[test]
    fn folders_and_globs_give_tars_in_natural_order() {
        let folder = folder(&["10.tar", "9.tar", "009.TAR", "9.parquet", "a_stats.json"]);
        let natural = ["009.TAR", "9.tar", "10.tar"];
        assert_eq!(names(&folder, &[""]).unwrap(), natural);
        assert_eq!(names(&folder, &["*"]).unwrap(), natural);
        assert_eq!(names(&folder, &["?.tar", "10.tar"]).unwrap(), ["9.tar", "10.tar"]);
    }

    #[test]
    fn brace_lists_are_expanded_unless_the_name_exists() {
        let folder = folder(&["00.tar", "01.tar", "02.tar", "{00..02}.tar", "x.tar"]);
        assert_eq!(names(&folder, &["{01..02}.tar"]).unwrap(), ["01.tar", "02.tar"]);
        assert_eq!(names(&folder, &["{x,00}.tar"]).unwrap(), ["x.tar", "00.tar"]);
        assert_eq!(names(&folder, &["{00..02}.tar"]).unwrap(), ["{00..02}.tar"]);
    }

    #[test]
    fn gaps_in_a_list_are_named() {
        let folder = folder(&["00.tar", "03.tar"]);
        match names(&folder, &["{00..04}.tar"]).unwrap_err() {
            ArchiveError::MissingFromList { missing: 3, listed: 5, first, .. } => {
                assert!(first.ends_with("01.tar"), "{first}");
            }
            other => panic!("{other}"),
        }
        let error = names(&folder, &["{00..99999999999}.tar"]).unwrap_err();
        assert!(matches!(error, ArchiveError::BadPattern { .. }), "{error}");
        let error = names(&folder, &["{00..99999999999999999999999}.tar"]).unwrap_err();
        assert!(matches!(error, ArchiveError::BadPattern { .. }), "{error}");
    }

    #[test]
    fn nothing_found_is_an_error_that_names_the_input() {
        let folder = folder(&["a.txt"]);
        for input in ["", "*.tar", "none.tar", "{none}.tar", "none-*.tar"] {
            let error = names(&folder, &[input]).unwrap_err().to_string();
            assert!(error.contains(&folder.path().join(input).display().to_string()), "{error}");
        }
        assert!(matches!(expand::<&str>(&[]), Err(ArchiveError::NoInput)));
        assert!(matches!(expand(&["s3://b/0.tar"]), Err(ArchiveError::BadPattern { .. })));
    }

    #[test]
    fn a_file_named_twice_is_refused() {
        let folder = folder(&["0.tar", "1.tar"]);
        let error = names(&folder, &["0.tar", "{0..1}.tar"]).unwrap_err();
        assert!(matches!(error, ArchiveError::DuplicateInput { .. }), "{error}");
        let error = names(&folder, &["1.tar", "./1.tar"]).unwrap_err();
        assert!(matches!(error, ArchiveError::DuplicateInput { .. }), "{error}");
    }

    #[test]
    fn numbers_in_names_compare_as_numbers() {
        let mut names = ["b2", "b10", "b02", "a", "b", "b2c", "b2.tar"];
        names.sort_by(|a, b| natural_order(a, b));
        assert_eq!(names, ["a", "b", "b02", "b2", "b2.tar", "b2c", "b10"]);
    }
}
