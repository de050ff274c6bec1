//! Whether a data set and weights are ready for a run: what would be trained on, or begun from, without a word.

use std::path::{Path, PathBuf};

use clipa_recipe::{Recipe, Stage};
use clipa_schemas::manifest::{Kind, Manifest, PendingTakedown};
use clipa_talk::figures;

use crate::checkpoint::Origin;

/// The flag that allows what is not finished.
const ALLOW: &str = "--allow-unfinished";

/// Why a run should not begin.
#[derive(Debug, thiserror::Error)]
pub enum Unready {
    /// A classification set has no captions.
    #[error("{path} is a classification set: it has labels and no captions to train on", path = path.display())]
    Classes {
        /// The data set.
        path: PathBuf,
    },
    /// Some inputs are not in the data set.
    #[error("{path} is not finished: its ingest has not ended with every input done ({units} so far, {samples})", path = path.display())]
    Ingest {
        /// The data set.
        path: PathBuf,
        /// Inputs that are done, in words.
        units: String,
        /// Samples, in words.
        samples: String,
    },
    /// Rows that are to be taken down are still there.
    #[error("{path} is not finished: a takedown was interrupted, and what it lists may still be there", path = path.display())]
    Takedown {
        /// The data set.
        path: PathBuf,
    },
    /// A batch would hold a sample twice, which the contrast would push apart from itself.
    #[error(
        "stage.batch = {batch} is more than the {samples} of {path}: a batch would hold the same sample several times, as its own negative",
        path = path.display()
    )]
    Batch {
        /// The data set.
        path: PathBuf,
        /// The batch.
        batch: u64,
        /// Samples, in words.
        samples: String,
    },
    /// No room for a token.
    #[error(
        "{key} = {context_length}: context length {context_length} leaves no room for a token beside {specials} special ones"
    )]
    Context {
        /// Where it is set.
        key: &'static str,
        /// The length.
        context_length: i64,
        /// Special tokens of a row.
        specials: usize,
    },
    /// The weights are of a run that has not ended.
    #[error("{path} is not finished: its newest checkpoint is of {progress}", path = path.display())]
    Run {
        /// The run.
        path: PathBuf,
        /// How far it is.
        progress: String,
    },
}

impl Unready {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Unready::Classes { .. } => {
                "train on pairs, a set made by `clipa-prep laion ingest`; this one is for `clipa-train eval --data`".to_owned()
            }
            Unready::Ingest { .. } => format!(
                "run the clipa-prep command that made it again until it ends without a failed input, or add {ALLOW} to use it as it is"
            ),
            Unready::Takedown { .. } => format!(
                "run the `clipa-prep takedown` again, with the same lists, or add {ALLOW} to use it as it is"
            ),
            Unready::Batch { .. } => {
                "lower it with --set stage.batch=N, or prepare more samples".to_owned()
            }
            Unready::Context { specials, .. } => format!("it must be at least {}", specials + 1),
            Unready::Run { .. } => format!(
                "end it with --resume; or name the checkpoint's folder itself, or add {ALLOW}, to begin from where it is"
            ),
        }
    }
}

/// Checks that a stage can train on a data set of pairs.
///
/// # Errors
/// [`Unready::Classes`], [`Unready::Batch`].
pub(super) fn check_pairs(
    dataset: &Path,
    manifest: &Manifest,
    stage: &Stage,
) -> Result<(), Unready> {
    if manifest.kind == Kind::Classes {
        return Err(Unready::Classes { path: dataset.into() });
    }
    let rows = manifest.rows();
    if rows > 0 && stage.batch > rows {
        let samples = figures::counted(rows, "sample");
        return Err(Unready::Batch { path: dataset.into(), batch: stage.batch, samples });
    }
    Ok(())
}

/// Checks that a row has room for a token between the special ones. `key` names the length's setting.
///
/// # Errors
/// [`Unready::Context`].
pub fn check_context(recipe: &Recipe, stage: &Stage, key: &'static str) -> Result<(), Unready> {
    let specials = stage.specials(recipe.model.text.tokenizer).count();
    let context_length = stage.context_length;
    if context_length > specials as i64 {
        return Ok(());
    }
    Err(Unready::Context { key, context_length, specials })
}

/// What of a data set is not finished; `None` where all of it is.
///
/// # Errors
/// The manifest cannot be read.
pub fn unfinished_data(dataset: &Path) -> clipa_schemas::error::Result<Option<Unready>> {
    let (path, manifest) = (dataset.to_owned(), Manifest::read(dataset)?);
    if PendingTakedown::of(dataset)?.is_some() {
        return Ok(Some(Unready::Takedown { path }));
    }
    if manifest.complete {
        return Ok(None);
    }
    let units = figures::counted(manifest.units.len() as u64, "input");
    let samples = figures::counted(manifest.rows(), "sample");
    Ok(Some(Unready::Ingest { path, units, samples }))
}

/// What of the run that `--from` names is not finished. A checkpoint that is itself named is meant as it is.
pub fn unfinished_run(from: &Path, origin: &Origin) -> Option<Unready> {
    let is_meant = origin.is_finished() || origin.is_named;
    (!is_meant).then(|| Unready::Run { path: from.into(), progress: origin.progress() })
}
