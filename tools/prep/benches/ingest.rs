//! Ingest beside its floor, decoding and resizing alone: `cargo xtask bench ingest [-- TARS SAMPLES_PER_TAR]`.
//!
//! The tars hold the images, captions and sidecars of `data/pairs` (under `CLIPA_SHARED` or beside the checkout), again
//! and again under new keys; without it, drawn ones. They lie in `target/bench`, with the output, so the disk is that of
//! the checkout. All ways are measured in turn, round by round, so that a busy moment of the machine meets all of them;
//! the best round counts. Ratios within one run are what may be compared.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::{
    fs::{self, File},
    io::BufWriter,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
    time::{Duration, Instant},
};

use clipa_prep::{
    archive::{TarIndex, inputs},
    image::{DecodeLimits, RenderPlan, Scratch, decode, render},
    ingest::{
        ingest,
        options::{Filter, IngestOptions},
        pipeline::Input,
    },
};
use clipa_schemas::manifest::Kind;
use clipa_talk::Printer;
use clipa_text::TextConfig;

const ROUNDS: usize = 3;
const COLUMNS: [&str; 4] =
    ["64:rgb8-square", "84:rgb8-square", "112:rgb8-square", "224:rgb8-square"];

fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    let (tars, samples) = match numbers[..] {
        [tars, samples, ..] => (tars, samples),
        _ => (4, 10_000),
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/bench/ingest");
    fs::create_dir_all(&folder).unwrap();
    let tars = make_tars(&folder, tars, samples);
    let options = options();
    let plan = options.render_plan().unwrap();
    let count = decode_and_resize(&tars, &plan);
    println!(
        "{count} samples in {} tars, to {}; best of {ROUNDS} rounds",
        tars.len(),
        COLUMNS.join(", ")
    );
    let output = folder.join("out");
    let mut ways: Vec<(String, Way<'_>)> = vec![(
        "decode + resize alone, 1 thread".to_owned(),
        Box::new(|| {
            decode_and_resize(&tars, &plan);
        }),
    )];
    for threads in [1, 2] {
        let (tars, options, output) = (&tars, &options, &output);
        let way: Way<'_> = Box::new(move || whole_ingest(tars, options, threads, output));
        ways.push((format!("ingest, {threads} thread(s)"), way));
    }
    let best = measure(&mut ways, || {
        if output.exists() {
            fs::remove_dir_all(&output).unwrap();
        }
    });
    for ((name, _), cost) in ways.iter().zip(&best) {
        println!(
            "{name:32} {:7.0} samples/s of wall time {:7.0} of processor time",
            count as f64 / cost.wall.as_secs_f64(),
            count as f64 / cost.processor.as_secs_f64()
        );
    }
    let [floor, one, two] = &best[..] else { return };
    let ratio = |a: Duration, b: Duration| a.as_secs_f64() / b.as_secs_f64();
    println!(
        "ingest / (decode + resize), processor time: {:.3}",
        ratio(floor.processor, one.processor)
    );
    println!("ingest / (decode + resize), wall time:      {:.3}", ratio(floor.wall, one.wall));
    println!("two threads / one, wall time:               {:.3}", ratio(one.wall, two.wall));
    println!("most memory that was in use: {} MB", peak_memory_mb());
    fs::remove_dir_all(&output).unwrap();
}

type Way<'a> = Box<dyn FnMut() + 'a>;

#[derive(Clone, Copy)]
struct Cost {
    wall: Duration,
    processor: Duration,
}

