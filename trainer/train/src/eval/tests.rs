//! Retrieval over a real data set with several captions an image, against everything computed directly.

use std::collections::BTreeMap;

use clipa_recipe::{Precision, Recipe};
use clipa_schemas::{
    manifest::{Kind, Manifest},
    reduction::text::{Specials, TextReduction, reduce},
    sample::Sample,
    text::{EncodedText, TokenizedText},
};
use clipa_stream::StreamConfig;
use clipa_tests::{captioned_sample, write_shards};
use tch::{Device, Tensor};

use super::*;
use crate::model::Clip;

const SHARDS: [u32; 3] = [5, 1, 17];
const IMAGES: u32 = 23;
const SIDE: u32 = 16;
const CONTEXT: usize = 8;

fn captions(row: u32) -> usize {
    1 + row as usize % 5
}

/// No two captions are equal; what comes first of equals is tested with exact numbers, see [`ranks`].
fn encoded(row: u32, caption: usize) -> EncodedText {
    let tokens = vec![1000 + row as u16 * 31, 2000 + 77 * caption as u16, 3000 + (row % 3) as u16];
    let text =
        TokenizedText { word_lengths: vec![1; tokens.len()], word_tokens: tokens.clone(), tokens };
    EncodedText { pos: vec![20; text.tokens.len()], tokens: vec![text] }
}

fn sample(row: u32) -> Sample {
    let all = (0..captions(row)).map(|caption| encoded(row, caption)).collect();
    captioned_sample(row, all, |_| "txt", format!("{SIDE}:rgb8-square").parse().unwrap())
}

fn model() -> Clip {
    let set = [
        "model.vision.width=16",
        "model.vision.heads=2",
        "model.vision.layers=1",
        "model.vision.mlp_width=16",
        "model.text.width=16",
        "model.text.layers=1",
        "stage.image_size=16",
        "stage.context_length=8",
    ];
    let set: Vec<String> = set.iter().map(|&set| set.to_owned()).collect();
    let recipe = Recipe::load("tiny-i17-t8", &set, Some("pretrain")).unwrap();
    Clip::new(&recipe.model, recipe.stage("pretrain").unwrap().sizes(), 5, Device::Cpu).unwrap()
}

fn unit(tensor: &Tensor) -> Vec<f64> {
    let values: Vec<f32> = encoder::numbers(&tensor.view([-1]));
    let norm = values.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
    values.into_iter().map(|x| f64::from(x) / norm).collect()
}

/// CLIP_benchmark's definitions, image by image and caption by caption, in f64.
fn directly(model: &Clip) -> ([f64; 3], [f64; 3]) {
    let _no_grad = tch::no_grad_guard();
    let (mut images, mut texts, mut owners) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..IMAGES {
        let stored = &sample(row).images[0];
        let pixels = Tensor::from_slice(&stored.bytes).view([1, 16, 16, 3]);
        images.push(unit(&model.encode_image(&pixels, None)));
        for caption in 0..captions(row) {
            let (text, mut tokens) = (encoded(row, caption), [0u16; CONTEXT]);
            let stored = text.tokens[0].stored(&text.pos);
            reduce(TextReduction::Truncate, stored, Specials::CLIP_BPE, 0, &mut tokens).unwrap();
            let tokens: Vec<i64> = tokens.iter().map(|&token| i64::from(token)).collect();
            let tokens = Tensor::from_slice(&tokens).view([1, CONTEXT as i64]);
            texts.push(unit(&model.encode_text(&tokens)));
            owners.push(row as usize);
        }
    }
    let cosine =
        |left: &[f64], right: &[f64]| left.iter().zip(right).map(|(l, r)| l * r).sum::<f64>();
    let order = |one: &[f64], all: &[Vec<f64>]| -> Vec<usize> {
        let scores: Vec<f64> = all.iter().map(|other| cosine(one, other)).collect();
        let mut order: Vec<usize> = (0..all.len()).collect();
        order.sort_by(|&left, &right| scores[right].total_cmp(&scores[left]));
        order
    };
    let recall = |found: Vec<usize>, k: usize| {
        found.iter().filter(|&&rank| rank < k).count() as f64 / found.len() as f64
    };
    let of_images: Vec<usize> = texts
        .iter()
        .zip(&owners)
        .map(|(text, owner)| order(text, &images).iter().position(|image| image == owner).unwrap())
        .collect();
    let of_texts: Vec<usize> = images
        .iter()
        .enumerate()
        .map(|(image, row)| {
            order(row, &texts).iter().position(|&text| owners[text] == image).unwrap()
        })
        .collect();
    let at = |found: &[usize]| [1, 5, 10].map(|k| recall(found.to_vec(), k));
    (at(&of_images), at(&of_texts))
}

#[test]
fn retrieval_with_several_captions_is_what_everything_computed_directly_says() {
    let folder = tempfile::tempdir().unwrap();
    let images = vec![format!("{SIDE}:rgb8-square").parse().unwrap()];
    let tokens = vec!["clip_bpe".to_owned()];
    let manifest = Manifest::begin("test", Kind::Pairs, BTreeMap::new(), images, tokens, true);
    write_shards(folder.path(), manifest, &SHARDS, sample);
    let model = model();
    let set = EvalSet::open(folder.path(), false).unwrap();
    assert_eq!((set.task, set.rows), (Task::Retrieval, u64::from(IMAGES)));
    let expected = directly(&model);
    for batch in [1, 4, 64] {
        let stream = StreamConfig {
            context_length: CONTEXT,
            // Off in evaluation.
            text: TextReduction::Random,
            ..StreamConfig::new(SIDE, batch)
        };
        let reading = Reading { stream, precision: Precision::F32 };
        assert_eq!(set.check(&reading, 49_408).unwrap(), u64::from(IMAGES));
        let Report::Retrieval(report) = set.evaluate(&model, &reading, &|| true).unwrap() else {
            panic!("pairs are retrieved");
        };
        let texts: u64 = (0..IMAGES).map(|row| captions(row) as u64).sum();
        assert_eq!((report.images, report.captions), (u64::from(IMAGES), texts));
        assert_eq!((report.image_recall(), report.text_recall()), expected, "batches of {batch}");
        let stopped = set.evaluate(&model, &reading, &|| false);
        assert!(matches!(stopped, Err(EvalError::Stopped)));
    }
    assert!(expected.0[0] < expected.0[2] && expected.0[2] < 1.0, "too easy: {expected:?}");
    // A token that the model has no row for is an error, and not another row.
    let encoder = Encoder { model: &model, precision: Precision::F32, dataset: folder.path() };
    let error = encoder.texts(&[1, 2, 49_408, 3], 2, Encoded::Caption, 7).unwrap_err();
    assert!(error.to_string().contains("text 8 of"), "{error}");
}
