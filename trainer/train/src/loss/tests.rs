//! The tiled losses against the direct ones, which are differentiated automatically and in f64.

use tch::Device;

use super::*;
use crate::model::Initial;

/// Unit rows, the text of a pair not much nearer to its image than others: where all is told apart, gradients vanish, and
/// f32 shows nothing but rounding.
fn features(pairs: i64, width: i64) -> (Tensor, Tensor) {
    let normal = |name| Initial::Normal { std: 1.0 }.tensor(5, name, &[pairs, width]);
    let images = normal("images");
    let texts = normalise(&(&images * 0.3 + normal("texts")));
    (normalise(&images), texts)
}

fn scalar(value: f32) -> Tensor {
    Tensor::from_slice(&[value]).squeeze()
}

fn tiled(loss: Loss, images: &Tensor, texts: &Tensor, scale: f32, tile_bytes: usize) -> Contrast {
    let rows = Rows { images, texts, first: 0 };
    let (logit_scale, bias) = (scalar(scale.ln()), scalar(-2.5));
    let logit_bias = (loss == Loss::Siglip).then_some(&bias);
    let temperature = Temperature { logit_scale: &logit_scale, logit_bias };
    contrast(loss, rows, &temperature, tile_bytes, |whole| whole)
}

/// Loss and derivatives in f64 by automatic differentiation of the direct formula.
fn direct(loss: Loss, images: &Tensor, texts: &Tensor, scale: f32) -> [Tensor; 5] {
    let leaf = |tensor: &Tensor| tensor.to_kind(Kind::Double).copy().set_requires_grad(true);
    let [images, texts] = [images, texts].map(leaf);
    let (scale, bias) = (leaf(&scalar(scale.ln())), leaf(&scalar(-2.5)));
    let value = match loss {
        Loss::Clip => direct::clip_loss(&images, &texts, &scale) + &bias * 0.0,
        Loss::Siglip => direct::siglip_loss(&images, &texts, &scale, &bias),
    };
    value.backward();
    [value.detach(), images.grad(), texts.grad(), scale.grad(), bias.grad()]
}

fn relative(ours: &Tensor, exact: &Tensor) -> f64 {
    let difference = (ours.to_kind(Kind::Double) - exact).norm().double_value(&[]);
    difference / exact.norm().double_value(&[]).max(1e-12)
}

#[test]
fn the_loss_equals_open_clips() {
    let images: Vec<f32> = (1..=12).map(|i| i as f32).collect();
    let images = normalise(&Tensor::from_slice(&images).view([4, 3]));
    let texts = [1f32, 0., 0., 0., 1., 0., 0., 0., 1., 1., 1., 1.];
    let texts = normalise(&Tensor::from_slice(&texts).view([4, 3]));
    let loss = tiled(Loss::Clip, &images, &texts, 1.0 / 0.07, TILE_BYTES).loss;
    assert!((loss.double_value(&[]) - 3.749378).abs() < 1e-5, "{loss}");
}

/// open_clip's `SigLipLoss` with scale 10 and bias -10.
#[test]
fn the_sigmoid_loss_equals_open_clips() {
    let images: Vec<f32> = (1..=12).map(|i| i as f32).collect();
    let images = normalise(&Tensor::from_slice(&images).view([4, 3]));
    let texts = [1f32, 0., 0., 0., 1., 0., 0., 0., 1., 1., 1., 1.];
    let texts = normalise(&Tensor::from_slice(&texts).view([4, 3]));
    let rows = Rows { images: &images, texts: &texts, first: 0 };
    let (logit_scale, bias) = (scalar(10f32.ln()), scalar(-10.0));
    let temperature = Temperature { logit_scale: &logit_scale, logit_bias: Some(&bias) };
    let loss = contrast(Loss::Siglip, rows, &temperature, TILE_BYTES, |whole| whole).loss;
    assert!((loss.double_value(&[]) - 4.464132).abs() < 1e-5, "{loss}");
}

/// Every tile size, from a row to all of them, at a low and at the greatest temperature.
#[test]
fn tiles_have_the_loss_and_the_gradients_of_the_direct_formula() {
    const PAIRS: i64 = 37;
    let (images, texts) = features(PAIRS, 24);
    for (loss, scale) in [(Loss::Clip, 1.0), (Loss::Clip, 14.3), (Loss::Clip, 100.0)]
        .into_iter()
        .chain([(Loss::Siglip, 1.0), (Loss::Siglip, 10.0), (Loss::Siglip, 100.0)])
    {
        let exact = direct(loss, &images, &texts, scale);
        for tile_rows in [1, 5, 36, 37, 1000] {
            let row_bytes = PAIRS as usize * size_of::<f32>();
            let ours = tiled(loss, &images, &texts, scale, tile_rows * row_bytes);
            let bias = ours.logit_bias.unwrap_or_else(|| Tensor::zeros_like(&exact[4]));
            let ours = [ours.loss, ours.images, ours.texts, ours.logit_scale, bias];
            let names = ["loss", "images", "texts", "logit_scale", "logit_bias"];
            for ((name, ours), exact) in names.into_iter().zip(&ours).zip(&exact) {
                let difference = relative(ours, exact);
                let case = format!("{name} of {loss:?} at {scale}, tiles of {tile_rows}");
                assert!(difference < 2e-5, "{case}: {difference:e}");
            }
        }
    }
}

