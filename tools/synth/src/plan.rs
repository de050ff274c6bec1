//! What is to be drawn, and the folder that it goes to.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use clipa_schemas::file::write_json;
use serde::{Deserialize, Serialize};

use super::{
    SynthError, file,
    random_stream::{Purpose, RandomStream},
    shape::Shape,
    vocabulary::{Colour, Composition},
};

/// Name of the plan's own file.
pub const PLAN_FILE: &str = "synth.json";
/// Greatest number of samples in a tar: their number within it has four digits in the key.
pub const MAX_SAMPLES_PER_TAR: u32 = 10_000;
/// Greatest number of tars: five digits in the key.
pub const MAX_TARS: u32 = 100_000;
/// Smallest and greatest short side of a picture, in pixels.
pub const SIDES_PX: (u32, u32) = (16, 512);
/// Greatest number of zero-shot images.
pub const MAX_EVAL_SAMPLES: u32 = 1_000_000;
/// Raised whenever the same plan would lead to other bytes.
const DRAWING_VERSION: u32 = 1;
/// One composition in this many is held out of training.
const HELD_OUT_ONE_IN: usize = 12;

/// Everything that the bytes depend on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Version of the drawing code.
    pub drawing_version: u32,
    /// Number of training images.
    pub samples: u32,
    /// Number of tars that they are spread over.
    pub tars: u32,
    /// Short side of every image in pixels.
    pub side: u32,
    /// How many of [`Shape::ALL`] occur.
    pub shapes: u32,
    /// How many of [`Colour::ALL`] occur.
    pub colours: u32,
    /// Number of zero-shot images.
    pub eval_samples: u32,
    /// Seed of everything random.
    pub seed: u64,
}

impl Default for Plan {
    fn default() -> Self {
        Plan {
            drawing_version: DRAWING_VERSION,
            samples: 16_384,
            tars: 8,
            side: 64,
            shapes: 6,
            colours: Colour::ALL.len() as u32,
            eval_samples: 960,
            seed: 0,
        }
    }
}

/// What a folder holds before anything is drawn.
#[derive(Debug, PartialEq, Eq)]
pub enum Folder {
    /// Nothing.
    Fresh,
    /// A set of the same plan, finished or not.
    SamePlan,
}

impl Plan {
    /// Checks every number against its limits.
    ///
    /// # Errors
    /// [`SynthError::OutOfRange`] for the first one outside.
    pub fn checked(self) -> Result<Plan, SynthError> {
        let most_samples = u64::from(self.tars) * u64::from(MAX_SAMPLES_PER_TAR);
        let (shortest, longest) = SIDES_PX;
        let checks = [
            ("--tars", self.tars, 1, u64::from(MAX_TARS)),
            ("--samples", self.samples, self.tars, most_samples),
            ("--side", self.side, shortest, u64::from(longest)),
            ("--shapes", self.shapes, 2, Shape::ALL.len() as u64),
            ("--colours", self.colours, 2, Colour::ALL.len() as u64),
            (
                "--eval-samples",
                self.eval_samples,
                self.classes() as u32,
                u64::from(MAX_EVAL_SAMPLES),
            ),
        ];
        for (what, given, least, most) in checks {
            let (given, least) = (u64::from(given), u64::from(least));
            if given < least || given > most {
                return Err(SynthError::OutOfRange { what, given, least, most });
            }
        }
        Ok(self)
    }

    /// Number of classes: shapes times colours.
    pub fn classes(&self) -> usize {
        self.shapes as usize * self.colours as usize
    }

    /// The classes in the order of their numbers: by shape, then by colour.
    pub fn compositions(&self) -> Vec<Composition> {
        let colours = &Colour::ALL[..self.colours as usize];
        Shape::ALL[..self.shapes as usize]
            .iter()
            .flat_map(|&shape| colours.iter().map(move |&colour| Composition { shape, colour }))
            .collect()
    }

    /// Numbers of the classes that never occur in training, ascending: about one in twelve, no two of
    /// the same shape, so that each of their words is still learned.
    pub fn held_out(&self) -> Vec<usize> {
        let (shapes, colours) = (self.shapes as usize, self.colours as usize);
        let number = (shapes * colours / HELD_OUT_ONE_IN).min(shapes);
        let mut random = RandomStream::new(self.seed, Purpose::HeldOut, 0);
        let mut shape_order: Vec<usize> = (0..shapes).collect();
        let mut colour_order: Vec<usize> = (0..colours).collect();
        random.shuffle(&mut shape_order);
        random.shuffle(&mut colour_order);
        let mut classes: Vec<usize> = shape_order
            .into_iter()
            .zip(colour_order.into_iter().cycle())
            .take(number)
            .map(|(shape, colour)| shape * colours + colour)
            .collect();
        classes.sort_unstable();
        classes
    }

    /// The numbers of the training samples of a tar. The first tars take one more where they do not
    /// divide evenly.
    pub fn samples_of(&self, tar: u32) -> std::ops::Range<u32> {
        let (each, more) = (self.samples / self.tars, self.samples % self.tars);
        let start = tar * each + tar.min(more);
        start..start + each + u32::from(tar < more)
    }

