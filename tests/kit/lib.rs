//! The kit of the tests: starts the built programs, makes small inputs and data sets, compares trees.
//!
//! The programs are those of `cargo build --release` (`cargo xtask test` builds them first): cargo
//! does not build another package's binaries for a test. Inputs are drawn by `clipa-prep synth`, so
//! that nothing is committed or downloaded; tests on real data find it through [`shared`]. Tests of
//! what reads a data set make one without a program: [`DataSet`] writes whatever rows a test asks
//! for, [`Numbered`] rows that know their numbers (the stream's tests and benchmark use it), and
//! [`World`] rows that a small model learns.
//!
//! A test kit panics with a sentence: its only reader is a person with a failed test.

mod archive;
mod counts;
mod dataset;
mod folder;
mod numbered;
mod program;
mod rows;
mod running;
mod table;
mod torch;
mod world;

pub use archive::{Member, members, middle_of_jpeg, write_tar};
pub use counts::{Counts, counts, number};
pub use dataset::{DataSet, Unit, write_shards};
pub use folder::{Tree, tree};
pub use numbered::{Numbered, captioned_sample, numbered_image, numbered_tokens};
pub use program::{Finished, Program, inspect, lasting, prep, train};
pub use rows::{rejected, rows};
pub use running::Running;
pub use table::write_table;
pub use torch::{Pickle, TorchTensor, state_dict, write_archive, write_checkpoint};
pub use world::World;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tempfile::TempDir;

/// Side of the drawn images in pixels: small, so that a test takes milliseconds for each.
pub const DRAWN_SIDE: &str = "64";
/// Tars of the drawn set, and samples in all of them.
pub const DRAWN_TARS: usize = 3;
/// Samples of the drawn set.
pub const DRAWN_SAMPLES: usize = 96;
/// Images of the drawn zero-shot set, two of each class.
pub const DRAWN_CLASS_IMAGES: u64 = 192;

/// A new empty folder, removed with the value.
pub fn temporary() -> TempDir {
    tempfile::Builder::new().prefix("clipa-test-").tempdir().expect("a temporary folder")
}

/// The drawn set of this test program: `train/*.tar` and `classes/`, made once.
pub fn drawn() -> &'static Path {
    static DRAWN: OnceLock<PathBuf> = OnceLock::new();
    DRAWN.get_or_init(|| {
        let folder = lasting("drawn");
        draw(&folder, DRAWN_SAMPLES, DRAWN_TARS);
        folder
    })
}

/// Draws a set of that size into the folder.
pub fn draw(folder: &Path, samples: usize, tars: usize) {
    prep(["synth", "--seed", "1", "--side", DRAWN_SIDE])
        .arg("--samples")
        .arg(samples.to_string())
        .arg("--tars")
        .arg(tars.to_string())
        .arg("--eval-samples")
        .arg(DRAWN_CLASS_IMAGES.to_string())
        .arg("--output")
        .arg(folder)
        .succeeds();
}

/// The tars of the drawn set, in order.
pub fn drawn_tars() -> Vec<PathBuf> {
    (0..DRAWN_TARS).map(|tar| drawn().join(format!("train/{tar:05}.tar"))).collect()
}

/// Ingests the drawn pairs for a recipe.
pub fn ingest_drawn_pairs(recipe: &str, output: &Path) {
    prep(["laion", "ingest", "--for", recipe])
        .arg(drawn().join("train"))
        .arg("--output")
        .arg(output)
        .succeeds();
}

/// `clipa-prep laion ingest` with an image column of each encoding.
pub fn ingest_every_encoding(input: &Path, output: &Path) -> Program {
    prep([
        "laion",
        "ingest",
        "--image",
        "40:rgb8",
        "--image",
        "32:rgb8-square",
        "--image",
        "64:jpeg",
    ])
    .arg(input)
    .arg("--output")
    .arg(output)
}

/// A path in the shared data (`CLIPA_SHARED`, or `shared/` beside the repository); `None` with a
/// printed reason where it is not there.
pub fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("CLIPA_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from);
    let found = root.join(path);
    if found.exists() {
        return Some(found);
    }
    skipped(&format!("{} is not there; CLIPA_SHARED names the folder", found.display()));
    None
}

/// Says that a test checks nothing here, and why.
#[allow(clippy::print_stderr, reason = "a skipped test says so")]
pub fn skipped(reason: &str) {
    eprintln!("skipped: {reason}");
}

/// Copies one file into a folder and returns its new path.
pub fn copy_into(folder: &Path, file: &Path) -> PathBuf {
    let name = file.file_name().expect("a file has a name");
    let target = folder.join(name);
    std::fs::copy(file, &target).expect("the file can be copied");
    target
}
