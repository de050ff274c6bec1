//! What `eval` and `embed` share: weights that are loaded, and data sets that are read.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clipa_talk::{Printer, printable};

use super::{
    arguments::{Prompts, ReadingArguments},
    train::refused,
};
use crate::{
    checkpoint::Weights,
    eval::{Asked, EvalSet, Reading, Subject},
    model::Clip,
    run::{self, Resources, StageImages},
};

/// A model in memory, and how it reads.
pub(super) struct Loaded {
    pub(super) subject: Subject,
    pub(super) model: Clip,
    /// The stage that it is evaluated as.
    pub(super) stage: String,
    pub(super) reading: Reading,
}

impl Loaded {
    /// Loads what `path` names, at the lengths that are asked for, and says what a person should know of it.
    pub(super) fn open(
        path: &Path,
        arguments: &ReadingArguments,
        resources: Resources,
        printer: &Printer,
    ) -> Result<Loaded> {
        let subject = Subject::open(path, arguments.weights.into())?;
        Weights::note(&subject.file).inspect(|note| printer.say(note));
        let asked = asked(arguments);
        let stage = asked.stage(&subject.recipe, &subject.trained)?;
        run::check_context(&subject.recipe, &stage, "context_length")?;
        subject.notes.iter().for_each(|note| printer.warn(printable(note)));
        if let Some(progress) = subject.progress() {
            printer.say(format!("the weights are of {progress}"));
        }
        let (model, stage) = subject.model(&asked, resources.device)?;
        if let Some(line) = subject.positions_line(&stage) {
            printer.say(line);
        }
        let mut stream = run::stream_config(&subject.recipe, &stage, resources.workers);
        stream.batch = arguments.batch;
        let reading = Reading { stream, precision: stage.precision };
        Ok(Loaded { subject, model, stage: stage.name, reading })
    }

    /// What the numbers of a file that is written are of.
    pub(super) fn about(&self) -> Result<Vec<(&'static str, String)>> {
        let sizes = self.model.sizes();
        Ok(vec![
            ("clipa.weights_blake3", self.subject.weights_blake3()?),
            ("clipa.image_size", sizes.image_size.to_string()),
            ("clipa.context_length", sizes.context_length.to_string()),
            ("clipa.text_reduction", self.reading.stream.text.to_string()),
        ])
    }
}

/// Opens data sets, and says what is not finished or is shown twice.
pub(super) fn sets(
    paths: &[PathBuf],
    retrieval: bool,
    allow_unfinished: bool,
    printer: &Printer,
) -> Result<Vec<EvalSet>> {
    let open = |path: &PathBuf| {
        refused(run::unfinished_data(path)?, allow_unfinished)?
            .inspect(|note| printer.warn(printable(note)));
        Ok(EvalSet::open(path, retrieval)?)
    };
    paths.iter().map(open).collect()
}

/// Warns where stored images are smaller than what the model is shown.
pub(super) fn warn_of_small_images(
    set: &EvalSet,
    reading: &Reading,
    printer: &Printer,
) -> Result<()> {
    let images = StageImages::of(&set.path, &reading.stream)?;
    for line in images.lines().into_iter().skip(1) {
        printer.warn(format!("{}: {line}", printable(&set.name)));
    }
    Ok(())
}

fn asked(arguments: &ReadingArguments) -> Asked {
    Asked {
        stage: arguments.stage.clone(),
        image_size: arguments.image_size,
        context_length: arguments.context_length,
        full_texts: arguments.prompts == Prompts::Full,
        strip_sep_token: arguments.strip_sep_token,
    }
}
