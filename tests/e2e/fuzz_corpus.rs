//! What the fuzzers started from, and what they found, through the same functions (tests/fuzz).
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::path::Path;

#[allow(unreachable_pub, reason = "it is a crate of its own too")]
#[path = "../fuzz/src/lib.rs"]
mod targets;

fn run(target: &str, function: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 4, "{} holds a corpus", folder.display());
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        function(&bytes);
        // cut anywhere, it must hold too
        (0..bytes.len()).step_by(1 + bytes.len() / 50).for_each(|cut| function(&bytes[..cut]));
    }
}

#[test]
fn tar_walk() {
    run("walk", targets::walk);
}

#[test]
fn sidecar_parser() {
    run("sidecar", targets::sidecar);
}

#[test]
fn exif_reader() {
    run("exif", targets::exif);
}

#[test]
fn image_decoder() {
    run("image", targets::image);
}
