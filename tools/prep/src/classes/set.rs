//! A classification set: images, names, templates, and everything that a person should know of how they were matched.

use std::path::PathBuf;

use anyhow::{Result, anyhow, bail};
use clipa_talk::{Failure, printable};

use super::{
    folders::{self, PassedOver, raw_name},
    labels::{Expected, Labels, missing_classes},
    layout::{self, Images, Place},
    list_file::{self, Wanted, split_name},
    names, templates,
};
use crate::ingest::{options::ClassNumbers, pipeline::Input, source::UnitSource};

/// Files that override what lies beside the images, and what is said of the labels.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// Class names: one a line in the order of the classes, JSON, or Python.
    pub class_names: Option<PathBuf>,
    /// Templates: one a line with `{}` or `{c}` where the class name goes, JSON, or Python.
    pub templates: Option<PathBuf>,
    /// Classes that training never saw, one name or number a line.
    pub held_out: Option<PathBuf>,
    /// The number in the tars that means the first class.
    pub first_label: Option<u32>,
    /// May the last classes have no image?
    pub missing_classes: bool,
}

/// A set that was found on disk.
#[derive(Default)]
pub struct ClassSet {
    /// Its images.
    pub inputs: Vec<Input>,
    /// Names by class.
    pub class_names: Vec<String>,
    /// Templates, where the set has them.
    pub templates: Option<Vec<String>>,
    /// Marks by class, where a file has them.
    pub held_out: Option<Vec<bool>>,
    /// How labels become classes.
    pub numbers: ClassNumbers,
    /// What was found and how it was matched, for a person.
    pub notes: Vec<String>,
    /// What a person should look at.
    pub warnings: Vec<String>,
}

impl ClassSet {
    /// Finds out which layout `input` has, and reads the lists.
    ///
    /// # Errors
    /// Nothing usable is there, a list is missing, or a list contradicts another, the folders or the labels.
    pub fn find(input: &str, files: &Files) -> Result<ClassSet> {
        let mut passed = PassedOver::default();
        let place = layout::find(input, &mut passed)?;
        let mut set = match &place.images {
            Images::Tars(tars, is_whole) => of_tars(&place, tars, *is_whole, input, files)?,
            Images::Folders(root, classes) => {
                if files.first_label.is_some() {
                    bail!(
                        "--first-label: the classes of {} are folders, not labels",
                        root.display()
                    );
                }
                of_folders(&place, root.clone(), classes, files, &mut passed)?
            }
        };
        let templates = list(
            &place,
            &files.templates,
            "zeroshot_classification_templates.txt",
            Wanted::Templates,
        )?;
        if let Some((entries, path)) = templates {
            let texts = names::of_numbers(entries).0;
            templates::check(&texts).map_err(|error| error.context(path.clone()))?;
            set.notes.push(format!("templates of {path}: {}", texts.len()));
            set.templates = Some(texts);
        } else {
            set.notes.push("templates: none lie beside the images; four of our own are taken (--templates FILE names others)".to_owned());
        }
        let held_out = list(&place, &files.held_out, "held_out.txt", Wanted::Names)?;
        if let Some((entries, _)) = held_out {
            set.held_out = Some(marks(&names::of_numbers(entries).0, &set.class_names)?);
        }
        set.numbers.classes = u32::try_from(set.class_names.len())?;
        let (found, own) = (place.notes, std::mem::take(&mut set.notes));
        set.notes = found.into_iter().chain(passed.lines()).chain(own).collect();
        Ok(set)
    }
}

fn of_tars(
    place: &Place,
    tars: &[PathBuf],
    is_whole: bool,
    input: &str,
    files: &Files,
) -> Result<ClassSet> {
    let mut set = ClassSet::default();
    let Some((entries, path)) = list(place, &files.class_names, "classnames.txt", Wanted::Names)?
    else {
        let error = anyhow!("no classnames.txt beside {input}, nor one folder above");
        let hint =
            "name it with --classnames FILE: one class a line, in the order of the .cls numbers";
        return Err(Failure::new(error, hint).into());
    };
    let (class_names, first_key) = names::of_numbers(entries);
    set.notes.push(format!("class names of {path}: {}", class_names.len()));
    let (names, may_miss) = (class_names.len(), files.missing_classes);
    let expected =
        Expected { names, first_label: files.first_label.or(first_key), is_whole, may_miss };
    let (first, missing) = Labels::read(tars).first_label(expected, &path)?;
    if first != 0 {
        set.notes.push(format!("label {first} is class 0, `{}`", printable(&class_names[0])));
    }
    set.notes.extend(missing);
    set.warnings = names::warnings(&class_names, true);
    set.numbers.first_label = first;
    set.inputs = tars.iter().cloned().map(Input::Tar).collect();
    set.class_names = class_names;
    Ok(set)
}

