//! The labels in tars against the class names, before anything is written.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use anyhow::{Result, anyhow};
use clipa_talk::{Failure, figures};

use crate::ingest::source::{RawSample, UnitSource};

/// Different labels that are remembered; a set has far fewer classes.
const MAX_LABELS: usize = 1 << 20;
/// Classes that a message names.
const NAMED_IN_MESSAGE: usize = 8;

/// The labels of the samples of some tars.
#[derive(Debug, Default)]
pub(super) struct Labels {
    seen: BTreeSet<u32>,
    samples: u64,
    greatest_in: PathBuf,
}

/// What the caller knows and allows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    /// Class names.
    pub(super) names: usize,
    /// The label of the first class, where it is given.
    pub(super) first_label: Option<u32>,
    /// Are the tars all of a set, and not a part that was chosen?
    pub(super) is_whole: bool,
    /// May classes at the end have no image in a whole set?
    pub(super) may_miss: bool,
}

impl Labels {
    /// Reads the labels of every sample. What cannot be read is not counted: the ingest will say it.
    pub(super) fn read(tars: &[PathBuf]) -> Labels {
        let mut labels = Labels::default();
        for tar in tars {
            let Ok(source) = UnitSource::open_tar(tar) else { continue };
            for index in 0..source.samples() {
                labels.samples += 1;
                let mut raw = RawSample::default();
                if source.read_texts(index, &mut raw).is_ok() && labels.seen.len() < MAX_LABELS {
                    labels.add(raw.label, tar);
                }
            }
        }
        labels
    }

    fn add(&mut self, label: Option<u32>, tar: &Path) {
        let Some(label) = label else { return };
        if self.seen.last().is_none_or(|&greatest| label > greatest) {
            self.greatest_in = tar.to_owned();
        }
        self.seen.insert(label);
    }

    /// The label of the first class, and what a person should know.
    ///
    /// # Errors
    /// Labels and names cannot be of one set, or can be read in two ways.
    pub(super) fn first_label(
        &self,
        expected: Expected,
        names_from: &str,
    ) -> Result<(u32, Option<String>)> {
        let Expected { names, first_label, is_whole, may_miss } = expected;
        let (Some(&least), Some(&greatest)) = (self.seen.first(), self.seen.last()) else {
            if self.samples == 0 {
                return Ok((first_label.unwrap_or(0), None));
            }
            let error = anyhow!("none of {} has a class", figures::counted(self.samples, "sample"));
            let hint = "a classification set has the class's number in KEY.cls beside each image, or as `label` in KEY.json";
            return Err(Failure::new(error, hint).into());
        };
        let count = figures::counted(names as u64, "name");
        let first = match first_label {
            Some(first) => first,
            None if least == 1 && greatest as usize <= names => {
                let error = anyhow!(
                    "the labels are 1 to {greatest}, none is 0, and {names_from} has {count}: is the first name that of label 0 or of label 1?"
                );
                let hint = "say it with --first-label 1 (counted from 1), or --first-label 0 (class 0 has no image here)";
                return Err(Failure::new(error, hint).into());
            }
            None => 0,
        };
        let last = u64::from(first) + names as u64;
        if least < first || u64::from(greatest) >= last {
            let wrong = if least < first { least } else { greatest };
            let place = match wrong == greatest {
                true => format!(" in {}", self.greatest_in.display()),
                false => String::new(),
            };
            let error = anyhow!(
                "label {wrong}{place} has no name: {names_from} has {count}, for labels {first} to {}",
                last.saturating_sub(1)
            );
            let hint = "give a name for every class, one a line in the order of the labels; labels that are counted from 1 need --first-label 1";
            return Err(Failure::new(error, hint).into());
        }
        let missing = names - self.seen.len();
        if missing == 0 {
            return Ok((first, None));
        }
        let has_every_label_up_to_its_last = (greatest - first) as usize + 1 == self.seen.len();
        if has_every_label_up_to_its_last && is_whole && !may_miss {
            let error = anyhow!(
                "{names_from} has {count}, and the images have {} ({first} to {greatest})",
                figures::counted(self.seen.len() as u64, "label"),
            );
            let hint = "is a line of the list no class? If the last classes have no image here, say so with --missing-classes";
            return Err(Failure::new(error, hint).into());
        }
        Ok((first, Some(self.missing(first, names))))
    }

    fn missing(&self, first: u32, names: usize) -> String {
        let classes = (0..names as u32).filter(|class| !self.seen.contains(&(class + first)));
        missing_classes(classes.collect())
    }
}

/// A line about classes without an image.
pub(super) fn missing_classes(classes: Vec<u32>) -> String {
    let shown: Vec<String> =
        classes.iter().take(NAMED_IN_MESSAGE).map(ToString::to_string).collect();
    let rest = if classes.len() > shown.len() { ", …" } else { "" };
    format!(
        "classes without an image: {} ({}{rest})",
        figures::count(classes.len() as u64),
        shown.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(labels: &[u32], names: usize, first_label: Option<u32>) -> Result<u32, String> {
        let seen = labels.iter().copied().collect();
        let labels = Labels { seen, samples: labels.len() as u64, greatest_in: "1.tar".into() };
        let expected = Expected { names, first_label, is_whole: true, may_miss: false };
        let found = labels.first_label(expected, "n.txt").map_err(|error| error.to_string())?;
        Ok(found.0)
    }

    #[test]
    fn labels_from_0_are_the_places_of_the_names() {
        assert_eq!(first(&[0, 1, 2], 3, None), Ok(0));
        assert_eq!(first(&[0, 2], 3, None), Ok(0));
        assert_eq!(first(&[2], 3, None), Ok(0));
        assert_eq!(first(&[], 3, None), Ok(0));
    }

    #[test]
    fn labels_from_1_are_understood_where_it_is_said() {
        assert!(first(&[1, 2, 3], 3, None).unwrap_err().contains("label 0 or of label 1?"));
        assert!(first(&[1, 2], 3, None).unwrap_err().contains("the labels are 1 to 2, none is 0"));
        assert_eq!(first(&[1, 2, 3], 3, Some(1)), Ok(1));
        assert_eq!(first(&[1, 2], 3, Some(0)), Ok(0));
        assert!(first(&[0, 1], 3, Some(1)).unwrap_err().contains("label 0 has no name"));
    }

    #[test]
    fn numbers_that_do_not_agree_are_refused() {
        let error = first(&[0, 1, 2, 7], 3, None).unwrap_err();
        assert!(
            error.contains("label 7 in 1.tar has no name: n.txt has 3 names, for labels 0 to 2"),
            "{error}"
        );
        let error = first(&[0, 1], 3, None).unwrap_err();
        assert!(error.contains("n.txt has 3 names, and the images have 2 labels"), "{error}");
    }
}
