//! Parity with open_clip 3.3.0 (golden numbers made by running it: `cargo xtask peers model`), masks, counts.

use tch::Kind;

use clipa_recipe::model::{
    config::{
        Gelu, Loss, PixelStatistics, TextConfig, TextPool, VisionConfig, VisionPool,
        VisionPositions,
    },
    cost::Cost,
};

use super::{vision::patchify, *};
use crate::loss;

fn small() -> ModelConfig {
    ModelConfig {
        embed_dim: 16,
        gelu: Gelu::Erf,
        ln_eps: 1e-5,
        pixels: PixelStatistics::Openai,
        loss: Loss::Clip,
        vision: VisionConfig {
            width: 64,
            layers: 2,
            heads: 2,
            mlp_width: 256,
            patch_size: 8,
            ln_pre: true,
            pool: VisionPool::Cls,
            final_ln_after_pool: false,
            positions: VisionPositions::Learnable,
        },
        text: TextConfig {
            width: 32,
            layers: 2,
            heads: 2,
            mlp_width: 128,
            vocab_size: 100,
            tokenizer: Default::default(),
            causal: true,
            pool: TextPool::Argmax,
            gelu: None,
        },
    }
}

/// CLIPA v2's switches.
fn second_dialect() -> ModelConfig {
    let mut config = small();
    config.vision.ln_pre = false;
    config.vision.pool = VisionPool::AvgPatches;
    config.vision.final_ln_after_pool = true;
    config.text.pool = TextPool::Last;
    config.text.causal = false;
    config
}

const SIZES: InputSizes = InputSizes { image_size: 32, context_length: 8 };

fn build(config: &ModelConfig) -> Clip {
    Clip::new(config, SIZES, 0, Device::Cpu).unwrap()
}

/// The fill of the golden numbers: names ascending, element k of tensor i is 0.05·sin(0.7k + 1.3i), weights of layer
/// norms one more, logit scale 2.6592.
fn fill(model: &Clip) {
    let mut names: Vec<&str> = model.parameters().iter().map(|p| p.spec.name.as_str()).collect();
    names.sort_unstable();
    for (i, name) in names.into_iter().enumerate() {
        let shape = model.parameters().tensor(name).size();
        let count = shape.iter().product::<i64>();
        let is_norm_weight = name.contains("ln_") && name.ends_with(".weight");
        let values: Vec<f32> = (0..count)
            .map(|k| {
                let value = 0.05 * (0.7 * k as f64 + 1.3 * i as f64).sin();
                (if is_norm_weight { 1.0 + value } else { value }) as f32
            })
            .collect();
        let values = if name == "logit_scale" { vec![2.6592] } else { values };
        model.parameters().assign(name, &Tensor::from_slice(&values).reshape(shape));
    }
}

/// `[2, 3, 32, 32]` = sin(0.01·index), as `[2, 32, 32, 3]`.
fn golden_pixels() -> Tensor {
    let values: Vec<f32> =
        (0..2 * 3 * 32 * 32).map(|i| (0.01 * f64::from(i)).sin() as f32).collect();
    Tensor::from_slice(&values).view([2, 3, 32, 32]).permute([0, 2, 3, 1]).contiguous()
}

fn golden_tokens() -> Tensor {
    Tensor::from_slice(&[98i64, 5, 7, 9, 99, 0, 0, 0, 98, 1, 2, 3, 4, 5, 6, 99]).view([2, 8])
}

fn assert_row(features: &Tensor, expected: [f64; 16]) {
    for (k, value) in expected.into_iter().enumerate() {
        let got = features.double_value(&[0, k as i64]);
        assert!((got - value).abs() < 1e-5, "{k}: {got} {value}");
    }
}

fn assert_golden(config: &ModelConfig, image: [f64; 16], text: [f64; 16], expected_loss: f64) {
    let model = build(config);
    fill(&model);
    let images = loss::normalise(&model.vision.forward(&patchify(&golden_pixels(), 8), None));
    let texts = loss::normalise(&model.encode_text(&golden_tokens()));
    assert_row(&images, image);
    assert_row(&texts, text);
    let loss = loss::direct::clip_loss(&images, &texts, model.logit_scale()).double_value(&[]);
    assert!((loss - expected_loss).abs() < 1e-5, "{loss} {expected_loss}");
}

#[test]
fn the_first_dialect_equals_open_clip() {
    assert_golden(
        &small(),
        [
            -0.04174, -0.26097, -0.357462, -0.285834, -0.079774, 0.163805, 0.330344, 0.341517,
            0.192069, -0.047712, -0.265053, -0.357736, -0.28217, -0.073895, 0.169134, 0.332616,
        ],
        [
            -0.025887, -0.250782, -0.35773, -0.296432, -0.095717, 0.150015, 0.325192, 0.347427,
            0.206261, -0.031912, -0.255077, -0.358275, -0.292971, -0.089878, 0.155486, 0.327722,
        ],
        0.7146007,
    );
}