    /// Looks into the folder and refuses it where it holds anything but this plan's set.
    ///
    /// # Errors
    /// [`SynthError::Occupied`], [`SynthError::OtherPlan`], or that it cannot be read.
    pub fn examine(&self, folder: &Path) -> Result<Folder, SynthError> {
        let file_error = |path: &Path| {
            let path = path.to_owned();
            move |source| SynthError::File { path, source }
        };
        let path = folder.join(PLAN_FILE);
        match fs::read(&path) {
            Ok(text) => self.compare(folder, &path, &text).map(|()| Folder::SamePlan),
            Err(error) if error.kind() == io::ErrorKind::NotFound => match fs::read_dir(folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Folder::Fresh),
                Err(error) => Err(file_error(folder)(error)),
                Ok(mut entries) => match entries.next() {
                    None => Ok(Folder::Fresh),
                    Some(Err(error)) => Err(file_error(folder)(error)),
                    Some(Ok(entry)) => Err(SynthError::Occupied {
                        folder: folder.to_owned(),
                        found: entry.file_name().to_string_lossy().into_owned(),
                    }),
                },
            },
            Err(error) => Err(file_error(&path)(error)),
        }
    }

    /// Writes the plan beside what is going to be drawn.
    ///
    /// # Errors
    /// Where the folder cannot be made or the file not be written.
    pub fn write(&self, folder: &Path) -> Result<(), SynthError> {
        file::make_folder(folder)?;
        Ok(write_json(&folder.join(PLAN_FILE), self).map(drop)?)
    }

    fn compare(&self, folder: &Path, path: &Path, text: &[u8]) -> Result<(), SynthError> {
        let as_plan = |source| SynthError::Plan { path: PathBuf::from(path), source };
        let there: Plan = serde_json::from_slice(text).map_err(as_plan)?;
        let fields = |plan: &Plan| {
            [
                ("drawing version", u64::from(plan.drawing_version)),
                ("--samples", u64::from(plan.samples)),
                ("--tars", u64::from(plan.tars)),
                ("--side", u64::from(plan.side)),
                ("--shapes", u64::from(plan.shapes)),
                ("--colours", u64::from(plan.colours)),
                ("--eval-samples", u64::from(plan.eval_samples)),
                ("--seed", plan.seed),
            ]
        };
        let differences: Vec<String> = fields(&there)
            .into_iter()
            .zip(fields(self))
            .filter(|(there, now)| there != now)
            .map(|((name, there), (_, now))| format!("{name} {there} (now {now})"))
            .collect();
        if differences.is_empty() {
            return Ok(());
        }
        Err(SynthError::OtherPlan { folder: folder.to_owned(), differences })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn held_out_classes_leave_every_shape_and_colour_in_training() {
        for seed in 0..50 {
            let shapes = Shape::ALL.len() as u32;
            let plan = Plan { seed, shapes, ..Plan::default() };
            let held_out = plan.held_out();
            assert_eq!(held_out.len(), 8);
            let compositions = plan.compositions();
            let left: Vec<_> =
                (0..plan.classes()).filter(|class| !held_out.contains(class)).collect();
            for shape in Shape::ALL {
                let colours = left.iter().filter(|&&class| compositions[class].shape == shape);
                assert!(colours.count() >= 7);
            }
            for colour in Colour::ALL {
                let shapes = left.iter().filter(|&&class| compositions[class].colour == colour);
                assert!(shapes.count() >= 10);
            }
        }
    }

    #[test]
    fn the_tars_share_all_samples() {
        let plan = Plan { samples: 103, tars: 7, ..Plan::default() };
        let all: Vec<u32> = (0..7).flat_map(|tar| plan.samples_of(tar)).collect();
        assert_eq!(all, (0..103).collect::<Vec<_>>());
    }

    #[test]
    fn numbers_out_of_range_are_named() {
        let plan = Plan { samples: 20_001, tars: 2, ..Plan::default() };
        let message = plan.checked().unwrap_err().to_string();
        assert_eq!(message, "--samples is 20001, but must be in 2..=20000");
    }

    #[test]
    fn a_folder_is_fresh_ours_or_refused() {
        let folder = tempfile::tempdir().unwrap();
        let plan = Plan::default();
        assert_eq!(plan.examine(&folder.path().join("new")).unwrap(), Folder::Fresh);
        assert_eq!(plan.examine(folder.path()).unwrap(), Folder::Fresh);
        plan.write(folder.path()).unwrap();
        assert_eq!(plan.examine(folder.path()).unwrap(), Folder::SamePlan);
        let other = Plan { seed: 9, side: 96, ..plan.clone() };
        let message = other.examine(folder.path()).unwrap_err().to_string();
        assert!(message.ends_with("drawn with --side 64 (now 96), --seed 0 (now 9)"), "{message}");

        fs::write(folder.path().join(PLAN_FILE), "{").unwrap();
        assert!(matches!(plan.examine(folder.path()), Err(SynthError::Plan { .. })));
        fs::rename(folder.path().join(PLAN_FILE), folder.path().join("thesis.doc")).unwrap();
        let message = plan.examine(folder.path()).unwrap_err().to_string();
        assert!(message.ends_with("(found thesis.doc)"), "{message}");
    }
}
