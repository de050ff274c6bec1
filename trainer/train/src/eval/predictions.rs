//! Predictions of a classification set as a table.

use std::path::Path;

use clipa_schemas::predictions::{PredictionRows, PredictionWriter};
use clipa_stream::Keys;

use super::{EvalError, EvalSet, Ranked, Reading, Report};
use crate::model::Clip;

/// Evaluates a model on a classification set and writes what it predicts of each sample, by key and in the set's order
/// ([`clipa_schemas::predictions`]). `about` goes into the file's metadata.
///
/// # Errors
/// A file that is there already; a set of pairs, which has no classes; what the data set or libtorch say. Nothing is left
/// then.
pub fn evaluate_predicting(
    model: &Clip,
    set: &EvalSet,
    reading: &Reading,
    output: &Path,
    about: &[(&str, String)],
) -> Result<Report, EvalError> {
    let mut keys = Keys::open(&set.path)?;
    let mut table = None;
    let mut keep = |ranked: Ranked| {
        let Ranked { labels, best, cosines } = ranked;
        let table = match &mut table {
            Some(table) => table,
            none => {
                let ranks = best.len() / labels.len().max(1);
                none.insert(PredictionWriter::create(output, ranks, about)?)
            }
        };
        let keys = keys.take(labels.len())?;
        Ok(table.append(PredictionRows { keys, labels, best, cosines })?)
    };
    let report = set.evaluate_keeping(model, reading, &|| true, &mut keep)?;
    let table = table.ok_or_else(|| EvalError::NoLabels { path: set.path.clone() })?;
    table.finish()?;
    Ok(report)
}