#[test]
fn the_second_dialect_equals_open_clip() {
    assert_golden(
        &second_dialect(),
        [
            0.283136, 0.335379, 0.229888, 0.016278, -0.204988, -0.329846, -0.299571, -0.128404,
            0.103154, 0.286197, 0.334637, 0.225692, 0.010601, -0.209476, -0.331033, -0.2969,
        ],
        [
            -0.00641, -0.237593, -0.357032, -0.308553, -0.114957, 0.132705, 0.317954, 0.353664,
            0.22304, -0.012482, -0.242135, -0.357907, -0.30535, -0.109183, 0.138336, 0.320792,
        ],
        0.922015,
    );
}

/// OpenVision's: the second dialect with the tanh in the text tower alone.
#[test]
fn a_text_tower_has_an_activation_of_its_own() {
    let features = |config: &ModelConfig| {
        let model = build(config);
        fill(&model);
        let images = loss::normalise(&model.vision.forward(&patchify(&golden_pixels(), 8), None));
        (images, loss::normalise(&model.encode_text(&golden_tokens())))
    };
    let (erf, mut tanh, mut both) = (second_dialect(), second_dialect(), second_dialect());
    tanh.gelu = Gelu::Tanh;
    both.text.gelu = Some(Gelu::Tanh);
    let [erf, tanh, both] = [&erf, &tanh, &both].map(features);
    assert_eq!((&both.0, &both.1), (&erf.0, &tanh.1));
    assert_ne!((&erf.0, &erf.1), (&tanh.0, &tanh.1));
}

/// Bytes, cut into patches and normalised, against the definition pixel by pixel.
#[test]
fn bytes_are_normalised_channel_by_channel() {
    let model = build(&small());
    let bytes: Vec<u8> = (0..2 * 32 * 32 * 3).map(|i| (i * 7 % 256) as u8).collect();
    let images = torch_ext::from_owned(bytes.clone(), &[2, 32, 32, 3]).unwrap();
    let (mean, std) = (PixelStatistics::Openai.mean(), PixelStatistics::Openai.std());
    let floats: Vec<f32> = bytes
        .iter()
        .enumerate()
        .map(|(i, &byte)| ((f64::from(byte) / 255.0 - mean[i % 3]) / std[i % 3]) as f32)
        .collect();
    let floats = Tensor::from_slice(&floats).view([2, 32, 32, 3]);
    let expected = model.vision.forward(&patchify(&floats, 8), None);
    assert!(model.encode_image(&images, None).allclose(&expected, 1e-4, 1e-5, false));
}

