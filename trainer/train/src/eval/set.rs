//! Data sets to evaluate on.

use std::path::{Path, PathBuf};

use clipa_recipe::Precision;
use clipa_schemas::manifest::{Kind, Manifest};
use clipa_stream::{EvalPass, StreamConfig};

use super::{
    EvalError, Ranked, Report,
    prompts::{TokenizedPrompts, evaluated},
    retrieval::retrieval,
    zero_shot::zero_shot,
};
use crate::model::Clip;

/// What a data set is evaluated for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Zero-shot classification: the set has labels and prompts.
    Classification,
    /// Retrieval between images and captions: the set has captions.
    Retrieval,
}

/// A data set, and what it is evaluated for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvalSet {
    /// Its folder.
    pub path: PathBuf,
    /// The folder's own name.
    pub name: String,
    /// What for.
    pub task: Task,
    /// Its rows.
    pub rows: u64,
}

/// How a model reads a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Sizes, tokens, filter.
    pub stream: StreamConfig,
    /// Precision of the towers.
    pub precision: Precision,
}

impl EvalSet {
    /// Looks at a data set: a classification set is there for classification, pairs are for retrieval.
    ///
    /// # Errors
    /// No data set; [`EvalError::NoCaptions`] where a classification set is asked for retrieval (`retrieval`).
    pub fn open(path: &Path, retrieval: bool) -> Result<EvalSet, EvalError> {
        let manifest = Manifest::read(path)?;
        let task = match manifest.kind {
            Kind::Pairs => Task::Retrieval,
            Kind::Classes if retrieval => {
                return Err(EvalError::NoCaptions { path: path.into() });
            }
            Kind::Classes => Task::Classification,
        };
        let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let name = whole.file_name().unwrap_or(whole.as_os_str()).to_string_lossy().into_owned();
        Ok(EvalSet { path: path.to_owned(), name, task, rows: manifest.rows() })
    }

    /// Looks whether a model with so many token ids can be evaluated on it, as far as that can be known before the model is
    /// there; returns how many texts it will encode, where captions count once an image.
    ///
    /// # Errors
    /// Columns, tags or prompts that are missing; prompts that do not fit.
    pub fn check(&self, reading: &Reading, vocab_size: i64) -> Result<u64, EvalError> {
        let Reading { stream, .. } = reading.evaluated();
        match self.task {
            Task::Classification => {
                let prompts = TokenizedPrompts::read(&self.path, &stream, vocab_size)?.prompts;
                drop(EvalPass::open(&self.path, stream)?);
                Ok(prompts.len() as u64)
            }
            Task::Retrieval => {
                drop(EvalPass::with_every_caption(&self.path, stream)?);
                Ok(self.rows)
            }
        }
    }

    /// Evaluates a model on it; the sizes of `reading` are the model's. A syntax mask stays, as in CLIPA's own evaluation;
    /// a random or block mask becomes truncation, because masks are off in evaluation.
    ///
    /// # Errors
    /// What the data set or libtorch say; [`EvalError::Stopped`] once `goes_on` says no.
    pub fn evaluate(
        &self,
        model: &Clip,
        reading: &Reading,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<Report, EvalError> {
        self.evaluate_keeping(model, reading, goes_on, &mut |_| Ok(()))
    }

    /// The same; `keep` gets the predictions of a classification set, batch by batch.
    ///
    /// # Errors
    /// Those of [`EvalSet::evaluate`], and what `keep` returns.
    pub fn evaluate_keeping(
        &self,
        model: &Clip,
        reading: &Reading,
        goes_on: &dyn Fn() -> bool,
        keep: &mut dyn FnMut(Ranked) -> Result<(), EvalError>,
    ) -> Result<Report, EvalError> {
        let _no_grad = tch::no_grad_guard();
        let Reading { stream, precision } = reading.evaluated();
        match self.task {
            Task::Classification => zero_shot(model, &self.path, stream, precision, goes_on, keep)
                .map(Report::Classification),
            Task::Retrieval => {
                retrieval(model, &self.path, stream, precision, goes_on).map(Report::Retrieval)
            }
        }
    }
}

impl Reading {
    /// A stage's way of reading as an evaluation has it: without masks over texts.
    pub(super) fn evaluated(&self) -> Reading {
        let text = evaluated(self.stream.text);
        Reading { stream: StreamConfig { text, ..self.stream.clone() }, ..*self }
    }
}
