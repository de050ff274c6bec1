//! What to do about an error, where that is known.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::InspectError;
use clipa_talk::Failure;

/// Adds the hint.
pub(super) fn with_remedy(error: anyhow::Error) -> anyhow::Error {
    use clipa_schemas::Error;
    let Some(known) = error.downcast_ref::<InspectError>() else { return error };
    let hint = match known {
        InspectError::Dataset(Error::NotADataset { path, .. }) => not_a_dataset(path),
        InspectError::Dataset(Error::Corrupt { .. } | Error::Io { .. })
        | InspectError::Image { .. } => {
            "clipa-inspect verify DIR checks every file and says what to do".to_owned()
        }
        InspectError::NoSuchKey { .. } => {
            "clipa-inspect rejects DIR shows the samples that were rejected".to_owned()
        }
        InspectError::Empty { .. } => {
            "clipa-inspect rejects DIR shows why samples were rejected".to_owned()
        }
        InspectError::Exists { .. } => "give another file, or remove that one".to_owned(),
        InspectError::Output { .. } => {
            "the folder must exist, be writable and have room".to_owned()
        }
        InspectError::SheetTooLarge { .. } => "give fewer --rows".to_owned(),
        _ => return error,
    };
    Failure::new(error, hint).into()
}

/// Names the data set that was probably meant.
fn not_a_dataset(path: &Path) -> String {
    let below = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut datasets: Vec<PathBuf> =
        below.filter(|folder| folder.join("dataset.json").is_file()).collect();
    datasets.sort_unstable();
    let above = path.parent().filter(|folder| folder.join("dataset.json").is_file());
    match above.or(datasets.first().map(PathBuf::as_path)) {
        Some(folder) => format!("perhaps {} is meant", folder.display()),
        None => "clipa-prep laion ingest or clipa-prep classes ingest makes a data set".to_owned(),
    }
}
