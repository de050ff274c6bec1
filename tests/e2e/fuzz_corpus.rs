//! What the fuzzers started from, and what they found, through the same functions (tests/fuzz).
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::path::Path;

fn run(target: &str, function: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 4, "{} holds a corpus", folder.display());
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        function(&bytes);
        // The same must hold where the bytes are cut anywhere.
        (0..bytes.len()).step_by(1 + bytes.len() / 50).for_each(|cut| function(&bytes[..cut]));
    }
}

#[test]
fn tar_walk() {
    run("walk", clipa_fuzz::walk);
}

#[test]
fn sidecar_parser() {
    run("sidecar", clipa_fuzz::sidecar);
}

#[test]
fn exif_reader() {
    run("exif", clipa_fuzz::exif);
}

#[test]
fn image_decoder() {
    run("image", clipa_fuzz::image);
}

#[test]
fn metadata_table() {
    run("table", clipa_fuzz::table);
}

#[test]
fn list_file() {
    run("list", clipa_fuzz::list);
}

#[test]
fn shard_reader() {
    for name in ["square", "sized-and-jpeg", "two-captions"] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/shard").join(name);
        // Another schema version would be refused at once, and the fuzzer would begin with nothing.
        let shard = clipa_schemas::shard::ShardReader::open(&file).unwrap();
        assert_eq!(shard.rows_of(0).unwrap().rows(), 3, "{name}");
    }
    run("shard", clipa_fuzz::shard);
}

#[test]
fn checkpoint_files() {
    run("checkpoint", clipa_fuzz::checkpoint);
}