/// The best of each way; `clear` takes away, outside the measurement, what one left behind.
fn measure(ways: &mut [(String, Way<'_>)], clear: impl Fn()) -> Vec<Cost> {
    let mut best = vec![Cost { wall: Duration::MAX, processor: Duration::MAX }; ways.len()];
    for _ in 0..ROUNDS {
        for (best, (_, way)) in best.iter_mut().zip(ways.iter_mut()) {
            clear();
            let (started, before) = (Instant::now(), processor_time());
            way();
            best.wall = best.wall.min(started.elapsed());
            best.processor = best.processor.min(processor_time() - before);
        }
    }
    best
}

fn options() -> IngestOptions {
    IngestOptions {
        kind: Kind::Pairs,
        classes: None,
        images: COLUMNS.map(|column| column.parse().unwrap()).to_vec(),
        max_aspect: clipa_prep::image::RenderOptions::default().max_aspect,
        jpeg_quality: clipa_prep::image::RenderOptions::default().jpeg_quality,
        unpad: false,
        limits: DecodeLimits::default(),
        filter: Filter::default(),
        refused: Vec::new(),
        text: TextConfig::default(),
    }
}

/// The floor: every image is read, decoded and resized, and nothing else. Returns the number of samples.
fn decode_and_resize(tars: &[PathBuf], plan: &RenderPlan) -> usize {
    let limits = DecodeLimits { largest_side_px: plan.largest_side(), ..DecodeLimits::default() };
    let (mut scratch, mut bytes, mut count) = (Scratch::new(), Vec::new(), 0);
    for tar in tars {
        let index = TarIndex::read(tar).unwrap();
        for image in index.samples.iter().filter_map(|sample| sample.image) {
            index.read_member(image, 64 << 20, &mut bytes).unwrap();
            let decoded = decode(&bytes, &limits, None).unwrap();
            std::hint::black_box(render(&decoded, &bytes, plan, &mut scratch).unwrap());
            count += 1;
        }
    }
    count
}

fn whole_ingest(tars: &[PathBuf], options: &IngestOptions, threads: usize, output: &Path) {
    let inputs = tars.iter().cloned().map(Input::Tar).collect();
    let stop = AtomicBool::new(false);
    let (printer, _captured) = Printer::captured();
    let report = ingest(inputs, output, options, threads, &printer, &stop).unwrap();
    assert_eq!(report.found, report.accepted);
}

/// `tars` tars of `samples` samples each, made once.
fn make_tars(folder: &Path, tars: usize, samples: usize) -> Vec<PathBuf> {
    let pairs = pairs();
    let mut pairs = pairs.iter().cycle();
    (0..tars)
        .map(|tar| {
            let path = folder.join(format!("{tar:05}-of-{tars}-with-{samples}.tar"));
            if !path.exists() {
                let mut builder = tar::Builder::new(BufWriter::new(File::create(&path).unwrap()));
                for sample in 0..samples {
                    for (extension, bytes) in pairs.next().unwrap() {
                        append(&mut builder, &format!("{tar:05}{sample:06}.{extension}"), bytes);
                    }
                }
                builder.finish().unwrap();
            }
            path
        })
        .collect()
}

fn append(builder: &mut tar::Builder<BufWriter<File>>, name: &str, bytes: &[u8]) {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    builder.append_data(&mut header, name, bytes).unwrap();
}

/// Members of a sample by extension.
type Members = Vec<(&'static str, Vec<u8>)>;

/// Samples whose image has a short side of 256 px, as LAION's have.
fn pairs() -> Vec<Members> {
    let beside = || concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared").into();
    let shared = std::env::var_os("CLIPA_SHARED").map_or_else(beside, PathBuf::from);
    let Ok(tars) = inputs::expand(&[shared.join("data/pairs")]) else {
        println!("data/pairs is not there: drawn images, which decode faster than photographs");
        return (0..200).map(drawn).collect();
    };
    let mut pairs = Vec::new();
    for tar in tars {
        let index = TarIndex::read(&tar).unwrap();
        for sample in &index.samples {
            let (Some(image), Some(caption)) = (sample.image, sample.caption) else { continue };
            let read = |member| {
                let mut bytes = Vec::new();
                index.read_member(member, 64 << 20, &mut bytes).unwrap();
                bytes
            };
            let jpeg = read(image);
            let decoded = decode(&jpeg, &DecodeLimits::default(), None).unwrap();
            if decoded.width.min(decoded.height) == 256 {
                let mut members = vec![("jpg", jpeg), ("txt", read(caption))];
                members.extend(sample.sidecar.map(|member| ("json", read(member))));
                pairs.push(members);
            }
        }
    }
    pairs
}

/// A 256 px texture, encoded at img2dataset's quality, and a caption.
fn drawn(seed: usize) -> Members {
    let level = |at: usize| (at * at / (seed + 7) % 251) as u8;
    let pixels: Vec<u8> = (0..256 * 256 * 3).map(level).collect();
    let (width, height, format) = (256, 256, turbojpeg::PixelFormat::RGB);
    let image = turbojpeg::Image { pixels: pixels.as_slice(), width, pitch: 768, height, format };
    let jpeg = turbojpeg::compress(image, 95, turbojpeg::Subsamp::Sub2x2).unwrap().to_vec();
    vec![
        ("jpg", jpeg),
        ("txt", format!("a woven pattern, number {seed}, in bright colours").into()),
    ]
}

/// Time that the process's threads were on a core, those that have ended included.
fn processor_time() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10) // 100 ticks a second on every Linux that we run on
}

fn peak_memory_mb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1000
}
