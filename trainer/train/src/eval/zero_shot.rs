//! Zero-shot classification (Radford et al. 2021): a class is the mean of its prompts' embeddings.

use std::path::Path;

use clipa_recipe::Precision;
use clipa_schemas::{prompts::Prompts, reduction::text::TextReduction};
use clipa_stream::{EvalPass, StreamConfig};
use tch::{Kind, Tensor};

use super::{
    ClassReport, Encoded, EvalError, Hits, Lengths, ZeroShotReport,
    encoder::{Encoder, numbers},
    prompts::TokenizedPrompts,
};
use crate::{loss::normalise, model::Clip};

/// Prompts whose embeddings are in memory at once.
const PROMPTS_AT_ONCE: usize = 1024;
/// Places of the ranking that are looked at.
const RANKS: i64 = 5;

/// The predictions of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked {
    /// `[B]`.
    pub labels: Vec<u32>,
    /// `[B, K]`; K is 5, or the number of classes where that is smaller.
    pub best: Vec<u32>,
    /// `[B, K]`.
    pub cosines: Vec<f32>,
}

/// Evaluates a model on a classification set; `keep` gets the predictions, batch by batch.
///
/// `config` says how images and prompts are read; its sizes are the model's.
///
/// # Errors
/// A folder that is no classification set, prompts that do not fit, a label without a class, embeddings that are no
/// numbers; [`EvalError::Stopped`] once `goes_on` says no.
pub(super) fn zero_shot(
    model: &Clip,
    dataset: &Path,
    config: StreamConfig,
    precision: Precision,
    goes_on: &dyn Fn() -> bool,
    keep: &mut dyn FnMut(Ranked) -> Result<(), EvalError>,
) -> Result<ZeroShotReport, EvalError> {
    let _no_grad = tch::no_grad_guard();
    let encoder = Encoder { model, precision, dataset };
    let prompts = TokenizedPrompts::read(dataset, &config, model.config().text.vocab_size)?;
    let classifier = classifier(encoder, &prompts, config.context_length)?;
    let mut report = blank_report(model, &prompts.prompts, config.text);
    let classes = report.classes.len();
    for batch in EvalPass::open(dataset, config)? {
        if !goes_on() {
            return Err(EvalError::Stopped);
        }
        let mut batch = batch?;
        let labels = batch.labels.take();
        let labels = labels.ok_or_else(|| EvalError::NoLabels { path: dataset.into() })?;
        if let Some(&label) = labels.iter().find(|&&label| label as usize >= classes) {
            return Err(EvalError::UnknownLabel { path: dataset.into(), label, classes });
        }
        let ranked = rank(&classifier, &encoder.images(batch)?, labels);
        let of_sample = ranked.best.chunks(classes.min(RANKS as usize));
        for (&label, best) in ranked.labels.iter().zip(of_sample) {
            let rank = best.iter().position(|&class| class == label);
            report.classes[label as usize].hits.count(rank);
        }
        keep(ranked)?;
    }
    report.sum_up();
    Ok(report)
}

/// The classifier's weights `[C, E]`: each prompt's embedding normalised, the mean over a class, normalised again.
fn classifier(
    encoder: Encoder<'_>,
    prompts: &TokenizedPrompts,
    context_length: usize,
) -> Result<Tensor, EvalError> {
    let TokenizedPrompts { prompts, tokens } = prompts;
    let (width, device) = (encoder.model.config().embed_dim, encoder.model.device());
    let mut sums = Tensor::zeros([prompts.classes() as i64, width], (Kind::Float, device));
    let parts = tokens.chunks(PROMPTS_AT_ONCE * context_length);
    for (part, (tokens, owners)) in parts.zip(prompts.class.chunks(PROMPTS_AT_ONCE)).enumerate() {
        let first = (part * PROMPTS_AT_ONCE) as u64;
        let embeddings = encoder.texts(tokens, context_length, Encoded::Prompt, first)?;
        let owners: Vec<i64> = owners.iter().map(|&class| i64::from(class)).collect();
        sums = sums.index_add(0, &Tensor::from_slice(&owners).to_device(device), &embeddings);
    }
    // A sum points where the mean does.
    Ok(normalise(&sums))
}

/// The best classes of each image; of equal cosines the class with the smaller number comes first.
fn rank(classifier: &Tensor, images: &Tensor, labels: Vec<u32>) -> Ranked {
    let ranks = RANKS.min(classifier.size()[0]);
    let (cosines, classes) = images.matmul(&classifier.tr()).sort_stable(true, 1, true);
    let best: Vec<i64> = numbers(&classes.narrow(1, 0, ranks));
    let best = best.into_iter().map(|class| class as u32).collect();
    Ranked { labels, best, cosines: numbers(&cosines.narrow(1, 0, ranks)) }
}

fn blank_report(model: &Clip, prompts: &Prompts, text_reduction: TextReduction) -> ZeroShotReport {
    let classes = prompts.classes();
    let first = |class: usize| prompts.class.iter().position(|&owner| owner as usize == class);
    let class = |class: usize| ClassReport {
        class,
        name: first(class).map_or_else(String::new, |place| prompts.class_name[place].clone()),
        held_out: first(class).and_then(|place| prompts.held_out[place]),
        hits: Hits::default(),
    };
    let sizes = model.sizes();
    let lengths = Lengths {
        image_size: sizes.image_size,
        context_length: sizes.context_length,
        text_reduction,
    };
    ZeroShotReport {
        lengths,
        prompts: prompts.len(),
        chance: 1.0 / classes.max(1) as f64,
        all: Hits::default(),
        held_out: None,
        classes: (0..classes).map(class).collect(),
    }
}
