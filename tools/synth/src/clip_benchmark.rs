//! The zero-shot set, in the folder layout of CLIP_benchmark's WebDataset reader.

use std::{ops::ControlFlow, path::Path};

use webdataset::{Sample, Value};

use super::{
    SynthError,
    file::{self, PendingTar},
    plan::Plan,
    random_stream::{Purpose, RandomStream},
    renderer::Renderer,
    scene::Scene,
};

/// Prompts for a class name.
const TEMPLATES: [&str; 8] = [
    "a drawing of a {}.",
    "a picture of a {}.",
    "an image of a {}.",
    "a {}.",
    "a small {}.",
    "a large {}.",
    "there is a {}.",
    "a {} on a plain background.",
];
/// Says how many tars there are; written last, so it marks the set as complete.
const NSHARDS_FILE: &str = "nshards.txt";
const TAR_FILE: &str = "0.tar";

/// Whether the set is complete.
pub(super) fn is_complete(folder: &Path) -> bool {
    [TAR_FILE, NSHARDS_FILE].iter().all(|name| folder.join(name).is_file())
}

/// Draws the set: the classes in turn, those held out of training among them.
pub(super) fn write_set(
    plan: &Plan,
    folder: &Path,
    drawn: &dyn Fn() -> ControlFlow<()>,
) -> Result<(), SynthError> {
    let compositions = plan.compositions();
    let names: Vec<String> = compositions.iter().map(|composition| composition.name()).collect();
    let mut renderer = Renderer::new()?;
    let mut tar = PendingTar::create(&folder.join(TAR_FILE))?;
    for index in 0..plan.eval_samples {
        let mut random = RandomStream::new(plan.seed, Purpose::ZeroShot, u64::from(index));
        let class = index as usize % compositions.len();
        let scene = Scene::random(compositions[class], plan.side, &mut random);
        let mut sample = Sample::with_key(format!("s{index:07}"));
        sample.insert("cls", Value::Text(class.to_string()));
        sample.insert("jpg", Value::Bytes(renderer.render(&scene, &mut random)?.into()));
        tar.write(&sample)?;
        if drawn().is_break() {
            return Err(SynthError::Stopped);
        }
    }
    tar.commit()?;
    let held_out: Vec<&str> = plan.held_out().into_iter().map(|class| &*names[class]).collect();
    file::write(&folder.join("classnames.txt"), &lines(&names))?;
    file::write(&folder.join("zeroshot_classification_templates.txt"), &lines(&TEMPLATES))?;
    file::write(&folder.join("held_out.txt"), &lines(&held_out))?;
    file::write(&folder.join(NSHARDS_FILE), b"1\n")
}

fn lines(texts: &[impl AsRef<str>]) -> Vec<u8> {
    texts.iter().flat_map(|text| [text.as_ref(), "\n"]).collect::<String>().into_bytes()
}
