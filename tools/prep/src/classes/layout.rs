//! Where a classification set is: its images, and the lists that lie beside them or one folder above.
//!
//! ```text
//! wds_NAME/                                      CLIP_benchmark
//!     classnames.txt  zeroshot_classification_templates.txt  dataset_type.txt
//!     test/0.tar  1.tar  nshards.txt             KEY.jpg, KEY.cls
//! images/CLASS/*.jpg                             torchvision's ImageFolder; images/val/CLASS/*.jpg
//! ```

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Result, anyhow, bail};
use clipa_talk::{Failure, printable};

use super::{
    folders::{self, Entries, PassedOver, is_hidden, is_picture, is_tar, raw_name},
    list_file,
};
use crate::archive::inputs;

/// Names of a part of a set.
const SPLITS: [&str; 9] =
    ["test", "val", "train", "validation", "valid", "dev", "eval", "testing", "training"];

/// The images of a set, as they were found.
#[derive(Debug)]
pub(super) enum Images {
    /// Tars; whether they are all that their folder holds.
    Tars(Vec<PathBuf>, bool),
    /// A folder that holds a folder for each class, and these.
    Folders(PathBuf, Vec<PathBuf>),
}

/// Where a set is.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) images: Images,
    /// Folders in which lists may lie, the nearest first.
    beside: Vec<PathBuf>,
    /// For a person.
    pub(super) notes: Vec<String>,
}

/// Finds out which layout `input` has.
///
/// # Errors
/// Nothing usable is there, more than one set is, or what lies beside it says that it is something else.
pub(super) fn find(input: &str, passed: &mut PassedOver) -> Result<Place> {
    let mut notes = Vec::new();
    let mut folder = PathBuf::from(input);
    if !folder.is_dir() {
        let tars = visible_tars(&folder, passed)?;
        let beside = tars[0].parent().unwrap_or(Path::new("")).to_owned();
        let beside = with_the_one_above(&beside);
        return checked(Place { images: Images::Tars(tars, false), beside, notes });
    }
    let mut entries = Entries::of(&folder, &folder, passed)?;
    if let Some((split, note)) = split_of(&folder, &entries)? {
        // What lies above is no part of the images; lists are looked for there all the same.
        folder = split;
        entries = Entries::of(&folder, &folder, passed)?;
        notes.push(note);
    }
    if entries.files.iter().any(|file| is_tar(file)) {
        if let Some(inner) = entries.folders.iter().find(|inner| holds(inner, is_picture)) {
            let error = anyhow!(
                "{} holds tars, and a folder of images: {}",
                folder.display(),
                raw_name(inner)
            );
            return Err(Failure::new(error, "name one of them").into());
        }
        entries.folders.iter().for_each(|inner| passed.pass(inner, &folder));
        let tars = visible_tars(&folder, passed)?;
        agree_in_number(&folder, tars.len())?;
        let beside = with_the_one_above(&folder);
        return checked(Place { images: Images::Tars(tars, true), beside, notes });
    }
    if entries.folders.is_empty() {
        let error = anyhow!("{} holds neither tars nor a folder for each class", folder.display());
        return Err(Failure::new(
            error,
            "name the folder of the tars, or the one that holds the classes' folders",
        )
        .into());
    }
    let mut classes = entries.folders;
    folders::in_order(&mut classes)?;
    for file in entries.files.iter().filter(|file| !is_list(file)) {
        passed.pass(file, &folder);
    }
    let beside = match is_split(&folder) {
        true => with_the_one_above(&folder),
        false => vec![folder.clone()],
    };
    checked(Place { images: Images::Folders(folder, classes), beside, notes })
}

impl Place {
    /// The list of this name that lies beside the images, or one folder above.
    ///
    /// # Errors
    /// There are two, and they differ.
    pub(super) fn list(&self, name: &str) -> Result<Option<PathBuf>> {
        let there = self.beside.iter().map(|folder| folder.join(name));
        let found: Vec<PathBuf> = there.filter(|path| path.is_file()).collect();
        if let [near, above] = found.as_slice()
            && list_file::text_of(near)? != list_file::text_of(above)?
        {
            let error = anyhow!("{} and {} differ", near.display(), above.display());
            return Err(
                Failure::new(error, "name the right one with its flag, or take one away").into()
            );
        }
        Ok(found.into_iter().next())
    }
}

