//! What `--dry-run` says of memory, time and money.

use std::time::{Duration, Instant};

use clipa_recipe::{Precision, memory::Memory};
use clipa_talk::{Printer, figures};
use tch::{Device, Kind, Tensor};

use crate::{
    memory,
    run::{MicroBatch, Plan, Resources},
    watch,
};

/// A device for which hours are said.
struct Rated {
    /// As in [`watch::peak_of`]'s table.
    name: &'static str,
    /// US dollars an hour.
    price: f64,
}

/// The A100's price is the one that CLIPA's authors reckon with (12,247 $ for 7,776 hours, 8 × A100-80GB on GCP); for the
/// H100 there is no such anchor, and an hour is taken at twice that.
const RATED: [Rated; 2] =
    [Rated { name: "A100", price: 1.575 }, Rated { name: "H100", price: 3.15 }];
/// The part of the peak that hours are said for: what good published runs of short-token CLIP reach (21 to 30 %, CLIPA
/// 20 to 28).
const UTILISATION: f64 = 0.3;
/// Sides of the product that a CPU's rate is measured with.
const PRODUCT: i64 = 1024;
/// Products that are timed; the fastest counts.
const PRODUCTS: usize = 5;
/// Pairs for which activations are said where no micro-batch is given.
const FEW: u64 = 64;

/// Memory of a step, hours and money of the stage.
pub(super) fn describe(
    plan: &Plan,
    micro_batch: MicroBatch,
    resources: Resources,
    printer: &Printer,
) {
    let stage = &plan.stage;
    let pairs = match micro_batch {
        MicroBatch::Pairs(pairs) => pairs,
        MicroBatch::Auto => FEW,
    };
    let pairs = pairs.min(stage.batch);
    let memory = Memory::new(&plan.recipe.model, stage, pairs);
    let parts = [
        ("weights", memory.weights),
        ("moments", memory.moments),
        ("average", memory.average),
        ("gradients", memory.gradients),
        ("loss", memory.loss),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(_, bytes)| *bytes > 0)
        .map(|(name, bytes)| format!("{name} {}", figures::bytes(*bytes)))
        .collect();
    let beside = figures::bytes(memory.staging);
    printer.say(format!("memory      {}; pixels in main memory {beside}", parts.join(", ")));
    let whole = Memory::new(&plan.recipe.model, stage, stage.batch);
    printer.say(format!(
        "activations {} for a micro-batch of {}, {} for the whole batch{}",
        figures::bytes(memory.activations),
        figures::count(pairs),
        figures::bytes(whole.activations),
        if stage.recompute { ", recomputed" } else { "" },
    ));
    let shares = !resources.device.is_cuda();
    if let Some(available) = memory::available(resources.device) {
        let needs = memory.fixed(shares) + memory.activations;
        printer.say(format!(
            "needs       {} of the {} that {:?} has free",
            figures::bytes(needs),
            figures::bytes(available),
            resources.device,
        ));
    }
    hours(plan, printer);
}

/// Hours on each device. A second pass and recomputing count: each is a forward pass more.
fn hours(plan: &Plan, printer: &Printer) {
    let stage = &plan.stage;
    let again = if stage.recompute { 1.0 / 3.0 } else { 0.0 };
    let (once, twice) =
        (plan.total_flops() * (1.0 + again), plan.total_flops() * (4.0 / 3.0 + again));
    let time = |flops: f64, rate: f64| {
        figures::time(Duration::from_secs_f64((flops / rate).clamp(0.0, 1e12)))
    };
    for Rated { name, price } in RATED {
        let peak = watch::peak_of(name).map_or(f64::NAN, |peak| peak.at(stage.precision));
        let rate = peak * UTILISATION;
        printer.say(format!(
            "{name:<11} {} in one pass, {} in micro-batches; {} to {} dollars ({} % of {}, {price} dollars an hour)",
            time(once, rate),
            time(twice, rate),
            figures::significant(once / rate / 3600.0 * price),
            figures::significant(twice / rate / 3600.0 * price),
            UTILISATION * 100.0,
            figures::scaled(peak, "FLOP/s"),
        ));
    }
    let rate = cpu_rate(stage.precision);
    printer.say(format!(
        "this CPU    {} in one pass, {} in micro-batches (at {}, measured with a product of {PRODUCT}³)",
        time(once, rate),
        time(twice, rate),
        figures::scaled(rate, "FLOP/s"),
    ));
}

/// Operations a second of matrix products on this CPU, with the threads that libtorch has.
fn cpu_rate(precision: Precision) -> f64 {
    let kind = match precision {
        Precision::Bf16 => Kind::BFloat16,
        Precision::F32 => Kind::Float,
    };
    let _no_grad = tch::no_grad_guard();
    let matrix = Tensor::ones([PRODUCT, PRODUCT], (kind, Device::Cpu));
    let seconds = (0..PRODUCTS).map(|_| {
        let began = Instant::now();
        let _ = matrix.matmul(&matrix);
        began.elapsed().as_secs_f64()
    });
    let fastest = seconds.fold(f64::INFINITY, f64::min).max(1e-9);
    2.0 * (PRODUCT as f64).powi(3) / fastest
}
