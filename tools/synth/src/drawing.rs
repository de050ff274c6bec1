//! The whole: training tars and zero-shot set, drawn side by side by a few threads.

use std::{ops::ControlFlow, path::Path};

use super::{SynthError, clip_benchmark, file, img2dataset, plan::Plan};
use clipa_pool::in_order;

/// Folder of the training tars within the output.
pub const TRAINING_FOLDER: &str = "train";
/// Folder of the zero-shot set within the output.
pub const CLASSES_FOLDER: &str = "classes";

/// Something that is drawn whole by one thread and present only when complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// The tar of this number.
    Training(u32),
    /// The whole zero-shot set.
    ZeroShot,
}

impl Plan {
    /// The units that the output does not hold yet.
    pub fn missing(&self, output: &Path) -> Vec<Unit> {
        let training = output.join(TRAINING_FOLDER);
        let tars = (0..self.tars).filter(|&tar| !img2dataset::is_complete(&training, tar));
        let is_zero_shot_missing = !clip_benchmark::is_complete(&output.join(CLASSES_FOLDER));
        tars.map(Unit::Training).chain(is_zero_shot_missing.then_some(Unit::ZeroShot)).collect()
    }

    /// Number of pictures in a unit.
    pub fn pictures(&self, unit: Unit) -> u32 {
        match unit {
            Unit::Training(tar) => self.samples_of(tar).len() as u32,
            Unit::ZeroShot => self.eval_samples,
        }
    }
}

