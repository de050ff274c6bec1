//! A panic anywhere on the line ends the run with a message, and never hangs it.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::{atomic::AtomicBool, mpsc::channel},
    thread,
    time::Duration,
};

use clipa_schemas::{ledger::UnitEntry, manifest::read_entries};
use clipa_talk::Printer;
use tempfile::TempDir;

use super::{
    super::{
        in_work::fault_point,
        ingest,
        tests::{options, picture, png},
    },
    *,
};

/// Longest that a run over a few hundred small images may take before it counts as hanging.
const HANGS_AFTER: Duration = Duration::from_secs(300);

/// More samples than permits have room for, so that a chunk that never comes would be waited for.
const MANY: usize = 2 * CHUNKS_PER_THREAD * CHUNK_SAMPLES + 100;

/// A tar of so many samples, each of an image, a caption and a sidecar; its name may name a fault.
fn tar(folder: &TempDir, name: &str, samples: usize) -> PathBuf {
    let path = folder.path().join(name);
    let mut tar = tar::Builder::new(File::create(&path).unwrap());
    let image = png(image::DynamicImage::ImageRgb8(picture()));
    for sample in 0..samples {
        let parts: [(&str, &[u8]); 3] = [
            ("png", &image),
            ("txt", b"a red house"),
            ("json", br#"{"url": "http://a.example/"}"#),
        ];
        for (suffix, bytes) in parts {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, format!("{sample:05}.{suffix}"), bytes).unwrap();
        }
    }
    tar.into_inner().unwrap();
    path
}

/// Ingests a small tar, one whose name names a fault, and another small one; waits for the end for a while only.
fn error_of(fault: &str, threads: usize) -> (String, Vec<UnitEntry>) {
    let folder = tempfile::tempdir().unwrap();
    let tars = [("a.tar", 20), (fault, MANY), ("z.tar", 20)];
    let inputs = tars.map(|(name, samples)| Input::Tar(tar(&folder, name, samples)));
    let output = folder.path().join("out");
    let (ended, end) = channel();
    let dataset = output.clone();
    thread::spawn(move || {
        let stop = AtomicBool::new(false);
        let (options, printer) = (options(Vec::new()), Printer::new());
        let report = ingest(inputs.into(), &dataset, &options, threads, &printer, &stop);
        ended.send(report.map(|_| ()).map_err(|error| error.to_string()))
    });
    let ended = end.recv_timeout(HANGS_AFTER);
    let ended = ended.unwrap_or_else(|_| panic!("{fault}, {threads} threads: the run hangs"));
    let error = ended.expect_err("a panic is an error");
    (error, entries(&output))
}

fn entries(dataset: &Path) -> Vec<UnitEntry> {
    read_entries(dataset).unwrap()
}

#[test]
fn a_panic_in_any_stage_ends_the_run_and_names_input_stage_and_sample() {
    for (fault, place) in [
        ("panic-read-70.tar", "the stage `read` at sample `00070` of "),
        ("panic-text-71.tar", "the stage `text` at sample `00071` of "),
        ("panic-hash-72.tar", "the stage `hash` at sample `00072` of "),
        ("panic-decode-73.tar", "the stage `decode` at sample `00073` of "),
        ("panic-resize-74.tar", "the stage `resize` at sample `00074` of "),
        ("panic-write-64.tar", "the stage `write` at the samples `00064` to `00095` of "),
        ("panic-commit.tar", "the stage `commit` of "),
        ("panic-begin.tar", "the stage `begin` of "),
        ("panic-open.tar", "the stage `open` of "),
    ] {
        for threads in [1, 2, 5] {
            let (error, _) = error_of(fault, threads);
            let is_named = error.starts_with(place)
                && error.contains(&format!("/{fault} panicked: a test wants it."));
            assert!(is_named, "{fault}, {threads} threads: {error}");
        }
    }
}

#[test]
fn a_thread_that_dies_outside_of_any_stage_ends_the_run_and_is_named() {
    for (fault, thread) in [
        ("panic-work.tar", "the thread `ingest-work` panicked: a test wants it."),
        ("panic-feed.tar", "the thread `ingest-feed` panicked: a test wants it."),
        ("panic-opener.tar", "the thread `ingest-open` panicked: a test wants it."),
    ] {
        for threads in [1, 2, 5] {
            let (error, _) = error_of(fault, threads);
            assert!(error.starts_with(thread), "{fault}, {threads} threads: {error}");
        }
    }
}

#[test]
fn units_that_were_finished_before_a_panic_are_kept() {
    for fault in ["panic-read-200.tar", "panic-write-192.tar"] {
        let (_, entries) = error_of(fault, 2);
        let first = entries.first().expect("the first unit is finished");
        assert!(first.source.path == "a.tar", "{fault}: {}", first.source.path);
        assert!(entries.iter().all(|entry| entry.source.path != fault), "{fault}");
    }
}

#[test]
fn a_fault_is_where_the_name_of_the_input_says() {
    fault_point("read", "/d/panic-read-7.tar", Some(8));
    fault_point("read", "/d/panic-read-7.tar", None);
    fault_point("text", "/d/panic-read-7.tar", Some(7));
    let told = std::panic::catch_unwind(|| fault_point("read", "/d/panic-read-7.tar", Some(7)));
    assert!(told.is_err());
}
