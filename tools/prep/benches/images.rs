//! What decoding and rendering cost on one core: `cargo bench -p clipa-prep --bench images`.
//!
//! The images are those of `data/pairs` beside the checkout (or under `CLIPA_SHARED`), whose short side is 256 px as
//! in LAION's tars; without them, drawn ones. Ratios within one run are what may be compared.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::{
    hint::black_box,
    path::PathBuf,
    sync::OnceLock,
    time::{Duration, Instant},
};

use clipa_prep::{
    archive::{TarIndex, inputs},
    image::{DecodeLimits, Decoded, RenderOptions, RenderPlan, Scratch, decode, render},
};

const ROUNDS: usize = 7;
const SIZES: [u32; 4] = [64, 84, 112, 224];

fn main() {
    let jpegs = jpegs();
    let bytes: usize = jpegs.iter().map(Vec::len).sum();
    let decoded: Vec<Decoded> = jpegs.iter().map(|jpeg| decoded(jpeg)).collect();
    let pixels: usize = decoded.iter().map(|image| image.rgb.len() / 3).sum();
    let count = jpegs.len();
    println!(
        "{count} JPEGs, mean {} bytes, {} pixels; time on the core, best of {ROUNDS} rounds",
        bytes / count,
        pixels / count
    );
    let square = |sizes: &[u32]| plan(sizes, "rgb8-square");
    let (jpegs, decoded) = (&jpegs, &decoded);
    let mut stages: Vec<Stage<'_>> = vec![
        ("turbojpeg alone".into(), Box::new(|| jpegs.iter().for_each(|jpeg| alone(jpeg)))),
        ("decode".into(), Box::new(|| jpegs.iter().for_each(|jpeg| drop(self::decoded(jpeg))))),
    ];
    for size in SIZES {
        let plan = square(&[size]);
        let work = move || render_all(decoded, jpegs, &plan);
        stages.push((format!("resize to {size}"), Box::new(work)));
    }
    for (name, plan) in [
        ("resize to 64, 84, 112, 224", square(&SIZES)),
        ("resize to 178 (rgb8)", plan(&[178], "rgb8")),
        ("resize to 224 (jpeg)", plan(&[224], "jpeg")),
    ] {
        stages.push((name.into(), Box::new(move || render_all(decoded, jpegs, &plan))));
    }
    let all = square(&SIZES);
    let chain = move || decode_and_render_all(jpegs, &all);
    stages.push(("decode + 64, 84, 112, 224".into(), Box::new(chain)));
    report(&mut stages, count);
}

type Stage<'a> = (String, Box<dyn FnMut() + 'a>);

fn decoded(jpeg: &[u8]) -> Decoded {
    decode(jpeg, &DecodeLimits::default(), None).unwrap()
}

/// The floor: turbojpeg with nothing around it.
fn alone(jpeg: &[u8]) {
    black_box(turbojpeg::decompress(jpeg, turbojpeg::PixelFormat::RGB).unwrap());
}

fn plan(sizes: &[u32], encoding: &str) -> RenderPlan {
    let columns: Vec<_> =
        sizes.iter().map(|size| format!("{size}:{encoding}").parse().unwrap()).collect();
    RenderPlan::new(&columns, RenderOptions::default()).unwrap()
}

fn render_all(decoded: &[Decoded], jpegs: &[Vec<u8>], plan: &RenderPlan) {
    let mut scratch = Scratch::new();
    for (image, jpeg) in decoded.iter().zip(jpegs) {
        black_box(render(image, jpeg, plan, &mut scratch).unwrap());
    }
}

fn decode_and_render_all(jpegs: &[Vec<u8>], plan: &RenderPlan) {
    let mut scratch = Scratch::new();
    for jpeg in jpegs {
        black_box(render(&decoded(jpeg), jpeg, plan, &mut scratch).unwrap());
    }
}

/// Runs the stages in turn, round by round, so that a busy moment of the machine meets all of them.
fn report(stages: &mut [Stage<'_>], count: usize) {
    let mut best = vec![Duration::MAX; stages.len()];
    for _ in 0..ROUNDS {
        for (best, (_, work)) in best.iter_mut().zip(stages.iter_mut()) {
            let start = clock();
            work();
            *best = (*best).min(clock() - start);
        }
    }
    for (best, (name, _)) in best.iter().zip(stages) {
        let each = best.as_secs_f64() / count as f64;
        println!("{name:28} {:8.1} µs  {:8.0} images/s", each * 1e6, 1.0 / each);
    }
}

/// Time that this thread was on a core, where the system tells; else the time of day.
fn clock() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    let on_core = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let on_core = on_core.and_then(|text| text.split(' ').next()?.parse().ok());
    on_core.map_or_else(|| START.get_or_init(Instant::now).elapsed(), Duration::from_nanos)
}

fn jpegs() -> Vec<Vec<u8>> {
    let beside = || concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared").into();
    let shared = std::env::var_os("CLIPA_SHARED").map_or_else(beside, PathBuf::from);
    let Ok(tars) = inputs::expand(&[shared.join("data/pairs")]) else {
        println!("data/pairs is not there: drawn images, which decode faster than photographs");
        return (0..200).map(drawn).collect();
    };
    let mut jpegs = Vec::new();
    for tar in tars {
        let index = TarIndex::read(&tar).unwrap();
        for image in index.samples.iter().filter_map(|sample| sample.image) {
            let mut jpeg = Vec::new();
            index.read_member(image, 16 << 20, &mut jpeg).unwrap();
            // The few that were small on the web are not what a LAION tar holds.
            let image = decoded(&jpeg);
            if image.width.min(image.height) == 256 {
                jpegs.push(jpeg);
            }
        }
    }
    jpegs
}

/// A 256 px texture, encoded at img2dataset's quality.
fn drawn(seed: usize) -> Vec<u8> {
    let level = |at: usize| (at * at / (seed + 7) % 251) as u8;
    let pixels: Vec<u8> = (0..256 * 256 * 3).map(level).collect();
    let (width, height, format) = (256, 256, turbojpeg::PixelFormat::RGB);
    let image = turbojpeg::Image { pixels: pixels.as_slice(), width, pitch: 768, height, format };
    turbojpeg::compress(image, 95, turbojpeg::Subsamp::Sub2x2).unwrap().to_vec()
}
