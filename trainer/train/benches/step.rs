//! Memory and time of a step in micro-batches, and of the loss alone: `cargo xtask bench step`.
//!
//! Each line is measured in a process of its own, which has one peak: 256 pairs of a small model, half of the patches masked, in 1, 2, 7
//! and 64 micro-batches, with and without recomputed activations, and how far any parameter's gradient is from that of one
//! pass, as a part of its greatest; and CLIP's and SigLIP's loss over 65,536 pairs of 512 numbers. `CLIPA_BENCH_PAIRS` is for
//! fewer of both.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::{process::Command, time::Instant};

use clipa_recipe::{Precision, Recipe, model::config::Loss};
use clipa_train::{
    loss::{self, Rows, TILE_BYTES, Temperature, normalise},
    memory,
    model::Clip,
    step::{MicroBatch, Step},
};
use tch::{Device, Kind, Tensor};

const CHILD: &str = "CLIPA_BENCH_STEP";
const PAIRS: i64 = 256;
const LOSS_PAIRS: i64 = 65_536;
const LOSS_WIDTH: i64 = 512;
/// ViT-Ti/16 at 112 px.
const MODEL: [&str; 9] = [
    "model.embed_dim=192",
    "model.vision.width=192",
    "model.vision.heads=3",
    "model.vision.mlp_width=768",
    "model.text.width=192",
    "model.text.heads=3",
    "model.text.mlp_width=768",
    "stage.batch=256",
    "stage.precision=f32",
];

fn main() {
    if let Ok(case) = std::env::var(CHILD) {
        let words: Vec<&str> = case.split(' ').collect();
        match words[..] {
            ["step", micro_batches, recompute, pairs] => {
                let pairs = pairs.parse().unwrap();
                step(micro_batches.parse().unwrap(), recompute == "true", pairs);
            }
            ["loss", name, pairs] => contrast(name, pairs.parse().unwrap()),
            _ => panic!("{case}"),
        }
        return;
    }
    let pairs =
        std::env::var("CLIPA_BENCH_PAIRS").map_or(LOSS_PAIRS, |pairs| pairs.parse().unwrap());
    println!("{:52} {:>10} {:>9} {:>10}", "", "peak, MB", "time, s", "gradients");
    for recompute in [false, true] {
        for micro_batches in [1, 2, 7, 64] {
            child(&format!("step {micro_batches} {recompute} {}", pairs.min(PAIRS)));
        }
    }
    for name in ["clip", "siglip"] {
        child(&format!("loss {name} {pairs}"));
    }
}

fn child(case: &str) {
    let mut child = Command::new(std::env::current_exe().unwrap());
    assert!(child.env(CHILD, case).status().unwrap().success());
}

/// The most memory above what was there before, and the time, of the second of two calls.
fn measured(name: &str, mut run: impl FnMut()) -> String {
    let before = memory::resident().unwrap();
    run();
    memory::restart_peak();
    let began = Instant::now();
    run();
    let (seconds, peak) = (began.elapsed().as_secs_f64(), memory::peak().unwrap());
    format!("{name:52} {:>10.0} {seconds:>9.2}", peak.saturating_sub(before) as f64 / 1e6)
}

fn step(micro_batches: i64, recompute: bool, pairs: i64) {
    let set = MODEL.map(str::to_owned);
    let recipe = Recipe::load("b16-i50-t16", &set, Some("pretrain")).unwrap();
    let stage = recipe.stage("pretrain").unwrap();
    let model = Clip::new(&recipe.model, stage.sizes(), 0, Device::Cpu).unwrap();
    let (side, patches) = (stage.image_size, stage.kept_patches(&recipe.model));
    let images = Tensor::randint(256, [pairs, side, side, 3], (Kind::Uint8, Device::Cpu));
    let tokens = Tensor::randint(49_408, [pairs, stage.context_length], (Kind::Int64, Device::Cpu));
    let keep = Tensor::rand([pairs, patches], (Kind::Float, Device::Cpu)).argsort(1, false);
    let keep = keep.narrow(1, 0, patches / 2);
    let parameters: Vec<Tensor> = model
        .parameters()
        .iter()
        .filter(|parameter| parameter.spec.trained)
        .map(|parameter| parameter.tensor.shallow_clone())
        .collect();
    let name = format!(
        "{pairs} pairs, {micro_batches} micro-batches{}",
        if recompute { ", recomputed" } else { "" }
    );
    let pass = |micro_batches: i64, recompute: bool| {
        let mut pass = Step::new(&model, Precision::F32, recompute).begin();
        let len = (pairs + micro_batches - 1) / micro_batches;
        let mut start = 0;
        while start < pairs {
            let len = len.min(pairs - start);
            let part = |tensor: &Tensor| tensor.narrow(0, start, len);
            let keep = Some(part(&keep));
            let inputs = MicroBatch { images: part(&images), tokens: part(&tokens), keep };
            start += len;
            pass.add(inputs, start == pairs).unwrap();
        }
        let _ = pass.finish().unwrap();
    };
    let line = measured(&name, || {
        pass(micro_batches, recompute);
        torch_ext::clear_gradients(&parameters).unwrap();
    });
    // Behind the measurement, whose peak it would be.
    let gradients = |micro_batches, recompute| -> Vec<Tensor> {
        pass(micro_batches, recompute);
        let gradients = parameters.iter().map(|parameter| parameter.grad().copy()).collect();
        torch_ext::clear_gradients(&parameters).unwrap();
        gradients
    };
    let (whole, divided) = (gradients(1, false), gradients(micro_batches, recompute));
    let differences = whole.iter().zip(&divided).map(|(whole, divided)| {
        let difference = (whole - divided).abs().max().double_value(&[]);
        difference / whole.abs().max().double_value(&[]).max(1e-12)
    });
    println!("{line} {:>10.1e}", differences.fold(0.0, f64::max));
}

fn contrast(name: &str, pairs: i64) {
    let rows = || {
        let rows = Tensor::randn([pairs, LOSS_WIDTH], (Kind::Float, Device::Cpu));
        normalise(&rows)
    };
    let (images, texts) = (rows(), rows());
    let scalar = |value: f32| Tensor::from_slice(&[value]).squeeze();
    let (logit_scale, bias) = (scalar(3.0), scalar(-10.0));
    let (loss, logit_bias) =
        if name == "clip" { (Loss::Clip, None) } else { (Loss::Siglip, Some(&bias)) };
    let temperature = Temperature { logit_scale: &logit_scale, logit_bias };
    let rows = Rows { images: &images, texts: &texts, first: 0 };
    let before = memory::resident().unwrap();
    memory::restart_peak();
    let began = Instant::now();
    let contrast = loss::contrast(loss, rows, &temperature, TILE_BYTES, |whole| whole);
    assert!(contrast.loss.double_value(&[]).is_finite());
    let (seconds, peak) = (began.elapsed().as_secs_f64(), memory::peak().unwrap());
    let name = format!("loss {name}, {pairs} pairs of {LOSS_WIDTH}");
    let features = 2.0 * (pairs * LOSS_WIDTH * 4) as f64;
    let more = peak.saturating_sub(before) as f64 + features;
    println!("{name:52} {:>10.0} {seconds:>9.2}", more / 1e6);
}