/// Refuses what its own `dataset_type.txt` calls something else.
fn checked(place: Place) -> Result<Place> {
    if let Some(path) = place.list("dataset_type.txt")? {
        let kind = list_file::text_of(&path)?;
        let kind = kind.trim();
        if !kind.is_empty() && !kind.eq_ignore_ascii_case("classification") {
            let error = anyhow!("{} says `{}`", path.display(), printable(kind));
            return Err(
                Failure::new(error, "this command reads sets of the type classification").into()
            );
        }
    }
    Ok(place)
}

/// The tars that an argument names, without those that are hidden.
fn visible_tars(input: &Path, passed: &mut PassedOver) -> Result<Vec<PathBuf>> {
    let (hidden, tars): (Vec<PathBuf>, Vec<PathBuf>) =
        inputs::expand(&[input])?.into_iter().partition(|tar| is_hidden(tar) && input != tar);
    // In a folder they were counted when it was looked into.
    if !input.is_dir() {
        hidden.iter().for_each(|tar| passed.hide(tar, tar.parent().unwrap_or(input)));
    }
    if tars.is_empty() {
        bail!("{}: only hidden tars", input.display());
    }
    Ok(tars)
}

/// `nshards.txt` beside tars has their number.
fn agree_in_number(folder: &Path, tars: usize) -> Result<()> {
    let path = folder.join("nshards.txt");
    if !path.is_file() {
        return Ok(());
    }
    let text = list_file::text_of(&path)?;
    if text.trim().parse() == Ok(tars) {
        return Ok(());
    }
    let error =
        anyhow!("{} says `{}`, and there are {tars} tars", path.display(), printable(text.trim()));
    let hint = "complete the set, or correct that file; one tar alone can be named as INPUT";
    Err(Failure::new(error, hint).into())
}

/// The part of a set that a folder of parts means: the only one, or `test`, which CLIP_benchmark evaluates.
fn split_of(folder: &Path, entries: &Entries) -> Result<Option<(PathBuf, String)>> {
    if entries.files.iter().any(|file| is_tar(file)) {
        return Ok(None);
    }
    let of_tars: Vec<&PathBuf> =
        entries.folders.iter().filter(|inner| holds_directly(inner, is_tar)).collect();
    let parts = if !of_tars.is_empty() {
        of_tars
    } else if entries
        .folders
        .iter()
        .all(|inner| is_split(inner) && !holds_directly(inner, is_picture))
    {
        entries.folders.iter().filter(|inner| holds(inner, is_picture)).collect()
    } else {
        Vec::new()
    };
    let names: Vec<String> = parts.iter().map(|part| raw_name(part)).collect();
    let chosen = match (parts.as_slice(), parts.iter().find(|part| raw_name(part) == "test")) {
        ([], _) => return Ok(None),
        ([only], _) => only,
        (_, Some(test)) => test,
        _ => {
            let error = anyhow!(
                "{} holds {} sets: {}",
                folder.display(),
                parts.len(),
                printable(&names.join(", "))
            );
            return Err(Failure::new(error, "name one of these folders").into());
        }
    };
    let others: Vec<String> = names.into_iter().filter(|name| *name != raw_name(chosen)).collect();
    let rest = match others.is_empty() {
        true => String::new(),
        false => {
            format!(", and not {}: name the folder to take another", printable(&others.join(", ")))
        }
    };
    Ok(Some(((*chosen).clone(), format!("reads {}{rest}", chosen.display()))))
}

fn is_split(folder: &Path) -> bool {
    SPLITS.contains(&raw_name(folder).to_lowercase().as_str())
}

fn is_list(file: &Path) -> bool {
    let name = raw_name(file);
    [
        "classnames.txt",
        "held_out.txt",
        "zeroshot_classification_templates.txt",
        "dataset_type.txt",
        "nshards.txt",
    ]
    .contains(&&*name)
}

fn holds_directly(folder: &Path, wanted: fn(&Path) -> bool) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .any(|path| !is_hidden(&path) && wanted(&path) && path.is_file())
}

/// Directly, or in a folder within.
fn holds(folder: &Path, wanted: fn(&Path) -> bool) -> bool {
    let inner = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    holds_directly(folder, wanted)
        || inner.filter(|path| !is_hidden(path)).any(|path| holds_directly(&path, wanted))
}

/// A folder and the one that holds it.
fn with_the_one_above(folder: &Path) -> Vec<PathBuf> {
    let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let by_name = here.file_name().and_then(|_| here.parent()).map(|above| {
        match above.as_os_str().is_empty() {
            true => PathBuf::from("."),
            false => above.to_owned(),
        }
    });
    let above = by_name.or_else(|| fs::canonicalize(here).ok()?.parent().map(Path::to_owned));
    std::iter::once(here.to_owned()).chain(above).collect()
}
