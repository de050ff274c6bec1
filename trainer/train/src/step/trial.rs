//! The largest micro-batch that fits, found by trying.

use std::panic::{self, AssertUnwindSafe};

use clipa_recipe::{Stage, memory::Memory};
use tch::{Device, Kind, Tensor};

use super::{MicroBatch, Step};
use crate::memory;

/// The part of the memory that a step may fill; the rest is for what kernels need for a moment.
const MAX_FILLED: f64 = 0.85;
/// Pairs of the two trials by which a CPU's memory for a pair is measured.
const CPU_TRIALS: [u64; 2] = [16, 48];

/// Bytes of a try: at the first of two sizes, and of each pair more.
#[derive(Clone, Copy, Debug)]
struct Measured {
    pairs: u64,
    bytes: u64,
    bytes_a_pair: u64,
}

/// The largest micro-batch for a stage: the whole batch where that clearly fits, else as few equal ones as fit.
///
/// On a GPU each candidate is tried, from the largest that the formulas allow downwards. A CPU's memory cannot be tried
/// to its end, as the system would kill the program: there two small micro-batches are measured.
///
/// # Errors
/// Where not even two pairs fit, with what is there.
pub fn largest(step: Step<'_>, stage: &Stage) -> Result<u64, String> {
    let device = step.model.device();
    let Some(available) = memory::available(device) else { return Ok(stage.batch) };
    let available = (available as f64 * MAX_FILLED) as u64;
    let model = step.model.config();
    let shares = !device.is_cuda();
    // Weights, their average and moments are in memory already.
    let needs = |pairs: u64| {
        let memory = Memory::new(model, stage, pairs);
        memory.fixed(shares) - memory.weights - memory.average - memory.moments + memory.activations
    };
    if needs(stage.batch) < available / 4 {
        return Ok(stage.batch);
    }
    let measured = if device.is_cuda() { None } else { measure(step, stage) };
    let fits = |pairs: u64| match measured {
        Some(measured) => {
            let beside = needs(0).saturating_sub(Memory::new(model, stage, 0).gradients);
            let more = measured.bytes_a_pair * pairs.saturating_sub(measured.pairs);
            beside + measured.bytes + more < available
        }
        // The formulas may say too much; the try decides.
        None if device.is_cuda() => needs(pairs) / 2 < available && fits(step, stage, pairs),
        None => needs(pairs) < available,
    };
    let mut micro_batches = 1;
    while micro_batches <= stage.batch / 2 {
        let pairs = stage.batch.div_ceil(micro_batches);
        if fits(pairs) {
            return Ok(pairs);
        }
        micro_batches *= 2;
    }
    let there = clipa_talk::figures::bytes(available);
    Err(format!("not even a micro-batch of 2 pairs fits into the {there} that may be used"))
}

/// Does a step of one micro-batch of `pairs` pairs end well? Gradients are gone afterwards.
pub fn fits(step: Step<'_>, stage: &Stage, pairs: u64) -> bool {
    // tch's plain calls panic where libtorch finds no memory; that is an answer here and no message for a person.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| take(step, stage, pairs)));
    panic::set_hook(hook);
    clear(step);
    if let Device::Cuda(index) = step.model.device() {
        let _ = torch_ext::release_gpu_memory(index);
    }
    matches!(outcome, Ok(Ok(())))
}

/// Bytes of micro-batches on a CPU, where the system tells peaks.
fn measure(step: Step<'_>, stage: &Stage) -> Option<Measured> {
    let [few, more] = CPU_TRIALS.map(|pairs| pairs.min(stage.batch));
    let peak = |pairs| {
        let before = memory::resident()?;
        (memory::restart_peak() && fits(step, stage, pairs)).then_some(())?;
        memory::peak().map(|peak| peak.saturating_sub(before))
    };
    // The first one makes what libtorch and the threads need once.
    peak(few)?;
    let (small, large) = (peak(few)?, peak(more)?);
    let formula = Memory::new(step.model.config(), stage, 1).activations;
    let bytes_a_pair = large.saturating_sub(small) / (more - few).max(1);
    Some(Measured { pairs: few, bytes: small, bytes_a_pair: bytes_a_pair.max(formula / 2) })
}

/// One step of one micro-batch of zeros.
fn take(step: Step<'_>, stage: &Stage, pairs: u64) -> Result<(), torch_ext::Error> {
    let (pairs, side) = (pairs as i64, stage.image_size);
    let kept = stage.kept_patches(step.model.config());
    let keep = stage
        .image_reduction
        .is_mask()
        .then(|| Tensor::arange(kept, (Kind::Int64, Device::Cpu)).unsqueeze(0).repeat([pairs, 1]));
    let inputs = MicroBatch {
        images: Tensor::zeros([pairs, side, side, 3], (Kind::Uint8, Device::Cpu)),
        tokens: Tensor::zeros([pairs, stage.context_length], (Kind::Int64, Device::Cpu)),
        keep,
    };
    // The features of the whole batch want their room, too.
    let loss = Memory::new(step.model.config(), stage, 1).loss as i64;
    let _room = Tensor::empty([loss], (Kind::Uint8, step.model.device()));
    let mut pass = step.begin();
    pass.add(inputs, true)?;
    // Asked for, so that a GPU has done it.
    let _ = pass.finish()?.double_value(&[]);
    Ok(())
}

fn clear(step: Step<'_>) {
    let parameters: Vec<Tensor> =
        step.model.parameters().iter().map(|parameter| parameter.tensor.shallow_clone()).collect();
    let _ = torch_ext::clear_gradients(&parameters);
}