/// Three processes with 4, 7 and 2 rows: their parts add up to what one process has.
#[test]
fn rows_of_several_processes_add_up() {
    let (images, texts) = features(13, 16);
    for loss in [Loss::Clip, Loss::Siglip] {
        let whole = tiled(loss, &images, &texts, 20.0, TILE_BYTES);
        let (logit_scale, bias) = (scalar(20f32.ln()), scalar(-2.5));
        let logit_bias = (loss == Loss::Siglip).then_some(&bias);
        let temperature = Temperature { logit_scale: &logit_scale, logit_bias };
        let cuts = [(0, 4), (4, 7), (11, 2)];
        let process = |(first, len), merge: &dyn Fn(Tensor) -> Tensor| {
            let rows = Rows { images: &images.narrow(0, first, len), texts: &texts, first };
            contrast(loss, rows, &temperature, 64, merge)
        };
        // What an all-gather of the partial sums would bring together.
        let partial = std::cell::RefCell::new(Vec::new());
        for cut in cuts {
            process(cut, &|columns| {
                partial.borrow_mut().push(columns.shallow_clone());
                columns
            });
        }
        let partial = partial.into_inner();
        let merged = |columns: Tensor| match partial.is_empty() {
            true => columns,
            false => Tensor::stack(&partial, 0).logsumexp([0i64], false),
        };
        let parts = cuts.map(|cut| process(cut, &merged));
        let sum = |of: &dyn Fn(&Contrast) -> Tensor| {
            parts.iter().map(of).reduce(|left, right| left + right).unwrap()
        };
        let images: Vec<&Tensor> = parts.iter().map(|part| &part.images).collect();
        assert!(relative(&Tensor::cat(&images, 0), &whole.images) < 1e-6, "{loss:?}");
        assert!(relative(&sum(&|part| part.texts.shallow_clone()), &whole.texts) < 1e-6);
        assert!(relative(&sum(&|part| part.loss.shallow_clone()), &whole.loss) < 1e-6);
        let scale = sum(&|part| part.logit_scale.shallow_clone());
        assert!(relative(&scale, &whole.logit_scale) < 1e-5, "{loss:?}");
    }
}

#[test]
#[should_panic(expected = "outside of autocast")]
fn under_autocast_it_refuses_to_compute() {
    let (images, texts) = features(4, 8);
    let _autocast = torch_ext::Autocast::enter(Device::Cpu, Kind::BFloat16).unwrap();
    let _ = tiled(Loss::Clip, &images, &texts, 10.0, TILE_BYTES);
}

#[test]
fn a_zero_row_stays_zero() {
    let rows = normalise(&Tensor::zeros([2, 3], (Kind::Float, Device::Cpu)));
    assert_eq!(rows.abs().max().double_value(&[]), 0.0);
}

/// 8,192 pairs: one matrix of logits has 268 MB, and the direct loss keeps several. A child measures, as the tests of a
/// program share its memory.
#[test]
fn memory_does_not_grow_with_the_square_of_the_batch() {
    const NAME: &str = "loss::tests::memory_does_not_grow_with_the_square_of_the_batch";
    const IS_CHILD: &str = "CLIPA_TEST_LOSS_MEMORY_CHILD";
    const LIMIT: u64 = 200 << 20;
    if std::env::var_os(IS_CHILD).is_none() {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        // One thread: threads that wait for each other take minutes on a busy machine.
        let child = child.args(["--exact", NAME]).env(IS_CHILD, "1").env("OMP_NUM_THREADS", "1");
        let ended = child.output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
        return;
    }
    let (images, texts) = features(8192, 64);
    // Once in small, for what libtorch and its threads need once.
    let few = [&images, &texts].map(|rows| rows.narrow(0, 0, 64));
    for loss in [Loss::Clip, Loss::Siglip] {
        tiled(loss, &few[0], &few[1], 14.0, TILE_BYTES);
        let before = crate::memory::resident().unwrap();
        assert!(crate::memory::restart_peak(), "the kernel does not reset peaks");
        let loss = tiled(loss, &images, &texts, 14.0, TILE_BYTES).loss.double_value(&[]);
        assert!(loss.is_finite());
        let used = crate::memory::peak().unwrap().saturating_sub(before);
        assert!(used < LIMIT, "{} MiB", used >> 20);
    }
}
