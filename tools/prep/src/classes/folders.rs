//! A folder for each class, as torchvision's `ImageFolder` reads them: which are classes, in which order, and what is
//! in them.
//!
//! Folders of the system and hidden ones are no classes. Classes are in the order of their folders' names as text, as
//! with `ImageFolder`; where all names are numbers, in the order of the numbers (`2` before `10`), which text order would
//! permute.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use clipa_talk::{figures, printable};

use crate::archive::IMAGE_SUFFIXES;

/// What file systems, desktops and notebooks leave beside data, besides names that begin with a dot.
const SYSTEM: [&str; 14] = [
    "__macosx",
    "@eadir",
    "@tmp",
    "lost+found",
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "icon\r",
    "$recycle.bin",
    "#recycle",
    "#snapshot",
    "recycler",
    "system volume information",
    "__pycache__",
];
/// Folders within a class's folder, at most.
const MAX_DEPTH: usize = 16;
/// Names that a message shows of each kind.
const NAMED_IN_MESSAGE: usize = 4;
/// Kinds of files that a message shows.
const SHOWN_KINDS: usize = 6;

/// What lies in a folder and is no part of the set, by kind.
#[derive(Clone, Debug, Default)]
pub(super) struct PassedOver {
    hidden: Vec<String>,
    hidden_count: u64,
    other: BTreeMap<String, (u64, String)>,
}

/// A folder's visible entries, sorted by name.
#[derive(Debug, Default)]
pub(super) struct Entries {
    pub(super) folders: Vec<PathBuf>,
    pub(super) files: Vec<PathBuf>,
}

impl Entries {
    /// Looks into a folder; what is hidden or the system's is passed over.
    pub(super) fn of(folder: &Path, root: &Path, passed: &mut PassedOver) -> Result<Entries> {
        let context = || format!("cannot look into {}", folder.display());
        let mut entries = Entries::default();
        for entry in fs::read_dir(folder).with_context(context)? {
            let path = entry.with_context(context)?.path();
            if is_hidden(&path) {
                passed.hide(&path, root);
            } else if path.is_dir() {
                entries.folders.push(path);
            } else {
                entries.files.push(path);
            }
        }
        entries.folders.sort();
        entries.files.sort();
        Ok(entries)
    }
}

/// Is it hidden, or what a system keeps beside data?
pub(super) fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') || SYSTEM.contains(&name.to_lowercase().as_str())
}

/// Has the file's name a suffix of a picture that is read?
pub(super) fn is_picture(path: &Path) -> bool {
    let suffix = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    IMAGE_SUFFIXES.contains(&suffix.as_str())
}

/// Is it a tar, compressed or not?
pub(super) fn is_tar(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    [".tar", ".tar.gz", ".tgz"].iter().any(|suffix| name.ends_with(suffix))
}

/// The pictures in a class's folder and the folders in it, sorted.
///
/// # Errors
/// A folder cannot be read, holds itself, or is nested too deeply.
pub(super) fn pictures(
    folder: &Path,
    root: &Path,
    passed: &mut PassedOver,
) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut above = BTreeSet::new();
    collect(folder, root, passed, &mut above, &mut found)?;
    Ok(found)
}

fn collect(
    folder: &Path,
    root: &Path,
    passed: &mut PassedOver,
    above: &mut BTreeSet<PathBuf>,
    found: &mut Vec<PathBuf>,
) -> Result<()> {
    let place = fs::canonicalize(folder)
        .with_context(|| format!("cannot look into {}", folder.display()))?;
    if above.len() == MAX_DEPTH || !above.insert(place.clone()) {
        bail!("{}: folders within folders, {MAX_DEPTH} deep or without end", folder.display());
    }
    let entries = Entries::of(folder, root, passed)?;
    for file in entries.files {
        if is_picture(&file) && file.is_file() {
            found.push(file);
        } else {
            passed.pass(&file, root);
        }
    }
    for inner in entries.folders {
        collect(&inner, root, passed, above, found)?;
    }
    above.remove(&place);
    Ok(())
}

/// The number that a folder's name is; `None` where it is no number.
pub(super) fn number_of(name: &str) -> Option<u32> {
    let is_number = name.len() <= 9 && name.bytes().all(|byte| byte.is_ascii_digit());
    name.parse().ok().filter(|_| is_number)
}

