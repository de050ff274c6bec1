//! A divided batch has the loss and the gradients of the undivided one.

use std::collections::BTreeMap;

use clipa_recipe::{Recipe, Stage, model::ModelConfig, model::config::Loss};
use clipa_schemas::{
    random::Random,
    reduction::image::{Grid, ImageReduction, kept_patches},
};
use tch::Device;

use super::*;
use crate::loss::direct;

const PAIRS: i64 = 14;
/// Sizes of micro-batches: the whole, 2, 7, and 4 with an uneven last one.
const DIVISIONS: [i64; 4] = [14, 7, 2, 4];
/// Greatest difference of a parameter's gradient in f32, relative to its norm.
const TOLERANCE: f64 = 1e-4;
const REDUCTIONS: [&str; 4] = ["resize", "random", "grid", "block"];

fn setting(loss: &str, reduction: &str) -> (ModelConfig, Stage) {
    let reduction = match reduction {
        "resize" => "\"resize\"".to_owned(),
        "grid" => "{mask=\"grid\"}".to_owned(),
        mask => format!("{{mask=\"{mask}\",drop=0.5}}"),
    };
    let set = [
        "model.embed_dim=16".to_owned(),
        "model.vision.width=48".to_owned(),
        "model.vision.layers=2".to_owned(),
        "model.vision.mlp_width=96".to_owned(),
        "model.text.width=32".to_owned(),
        "model.text.mlp_width=64".to_owned(),
        format!("model.loss={loss}"),
        format!("stage.batch={PAIRS}"),
        format!("stage.image_reduction={reduction}"),
        "stage.positions=learnable".to_owned(),
    ];
    let recipe = Recipe::load("tiny-i17-t8", &set, Some("pretrain")).unwrap();
    let stage = recipe.stage("pretrain").unwrap().clone();
    (stage.model(&recipe.model), stage)
}

fn build(config: &ModelConfig, stage: &Stage) -> Clip {
    let model = Clip::new(config, stage.sizes(), 3, Device::Cpu).unwrap();
    // As after some training: at the beginning a scale of 14 hides errors in its own gradient.
    model.parameters().assign("logit_scale", &Tensor::from_slice(&[3.3f32]).squeeze());
    model
}

/// Drawn pairs, masks as the trainer draws them.
fn inputs(config: &ModelConfig, stage: &Stage) -> MicroBatch {
    let mut random = Random::from_parts(&[9]);
    let side = stage.image_size;
    let pixels: Vec<u8> =
        (0..PAIRS * side * side * 3).map(|_| (random.next_u64() % 256) as u8).collect();
    let tokens: Vec<i64> =
        (0..PAIRS * stage.context_length).map(|_| (random.next_u64() % 49_408) as i64).collect();
    let grid = Grid::square(side as u32, config.vision.patch_size as u32).unwrap();
    let reduction: ImageReduction = stage.image_reduction;
    let keep = reduction.is_mask().then(|| {
        let kept = (0..PAIRS).flat_map(|_| kept_patches(reduction, grid, random.next_u64()));
        let kept: Vec<i64> = kept.map(i64::from).collect();
        Tensor::from_slice(&kept).view([PAIRS, -1])
    });
    MicroBatch {
        images: Tensor::from_slice(&pixels).view([PAIRS, side, side, 3]),
        tokens: Tensor::from_slice(&tokens).view([PAIRS, stage.context_length]),
        keep,
    }
}

fn part(inputs: &MicroBatch, start: i64, len: i64) -> MicroBatch {
    let narrow = |tensor: &Tensor| tensor.narrow(0, start, len);
    MicroBatch {
        images: narrow(&inputs.images),
        tokens: narrow(&inputs.tokens),
        keep: inputs.keep.as_ref().map(narrow),
    }
}

/// Gradients by name, and the loss as `loss`.
type Outcome = BTreeMap<String, Tensor>;

fn taken(model: &Clip, loss: Tensor) -> Outcome {
    let mut all = Outcome::from([("loss".to_owned(), loss.detach())]);
    for parameter in model.parameters().iter().filter(|parameter| parameter.spec.trained) {
        all.insert(parameter.spec.name.clone(), parameter.tensor.grad().copy());
    }
    let tensors: Vec<Tensor> =
        model.parameters().iter().map(|parameter| parameter.tensor.shallow_clone()).collect();
    torch_ext::clear_gradients(&tensors).unwrap();
    all
}

fn divided(step: Step<'_>, inputs: &MicroBatch, size: i64) -> Outcome {
    let mut pass = step.begin();
    let mut start = 0;
    while start < PAIRS {
        let len = size.min(PAIRS - start);
        pass.add(part(inputs, start, len), start + len == PAIRS).unwrap();
        start += len;
    }
    assert_eq!(pass.samples(), PAIRS as u64);
    let loss = pass.finish().unwrap();
    taken(step.model, loss)
}