fn random_images() -> Tensor {
    let bytes: Vec<u8> =
        (0..2 * 32 * 32 * 3u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    torch_ext::from_owned(bytes, &[2, 32, 32, 3]).unwrap()
}

#[test]
fn keeping_all_patches_is_keeping_no_mask() {
    for config in [small(), second_dialect()] {
        let model = build(&config);
        let all = Tensor::arange(16, (Kind::Int64, Device::Cpu)).expand([2, 16], false);
        let (masked, whole) = (
            model.encode_image(&random_images(), Some(&all)),
            model.encode_image(&random_images(), None),
        );
        assert!(masked.allclose(&whole, 1e-5, 1e-6, false));
    }
}

/// A dropped patch must not reach the embedding, a kept one must, and each image has its own mask.
#[test]
fn only_kept_patches_are_looked_at() {
    let model = build(&second_dialect());
    let keep = Tensor::from_slice(&[1i64, 4, 9, 0, 2, 3]).view([2, 3]);
    let before = model.encode_image(&random_images(), Some(&keep));
    let changed = |row: i64, column: i64| {
        let images = random_images();
        let mut pixel = images.get(0).get(row).get(column);
        let _ = pixel.bitwise_xor_(255);
        let after = model.encode_image(&images, Some(&keep));
        let difference = (&after - &before).abs().amax(1i64, false);
        (difference.double_value(&[0]) > 1e-6, difference.double_value(&[1]) > 1e-6)
    };
    assert_eq!(changed(0, 0), (false, false), "patch 0 is dropped in image 0 and kept in image 1");
    assert_eq!(changed(0, 8), (true, false), "patch 1 is kept in image 0");
    assert_eq!(changed(8, 0), (true, false), "patch 4 is kept in image 0");
    assert_eq!(changed(31, 31), (false, false));
}

/// Dropping patches before the projection is what PatchDropout does: positions first, then the choice.
#[test]
fn kept_patches_keep_their_positions() {
    let mut config = second_dialect();
    config.vision.layers = 1;
    let model = build(&config);
    let keep = Tensor::from_slice(&[3i64, 12, 0, 15]).view([2, 2]);
    let swapped = Tensor::from_slice(&[12i64, 3, 15, 0]).view([2, 2]);
    let (a, b) = (
        model.encode_image(&random_images(), Some(&keep)),
        model.encode_image(&random_images(), Some(&swapped)),
    );
    assert!(a.allclose(&b, 1e-5, 1e-6, false), "attention does not know an order, positions do");
    let moved = Tensor::from_slice(&[3i64, 13, 0, 14]).view([2, 2]);
    assert!(!a.allclose(&model.encode_image(&random_images(), Some(&moved)), 1e-5, 1e-6, false));
}

#[test]
fn a_causal_tower_does_not_see_what_follows_the_end() {
    let with_pads = |pad: i64| Tensor::from_slice(&[98i64, 5, 7, 99, pad, pad, 1, 2]).view([1, 8]);
    for (config, same) in [(small(), true), (second_dialect(), false)] {
        let model = build(&config);
        let (a, b) = (model.encode_text(&with_pads(0)), model.encode_text(&with_pads(3)));
        assert_eq!(a.allclose(&b, 1e-6, 1e-7, false), same);
    }
}

#[test]
fn equal_seeds_give_equal_models() {
    let feature = |seed| {
        let model = Clip::new(&small(), SIZES, seed, Device::Cpu).unwrap();
        model.encode_text(&golden_tokens()).double_value(&[0, 0])
    };
    assert_eq!(feature(3), feature(3));
    assert_ne!(feature(3), feature(4));
}

#[test]
fn bf16_autocast_stays_near_f32() {
    let model = build(&small());
    let exact = loss::normalise(&model.encode_image(&random_images(), None));
    let _autocast = torch_ext::Autocast::enter(Device::Cpu, Kind::BFloat16).unwrap();
    let rounded = loss::normalise(&model.encode_image(&random_images(), None));
    let difference = (&exact - &rounded).abs().max().double_value(&[]);
    assert!(difference > 0.0 && difference < 0.02, "{difference}");
}

/// The first values of the paper, and one parameter more.
#[test]
fn a_model_for_the_sigmoid_loss_has_a_bias() {
    let config = ModelConfig { loss: Loss::Siglip, ..small() };
    let model = build(&config);
    let value = |tensor: &Tensor| tensor.double_value(&[]);
    assert!((value(model.logit_scale()) - 10f64.ln()).abs() < 1e-6);
    assert_eq!(model.logit_bias().map(value), Some(-10.0));
    assert_eq!(model.parameters().count(), build(&small()).parameters().count() + 1);
    assert!(build(&small()).logit_bias().is_none());
}

#[test]
fn formulas_count_what_is_built() {
    let siglip = ModelConfig { loss: Loss::Siglip, ..small() };
    for config in [small(), second_dialect(), siglip] {
        let model = build(&config);
        let cost = Cost::new(&config, SIZES, 16);
        assert_eq!(cost.parameters(), model.parameters().count());
        let vision: i64 = model
            .parameters()
            .iter()
            .filter(|parameter| parameter.spec.name.starts_with("visual."))
            .map(|parameter| parameter.spec.count())
            .sum();
        assert_eq!(cost.vision_parameters, vision);
    }
}

/// Operations of the built model: every matrix of a block meets every token, the stem every patch, a projection one row.
#[test]
fn formulas_count_the_operations_of_what_is_built() {
    let (config, patches) = (small(), 9);
    let cost = Cost::new(&config, SIZES, patches);
    let (mut image, mut text) = (0i64, 0i64);
    for parameter in build(&config).parameters().iter().filter(|p| p.spec.shape.len() > 1) {
        let (name, count) = (parameter.spec.name.as_str(), parameter.spec.count());
        match name {
            "visual.conv1.weight" => image += 2 * count * patches,
            "visual.proj" => image += 2 * count,
            "text_projection" => text += 2 * count,
            _ if name.starts_with("visual.transformer") => image += 2 * count * (patches + 1),
            _ if name.starts_with("transformer") => text += 2 * count * 8,
            _ => {}
        }
    }
    image += 2 * 2 * 2 * (patches + 1).pow(2) * 64;
    text += 2 * 2 * 2 * 8 * 8 * 32;
    assert_eq!((cost.image_flops, cost.text_flops), (image as f64, text as f64));
}

#[test]
fn sizes_that_cannot_work_are_named() {
    let mut config = small();
    config.vision.heads = 5;
    assert_eq!(config.check().unwrap_err().key, "model.vision.heads");
    config = small();
    config.text.layers = 0;
    assert_eq!(config.check().unwrap_err().key, "model.text.layers");
    let sizes = InputSizes { image_size: 33, context_length: 8 };
    let error = Clip::new(&small(), sizes, 0, Device::Cpu).unwrap_err();
    assert_eq!(error.to_string(), "patch_size = 8: it must divide image_size = 33");
}