/// Puts the folders of classes in the order of their names: as numbers where all are, else as text.
///
/// # Errors
/// Two names are the same number.
pub(super) fn in_order(folders: &mut [PathBuf]) -> Result<()> {
    let name = |path: &PathBuf| raw_name(path);
    if !folders.iter().all(|folder| number_of(&name(folder)).is_some()) {
        folders.sort_by_key(name);
        return Ok(());
    }
    folders.sort_by_key(|folder| number_of(&name(folder)));
    for pair in folders.windows(2) {
        if number_of(&name(&pair[0])) == number_of(&name(&pair[1])) {
            bail!("{} and {} are the same number", pair[0].display(), pair[1].display());
        }
    }
    Ok(())
}

/// A folder's name as it is.
pub(super) fn raw_name(folder: &Path) -> String {
    folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

impl PassedOver {
    /// Counts what is hidden or the system's.
    pub(super) fn hide(&mut self, path: &Path, root: &Path) {
        self.hidden_count += 1;
        if self.hidden.len() < NAMED_IN_MESSAGE {
            self.hidden.push(below(path, root));
        }
    }

    /// Counts a file or folder that is no part of the set.
    pub(super) fn pass(&mut self, path: &Path, root: &Path) {
        let kind = match path.extension() {
            _ if path.is_dir() => "folder".to_owned(),
            Some(suffix) => format!(".{}", suffix.to_string_lossy().to_lowercase()),
            None => "without suffix".to_owned(),
        };
        let (count, _) = self.other.entry(kind).or_insert_with(|| (0, below(path, root)));
        *count += 1;
    }

    /// What was left out, a line for each kind.
    pub(super) fn lines(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.hidden_count > 0 {
            self.hidden.sort();
            let more = match self.hidden_count - self.hidden.len() as u64 {
                0 => String::new(),
                more => format!(" and {} more", figures::count(more)),
            };
            let count = figures::count(self.hidden_count);
            let names = self.hidden.join(", ");
            lines.push(format!("left out, hidden or the system's: {count} ({names}{more})"));
        }
        if !self.other.is_empty() {
            let total = figures::count(self.other.values().map(|(count, _)| count).sum());
            let mut kinds: Vec<String> = self
                .other
                .iter()
                .take(SHOWN_KINDS)
                .map(|(kind, (count, first))| {
                    format!("{} {kind} ({first})", figures::count(*count))
                })
                .collect();
            if self.other.len() > SHOWN_KINDS {
                kinds.push("and others".to_owned());
            }
            let kinds = kinds.join(", ");
            lines.push(format!("left out, no picture of a kind that is read: {total}: {kinds}"));
        }
        lines
    }
}

fn below(path: &Path, root: &Path) -> String {
    printable(&path.strip_prefix(root).unwrap_or(path).to_string_lossy()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_in_the_order_of_numbers_and_other_names_in_that_of_text() {
        let ordered = |names: &[&str]| {
            let mut folders: Vec<PathBuf> = names.iter().map(PathBuf::from).collect();
            in_order(&mut folders).map(|()| folders.iter().map(|f| raw_name(f)).collect::<Vec<_>>())
        };
        assert_eq!(ordered(&["10", "2", "0", "1"]).unwrap(), ["0", "1", "2", "10"]);
        assert_eq!(ordered(&["class10", "class2"]).unwrap(), ["class10", "class2"]);
        assert_eq!(ordered(&["n02", "10", "n01"]).unwrap(), ["10", "n01", "n02"]);
        assert!(ordered(&["1", "01"]).unwrap_err().to_string().contains("same number"));
    }

    #[test]
    fn pictures_are_found_at_any_depth_and_the_rest_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for name in
            ["b.jpg", "in/a.PNG", "in/.hidden/c.jpg", "._b.jpg", "Thumbs.db", "x.pdf", "README"]
        {
            let path = root.join("ape").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"x").unwrap();
        }
        let mut passed = PassedOver::default();
        let found = pictures(&root.join("ape"), root, &mut passed).unwrap();
        assert_eq!(found, [root.join("ape/b.jpg"), root.join("ape/in/a.PNG")]);
        let lines = passed.lines();
        assert!(lines[0].contains("3 (ape/._b.jpg, ape/Thumbs.db, ape/in/.hidden)"), "{lines:?}");
        assert!(
            lines[1].contains("2: 1 .pdf (ape/x.pdf), 1 without suffix (ape/README)"),
            "{lines:?}"
        );
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(root.join("ape"), root.join("ape/in/again")).unwrap();
            let error = pictures(&root.join("ape"), root, &mut passed).unwrap_err().to_string();
            assert!(error.contains("without end"), "{error}");
        }
    }
}