fn of_folders(
    place: &Place,
    root: PathBuf,
    class_folders: &[PathBuf],
    files: &Files,
    passed: &mut PassedOver,
) -> Result<ClassSet> {
    let mut set = ClassSet::default();
    let given = list(place, &files.class_names, "classnames.txt", Wanted::Names)?;
    if let Some((_, path)) = &given {
        set.notes.push(format!("class names of {path}"));
    }
    let are_given = given.is_some();
    let list = given.as_ref().map(|(entries, path)| (entries.clone(), path.as_str()));
    let named = names::of_folders(class_folders, list)?;
    set.notes.extend(named.note);
    set.warnings = names::warnings(&named.names, are_given);
    let mut images: Vec<(PathBuf, u32)> = Vec::new();
    let mut is_empty = vec![true; named.names.len()];
    for (folder, &class) in class_folders.iter().zip(&named.classes) {
        let pictures = folders::pictures(folder, &root, passed)?;
        is_empty[class as usize] = pictures.is_empty();
        images.extend(pictures.into_iter().map(|path| (path, class)));
    }
    if images.is_empty() {
        bail!("{}: no image in any of its {} folders", root.display(), class_folders.len());
    }
    let missing: Vec<u32> =
        (0..).zip(&is_empty).filter(|(_, empty)| **empty).map(|(n, _)| n).collect();
    if !missing.is_empty() {
        set.warnings.push(missing_classes(missing));
    }
    let bytes = images.iter().map(|(path, _)| path.metadata().map_or(0, |file| file.len())).sum();
    let folders = class_folders.iter().zip(&named.classes);
    set.numbers.folders = folders.map(|(folder, &class)| (raw_name(folder), class)).collect();
    set.inputs = vec![Input::Open(UnitSource::ClassFolders { root, files: images, bytes })];
    set.class_names = named.names;
    Ok(set)
}

/// The list that was given, or the one beside the images if it is there, and how messages call it.
fn list(
    place: &Place,
    given: &Option<PathBuf>,
    name: &str,
    wanted: Wanted,
) -> Result<Option<(list_file::Entries, String)>> {
    let (path, part) = match given {
        Some(given) => split_name(given),
        None => match place.list(name)? {
            Some(path) => (path, None),
            None => return Ok(None),
        },
    };
    let entries = list_file::read(&path, part.as_deref(), wanted)?;
    Ok(Some((entries, printable(&path.display().to_string()).into_owned())))
}

/// Which classes are held out: by name, all of that name, or by number.
fn marks(lines: &[String], class_names: &[String]) -> Result<Vec<bool>> {
    let mut marks = vec![false; class_names.len()];
    for line in lines {
        let is_name = class_names.iter().any(|name| name == line);
        let number = line.parse().ok().filter(|&class: &usize| class < marks.len());
        match (is_name, number) {
            (true, _) => {
                let of_name = marks.iter_mut().zip(class_names).filter(|(_, name)| *name == line);
                of_name.for_each(|(mark, _)| *mark = true);
            }
            (false, Some(class)) => marks[class] = true,
            (false, None) => {
                bail!("held-out class `{}` is not among the class names", printable(line))
            }
        }
    }
    Ok(marks)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"x").unwrap();
        }
        folder
    }

    fn find(folder: &tempfile::TempDir, below: &str) -> Result<ClassSet> {
        ClassSet::find(folder.path().join(below).to_str().unwrap(), &Files::default())
    }

    #[test]
    fn a_folder_for_each_class_is_a_set() {
        let folder = folder(&["red_fox/b.jpg", "ape/a.PNG", "ape/notes.txt", ".git/c.jpg"]);
        let set = find(&folder, "").unwrap();
        assert_eq!(set.class_names, ["ape", "red fox"]);
        let Input::Open(UnitSource::ClassFolders { files, bytes, .. }) = &set.inputs[0] else {
            panic!("not a folder for each class");
        };
        assert_eq!((files.len(), files[1].1, *bytes), (2, 1, 2));
        assert_eq!(set.numbers.classes, 2);
    }

    #[test]
    fn a_part_of_a_set_is_found_or_asked_for() {
        let both = folder(&["val/ape/a.jpg", "train/ape/a.jpg"]);
        let error = find(&both, "").err().unwrap().to_string();
        assert!(error.contains("holds 2 sets: train, val"), "{error}");
        assert_eq!(find(&both, "val").unwrap().class_names, ["ape"]);
        let one = folder(&["test/ape/a.jpg", "test/bear/b.jpg", "classnames.txt"]);
        fs::write(one.path().join("classnames.txt"), "an ape\na bear\n").unwrap();
        assert_eq!(find(&one, "").unwrap().class_names, ["an ape", "a bear"]);
        assert_eq!(find(&one, "test").unwrap().class_names, ["an ape", "a bear"]);
        // A class may be called as a part of a set is.
        let class = folder(&["test/a.jpg", "exam/b.jpg"]);
        assert_eq!(find(&class, "").unwrap().class_names, ["exam", "test"]);
    }

    #[test]
    fn lists_that_differ_are_refused() {
        let set = folder(&["test/ape/a.jpg", "test/classnames.txt", "classnames.txt"]);
        fs::write(set.path().join("classnames.txt"), "an ape\n").unwrap();
        let error = find(&set, "test").err().unwrap().to_string();
        assert!(error.contains("differ"), "{error}");
    }

    #[test]
    fn held_out_classes_are_names_or_numbers() {
        let names = ["ape".to_owned(), "red fox".to_owned(), "ape".to_owned()];
        assert_eq!(marks(&["red fox".to_owned()], &names).unwrap(), [false, true, false]);
        assert_eq!(marks(&["ape".to_owned()], &names).unwrap(), [true, false, true]);
        assert_eq!(marks(&["0".to_owned()], &names).unwrap(), [true, false, false]);
        assert!(marks(&["3".to_owned()], &names).is_err());
    }
}
