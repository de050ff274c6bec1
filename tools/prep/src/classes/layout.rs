//! The two layouts of a classification set: CLIP_benchmark's WebDataset folder, and a folder for each class.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, bail};

use crate::{
    archive::{IMAGE_SUFFIXES, inputs},
    ingest::{pipeline::Input, source::UnitSource},
};
use clipa_talk::Failure;

/// Longest list of class names or templates that is read, in bytes.
const MAX_LIST_BYTES: u64 = 16 << 20;

/// Files that override what lies beside the images.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// One class name a line, in the order of the classes.
    pub class_names: Option<PathBuf>,
    /// One template a line, with `{}` or `{c}` where the class name goes.
    pub templates: Option<PathBuf>,
    /// Classes that training never saw, one name or number a line.
    pub held_out: Option<PathBuf>,
}

/// A set that was found on disk.
pub struct ClassSet {
    /// Its images.
    pub inputs: Vec<Input>,
    /// Names by class.
    pub class_names: Vec<String>,
    /// Templates, where a file has them.
    pub templates: Option<Vec<String>>,
    /// Marks by class, where a file has them.
    pub held_out: Option<Vec<bool>>,
}

impl ClassSet {
    /// Finds out which layout `input` has, and reads the lists.
    ///
    /// # Errors
    /// Nothing usable is there, a list is missing, or a list contradicts another.
    pub fn find(input: &str, files: &Files) -> Result<ClassSet> {
        let folder = Path::new(input);
        let class_folders = if folder.is_dir() { class_folders(folder)? } else { Vec::new() };
        let (inputs, beside, names) = if class_folders.is_empty() {
            let tars = inputs::expand(&[input])?;
            let beside = tars[0].parent().unwrap_or(Path::new("")).to_owned();
            (tars.into_iter().map(Input::Tar).collect(), beside, None)
        } else {
            let names = class_folders.iter().map(|class| name_of(class)).collect();
            let source = read_class_folders(folder, &class_folders)?;
            (vec![Input::Open(source)], folder.to_owned(), Some(names))
        };
        let list = |given: &Option<PathBuf>, name: &str| read_list(given, &beside.join(name));
        let class_names = match list(&files.class_names, "classnames.txt")?.or(names) {
            Some(names) => names,
            None => {
                let error = anyhow!("no classnames.txt beside {input}");
                let hint = "name it with --classnames FILE: one class a line, in the order of the .cls numbers";
                return Err(Failure::new(error, hint).into());
            }
        };
        let held_out = match list(&files.held_out, "held_out.txt")? {
            Some(lines) => Some(marks(&lines, &class_names)?),
            None => None,
        };
        let templates = list(&files.templates, "zeroshot_classification_templates.txt")?;
        Ok(ClassSet { inputs, class_names, templates, held_out })
    }
}

/// The folders in a folder that holds no tar, sorted by name.
fn class_folders(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in sorted_entries(folder)? {
        if entry.extension().is_some_and(|extension| extension == "tar") {
            return Ok(Vec::new());
        }
        if entry.is_dir() {
            folders.push(entry);
        }
    }
    Ok(folders)
}

fn read_class_folders(root: &Path, class_folders: &[PathBuf]) -> Result<UnitSource> {
    let (mut files, mut bytes) = (Vec::new(), 0);
    for (class, folder) in class_folders.iter().enumerate() {
        for path in sorted_entries(folder)? {
            let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
            if path.is_file() && IMAGE_SUFFIXES.contains(&extension.as_str()) {
                bytes += path.metadata().map_or(0, |metadata| metadata.len());
                files.push((path, class as u32));
            }
        }
    }
    if files.is_empty() {
        bail!("{}: no image in any of its {} folders", root.display(), class_folders.len());
    }
    Ok(UnitSource::ClassFolders { root: root.to_owned(), files, bytes })
}

fn sorted_entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let context = || format!("cannot look into {}", folder.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).with_context(context)? {
        paths.push(entry.with_context(context)?.path());
    }
    paths.sort();
    Ok(paths)
}

fn name_of(folder: &Path) -> String {
    folder.file_name().unwrap_or_default().to_string_lossy().replace('_', " ")
}

/// The lines of the file that was given, or of the one beside the images if it is there.
fn read_list(given: &Option<PathBuf>, beside: &Path) -> Result<Option<Vec<String>>> {
    let path = match given {
        Some(path) => path,
        None if beside.is_file() => beside,
        None => return Ok(None),
    };
    let context = || format!("cannot read {}", path.display());
    let bytes = fs::metadata(path).with_context(context)?.len();
    if bytes > MAX_LIST_BYTES {
        bail!("{} has {bytes} bytes, a list has {MAX_LIST_BYTES} at most", path.display());
    }
    let text = fs::read_to_string(path).with_context(context)?;
    let lines: Vec<String> =
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
    if lines.is_empty() && given.is_some() {
        bail!("{} has no line", path.display());
    }
    Ok((!lines.is_empty()).then_some(lines))
}

fn marks(lines: &[String], class_names: &[String]) -> Result<Vec<bool>> {
    let mut marks = vec![false; class_names.len()];
    for line in lines {
        let by_name = class_names.iter().position(|name| name == line);
        let class = by_name.or_else(|| line.parse().ok()).filter(|&class| class < marks.len());
        let Some(class) = class else {
            bail!("held-out class `{line}` is not among the class names")
        };
        marks[class] = true;
    }
    Ok(marks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_for_each_class_is_a_set() {
        let folder = tempfile::tempdir().unwrap();
        for (class, image) in [("red_fox", "b.jpg"), ("ape", "a.PNG"), ("ape", "notes.txt")] {
            fs::create_dir_all(folder.path().join(class)).unwrap();
            fs::write(folder.path().join(class).join(image), b"x").unwrap();
        }
        let set = ClassSet::find(folder.path().to_str().unwrap(), &Files::default()).unwrap();
        assert_eq!(set.class_names, ["ape", "red fox"]);
        let Input::Open(UnitSource::ClassFolders { files, bytes, .. }) = &set.inputs[0] else {
            panic!("not a folder for each class");
        };
        assert_eq!((files.len(), files[1].1, *bytes), (2, 1, 2));
    }

    #[test]
    fn held_out_classes_are_names_or_numbers() {
        let names = ["ape".to_owned(), "red fox".to_owned()];
        assert_eq!(marks(&["red fox".to_owned()], &names).unwrap(), [false, true]);
        assert_eq!(marks(&["0".to_owned()], &names).unwrap(), [true, false]);
        assert!(marks(&["2".to_owned()], &names).is_err());
    }
}