/// Features, direct loss, and one automatic differentiation of all of it.
fn undivided(model: &Clip, inputs: &MicroBatch) -> Outcome {
    let images = normalise(&model.encode_image(&inputs.images, inputs.keep.as_ref()));
    let texts = normalise(&model.encode_text(&inputs.tokens));
    let loss = match model.logit_bias() {
        None => direct::clip_loss(&images, &texts, model.logit_scale()),
        Some(bias) => direct::siglip_loss(&images, &texts, model.logit_scale(), bias),
    };
    loss.backward();
    taken(model, loss)
}

/// Greatest difference of a tensor, relative to the tensor's norm, with its name.
fn greatest_difference(ours: &Outcome, exact: &Outcome) -> (f64, String) {
    assert!(ours.keys().eq(exact.keys()));
    let relative = |(name, exact): (&String, &Tensor)| {
        let difference = (&ours[name] - exact).norm().double_value(&[]);
        let norm = exact.norm().double_value(&[]);
        assert!(norm > 0.0, "{name} has no gradient");
        (difference / norm, name.clone())
    };
    exact.iter().map(relative).fold(
        (0.0, String::new()),
        |most, one| {
            if one.0 > most.0 { one } else { most }
        },
    )
}

#[test]
fn divided_batches_have_the_gradients_of_the_undivided_one() {
    for loss in ["clip", "siglip"] {
        for reduction in REDUCTIONS {
            let (config, stage) = setting(loss, reduction);
            let (model, inputs) = (build(&config, &stage), inputs(&config, &stage));
            let exact = undivided(&model, &inputs);
            for size in DIVISIONS {
                for recompute in [false, true] {
                    let step = Step::new(&model, Precision::F32, recompute);
                    let ours = divided(step, &inputs, size);
                    let (difference, name) = greatest_difference(&ours, &exact);
                    let case = format!("{loss}, {reduction}, {size} pairs, recompute {recompute}");
                    assert!(difference < TOLERANCE, "{case}: {difference:e} in {name}");
                }
            }
        }
    }
}

/// bf16 rounds a micro-batch's gradient of a weight to 8 bits before f32 adds them up, so that the parts differ by as
/// much from the whole; f32 is between both.
#[test]
fn under_bf16_divided_batches_differ_by_bf16s_rounding() {
    let (config, stage) = setting("clip", "random");
    let (model, inputs) = (build(&config, &stage), inputs(&config, &stage));
    let whole = divided(Step::new(&model, Precision::Bf16, false), &inputs, PAIRS);
    for size in [7, 2, 4] {
        for recompute in [false, true] {
            let ours = divided(Step::new(&model, Precision::Bf16, recompute), &inputs, size);
            let (difference, name) = greatest_difference(&ours, &whole);
            assert!(difference < 0.15, "{size} pairs: {difference:e} in {name}");
            let (difference, _) = greatest_difference(&ours, &undivided(&model, &inputs));
            assert!(difference < 0.5, "{size} pairs: {difference:e}");
        }
    }
}

#[test]
fn small_tiles_change_nothing_beyond_rounding() {
    let (config, stage) = setting("clip", "resize");
    let (model, inputs) = (build(&config, &stage), inputs(&config, &stage));
    let exact = undivided(&model, &inputs);
    for tile_bytes in [1, 200, 500] {
        let step = Step { tile_bytes, ..Step::new(&model, Precision::F32, false) };
        let (difference, name) = greatest_difference(&divided(step, &inputs, 4), &exact);
        assert!(difference < TOLERANCE, "{tile_bytes} bytes: {difference:e} in {name}");
    }
}

/// What a micro-batch of a few pairs needs is measured, and a batch that fits is not divided.
#[test]
fn a_batch_that_fits_is_one_micro_batch_and_trying_leaves_no_gradient() {
    for reduction in REDUCTIONS {
        let (config, stage) = setting("clip", reduction);
        let model = build(&config, &stage);
        assert_eq!(config.loss, Loss::Clip);
        let step = Step::new(&model, Precision::F32, false);
        assert_eq!(largest(step, &stage), Ok(stage.batch));
        assert!(fits(step, &stage, 3));
        assert!(!fits(step, &Stage { context_length: 9, ..stage.clone() }, 3), "9 positions");
        assert!(fits(step, &stage, 3), "a failed try leaves nothing behind");
        assert!(model.parameters().iter().all(|parameter| !parameter.tensor.grad().defined()));
    }
}