/// Draws the units into the output with this many threads. `drawn` is called after each picture, by
/// any of them, and may end the work.
///
/// # Errors
/// The first thing that went wrong, or [`SynthError::Stopped`] where `drawn` ended the work; units that were complete
/// by then stay.
pub fn draw(
    plan: &Plan,
    output: &Path,
    units: &[Unit],
    threads: usize,
    drawn: &(dyn Fn() -> ControlFlow<()> + Sync),
) -> Result<(), SynthError> {
    let training = output.join(TRAINING_FOLDER);
    let classes = output.join(CLASSES_FOLDER);
    plan.write(output)?;
    file::make_folder(&training)?;
    file::make_folder(&classes)?;
    in_order(units, threads, |unit| match *unit {
        Unit::Training(tar) => img2dataset::write_tar(plan, &training, tar, drawn),
        Unit::ZeroShot => clip_benchmark::write_set(plan, &classes, drawn),
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        fs,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use clipa_schemas::file::sha256_hex;
    use webdataset::{Selection, shard::TarFiles};

    use super::*;

    fn plan() -> Plan {
        let plan = Plan { samples: 60, tars: 3, shapes: 4, colours: 6, ..Plan::default() };
        Plan { eval_samples: 48, seed: 4, ..plan }.checked().unwrap()
    }

    /// Every file below the folder with its checksum.
    fn files(folder: &Path) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            if entry.path().is_dir() {
                let below = files(&entry.path());
                found
                    .extend(below.into_iter().map(|(below, sum)| (format!("{name}/{below}"), sum)));
            } else {
                found.insert(name, sha256_hex(&fs::read(entry.path()).unwrap()));
            }
        }
        found
    }

    fn draw_all(output: &Path, threads: usize) -> BTreeMap<String, String> {
        draw(&plan(), output, &plan().missing(output), threads, &|| ControlFlow::Continue(()))
            .unwrap();
        files(output)
    }

    #[test]
    fn bytes_depend_on_the_plan_alone_also_after_an_interruption() {
        let folder = tempfile::tempdir().unwrap();
        let alone = draw_all(&folder.path().join("one"), 1);
        let output = folder.path().join("three");
        assert_eq!(alone, draw_all(&output, 3));
        assert_eq!(alone.len(), 1 + 3 * 3 + 5);
        assert_eq!(plan().missing(&output), []);

        let stopped = folder.path().join("stopped");
        let left = AtomicUsize::new(75);
        let countdown = || match left.fetch_sub(1, Ordering::Relaxed) {
            1 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        };
        let units = plan().missing(&stopped);
        let ended = draw(&plan(), &stopped, &units, 1, &countdown);
        assert!(matches!(ended, Err(SynthError::Stopped)));
        assert_eq!(plan().missing(&stopped), [Unit::ZeroShot]);
        assert_eq!(alone, draw_all(&stopped, 2));

        fs::remove_file(output.join("train/00001_stats.json")).unwrap();
        fs::write(output.join("train/.00001.tar.tmp"), "cut off").unwrap();
        fs::remove_file(output.join("classes/0.tar")).unwrap();
        assert_eq!(plan().missing(&output), [Unit::Training(1), Unit::ZeroShot]);
        assert_eq!(alone, draw_all(&output, 2));
    }

    /// Sums of the tars of [`plan`], as version 1 of the drawing code first wrote them. A change here raises that
    /// version: who continues a set must not mix two kinds of pictures.
    const TARS_OF_VERSION_1: [(&str, &str); 4] = [
        ("classes/0.tar", "07cf56ca4c96924e172fcf90ef07d1954f4b08fc80493abe6d55a47b577aa8f0"),
        ("train/00000.tar", "05789600a7b107d841f4fba9cca4e54cd1b2f0875c81fe8227a6d2896933ddbd"),
        ("train/00001.tar", "7cc8872290cef0a9bd33664bf48bd0dc20de613f9d3a0b0b35bad940997fcf85"),
        ("train/00002.tar", "1464dcb0063c027f1254a63bdbf0d82f93e4dbcb611fcdc6b0889925e11bd07c"),
    ];

    #[test]
    fn the_tars_are_those_of_their_drawing_version() {
        assert_eq!(plan().drawing_version, 1);
        let folder = tempfile::tempdir().unwrap();
        let drawn = draw_all(folder.path(), 2);
        let tars = drawn.iter().filter(|(name, _)| name.ends_with(".tar"));
        let tars: Vec<(&str, &str)> = tars.map(|(name, sum)| (&**name, &**sum)).collect();
        assert_eq!(tars, TARS_OF_VERSION_1);
    }

    /// The members of a tar, grouped by key, read by another reader than ours.
    fn samples(tar: &Path) -> BTreeMap<String, BTreeMap<String, Vec<u8>>> {
        let mut samples: BTreeMap<String, BTreeMap<String, Vec<u8>>> = BTreeMap::new();
        for file in TarFiles::open_with(tar.to_str().unwrap(), Selection::new()).unwrap() {
            let file = file.unwrap();
            let (key, extension) = file.name.split_once('.').unwrap();
            let sample = samples.entry(key.to_owned()).or_default();
            assert!(sample.insert(extension.to_owned(), file.data.to_vec()).is_none());
        }
        samples
    }

    #[test]
    fn tars_hold_what_their_side_files_say_and_no_held_out_class() {
        let folder = tempfile::tempdir().unwrap();
        draw_all(folder.path(), 2);
        let held_out = plan().held_out();
        let names: Vec<String> = plan().compositions().iter().map(|c| c.name()).collect();
        assert_eq!(held_out.len(), 2);
        let mut keys = Vec::new();
        for tar in 0..3 {
            let stats = folder.path().join(format!("train/{tar:05}_stats.json"));
            let stats: serde_json::Value =
                serde_json::from_slice(&fs::read(stats).unwrap()).unwrap();
            let samples = samples(&folder.path().join(format!("train/{tar:05}.tar")));
            assert_eq!(stats["successes"], samples.len());
            for (key, members) in &samples {
                let record: serde_json::Value = serde_json::from_slice(&members["json"]).unwrap();
                let caption = String::from_utf8(members["txt"].clone()).unwrap();
                assert_eq!(record["caption"], *caption);
                assert_eq!(record["key"], **key);
                let label = record["label"].as_u64().unwrap() as usize;
                assert!(!held_out.contains(&label));
                let (colour, shape) = names[label].split_once(' ').unwrap();
                let lower = caption.to_lowercase();
                assert!(lower.contains(colour) && lower.contains(shape), "{caption}");
                let header = turbojpeg::read_header(&members["jpg"]).unwrap();
                assert_eq!(record["width"], header.width);
                assert_eq!(record["height"], header.height);
            }
            keys.extend(samples.into_keys());
        }
        assert_eq!(keys.len(), 60);
        assert!(keys.iter().all(|key| key.len() == 9));
    }

    #[test]
    fn the_zeroshot_set_has_every_class_equally_often() {
        let folder = tempfile::tempdir().unwrap();
        draw_all(folder.path(), 1);
        let read =
            |name: &str| fs::read_to_string(folder.path().join("classes").join(name)).unwrap();
        assert_eq!(read("classnames.txt").lines().count(), 24);
        assert_eq!(read("held_out.txt").lines().count(), 2);
        assert!(read("zeroshot_classification_templates.txt").lines().all(|l| l.contains("{}")));
        let mut seen = vec![0; 24];
        for members in samples(&folder.path().join("classes/0.tar")).values() {
            let class = std::str::from_utf8(&members["cls"]).unwrap().parse::<usize>().unwrap();
            seen[class] += 1;
        }
        assert_eq!(seen, [2; 24]);
    }
}
