//! Zero-shot classification (Radford et al. 2021): a class is the mean of its prompts' embeddings.

use std::path::Path;

use clipa_schemas::{
    manifest::Manifest,
    prompts::{self, Prompts},
    reduction::text::{TextReduction, reduce},
};
use tch::{Kind, Tensor};
use torch_ext::Autocast;

use super::{ClassReport, EvalError, Hits, ZeroShotReport};
use crate::{loss::normalise, model::Clip};
use clipa_recipe::Precision;
use clipa_stream::{Batch, EvalPass, StreamConfig};

/// Prompts that are encoded at once.
const PROMPT_BATCH: usize = 256;
/// Places of the ranking that are looked at.
const RANKS: i64 = 5;

/// Evaluates a model on a classification set.
///
/// `config` says how images and prompts are read; its sizes are the model's. Prompts are reduced by its `text`: a syntax mask stays, as in CLIPA's own
/// evaluation; a random or block mask becomes truncation, because masks are off in evaluation.
///
/// # Errors
/// A folder that is no classification set, prompts that do not fit, a label without a class.
pub fn zero_shot(
    model: &Clip,
    dataset: &Path,
    config: StreamConfig,
    precision: Precision,
) -> Result<ZeroShotReport, EvalError> {
    let _no_grad = tch::no_grad_guard();
    if let Some(digest) = Manifest::read(dataset)?.prompts {
        digest.verify(dataset)?;
    }
    let prompts = prompts::read(dataset, &config.tokenizer)?;
    let classifier = classifier(model, &prompts, dataset, &config, precision)?;
    let mut report = blank_report(model, &prompts, prompt_reduction(&config));
    let classes = report.classes.len();
    for batch in EvalPass::open(dataset, config)? {
        let mut batch = batch?;
        let labels = batch.labels.take();
        let labels = labels.ok_or_else(|| EvalError::NoLabels { path: dataset.into() })?;
        let ranking = rank(model, &classifier, batch, precision)?;
        for (row, label) in labels.into_iter().enumerate() {
            let Some(class) = report.classes.get_mut(label as usize) else {
                return Err(EvalError::UnknownLabel { path: dataset.into(), label, classes });
            };
            let ranks = &ranking[row * classes.min(RANKS as usize)..];
            let ranks = &ranks[..classes.min(RANKS as usize)];
            class.hits.count(ranks.iter().position(|&ranked| ranked == i64::from(label)));
        }
    }
    report.sum_up();
    Ok(report)
}

/// The classifier's weights `[C, E]`: each prompt's embedding normalised, the mean over a class, normalised again.
fn classifier(
    model: &Clip,
    prompts: &Prompts,
    dataset: &Path,
    config: &StreamConfig,
    precision: Precision,
) -> Result<Tensor, EvalError> {
    let classes = prompts.classes();
    let (width, vocab_size) = (model.config().embed_dim, model.config().text.vocab_size);
    let mut sums = Tensor::zeros([classes as i64, width], (Kind::Float, model.device()));
    for first in (0..prompts.len()).step_by(PROMPT_BATCH) {
        let places = first..(first + PROMPT_BATCH).min(prompts.len());
        let count = places.len() as i64;
        let tokens = prompt_tokens(prompts, places.clone(), dataset, config, vocab_size)?;
        let tokens = torch_ext::from_owned(tokens, &[count, config.context_length as i64])?;
        let tokens = tokens.to_device(model.device());
        let embeddings = in_precision(model, precision, || model.encode_text(&tokens))?;
        let owners: Vec<i64> =
            prompts.class[places].iter().map(|&class| i64::from(class)).collect();
        let owners = Tensor::from_slice(&owners).to_device(model.device());
        sums = sums.index_add(0, &owners, &normalise(&embeddings));
    }
    for class in 0..classes {
        if !prompts.class.contains(&(class as u32)) {
            return Err(EvalError::ClassWithoutPrompt { path: dataset.into(), class });
        }
    }
    // A sum points where the mean does.
    Ok(normalise(&sums))
}

/// Masks are off in evaluation; a choice of words is none.
fn prompt_reduction(config: &StreamConfig) -> TextReduction {
    match config.text {
        TextReduction::Random | TextReduction::Block => TextReduction::Truncate,
        kept => kept,
    }
}

fn prompt_tokens(
    prompts: &Prompts,
    places: std::ops::Range<usize>,
    dataset: &Path,
    config: &StreamConfig,
    vocab_size: i64,
) -> Result<Vec<i64>, EvalError> {
    let reduction = prompt_reduction(config);
    let mut row = vec![0u16; config.context_length];
    let mut tokens = Vec::with_capacity(places.len() * row.len());
    for place in places {
        reduce(reduction, prompts.texts.get(place), config.specials, 0, &mut row).map_err(
            |source| EvalError::Prompt {
                path: dataset.into(),
                prompt: prompts.prompt[place].clone(),
                source,
            },
        )?;
        if let Some(&token) = row.iter().find(|&&token| i64::from(token) >= vocab_size) {
            let (path, prompt) = (dataset.into(), prompts.prompt[place].clone());
            return Err(EvalError::Token { path, prompt, token });
        }
        tokens.extend(row.iter().map(|&token| i64::from(token)));
    }
    Ok(tokens)
}

/// The best classes of each image, `[B, min(5, C)]`, row by row.
fn rank(
    model: &Clip,
    classifier: &Tensor,
    batch: Batch,
    precision: Precision,
) -> Result<Vec<i64>, EvalError> {
    let (rows, side) = (batch.len as i64, i64::from(batch.image_size));
    let images = torch_ext::from_owner(batch, |batch| &mut batch.images, &[rows, side, side, 3])?;
    let images = images.to_device(model.device());
    let embeddings = in_precision(model, precision, || model.encode_image(&images, None))?;
    let logits = normalise(&embeddings).matmul(&classifier.tr());
    let ranks = RANKS.min(classifier.size()[0]);
    let (_, best) = logits.topk(ranks, 1, true, true);
    let mut ranking = vec![0i64; (rows * ranks) as usize];
    let count = ranking.len();
    best.to_device(tch::Device::Cpu).contiguous().copy_data(&mut ranking, count);
    Ok(ranking)
}

fn in_precision(
    model: &Clip,
    precision: Precision,
    encode: impl FnOnce() -> Tensor,
) -> Result<Tensor, EvalError> {
    let _autocast = match precision {
        Precision::Bf16 => Some(Autocast::enter(model.device(), Kind::BFloat16)?),
        Precision::F32 => None,
    };
    Ok(encode())
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
    ZeroShotReport {
        image_size: model.sizes().image_size,
        context_length: model.sizes().context_length,
        text_reduction,
        prompts: prompts.len(),
        chance: 1.0 / classes.max(1) as f64,
        all: Hits::default(),
        held_out: None,
        classes: (0..classes).map(class).collect(),
    }
}
