//! Data sets that are not what a stage needs, or not what they were.

use std::{fs, sync::atomic::AtomicBool};

use super::*;

fn refused(dataset: &Path, config: StreamConfig) -> String {
    let error = Stream::open(dataset, config, Cursor::default()).unwrap_err();
    format!("{error}; {}", error.hint().unwrap_or_default())
}

#[test]
fn missing_columns_are_named_with_what_is_stored() {
    let folder = dataset(&["16:rgb8-square", "26:rgb8"]);
    let image_column = Some("image_64".to_owned());
    let message = refused(folder.path(), StreamConfig { image_column, ..plain(4) });
    for part in ["`image_64`", "16:rgb8-square, 26:rgb8", "--image", "--for"] {
        assert!(message.contains(part), "{message}");
    }
    let tokenizer = "bert_wordpiece".to_owned();
    let message = refused(folder.path(), StreamConfig { tokenizer, ..plain(4) });
    assert!(message.contains("`bert_wordpiece`, only clip_bpe"), "{message}");
}

#[test]
fn a_syntax_mask_without_tags_is_refused_before_the_first_batch() {
    let folder = tempfile::tempdir().unwrap();
    Numbered { images: &["16:rgb8-square"], shards: &[4], kind: Kind::Pairs, tagged: false }
        .write(folder.path());
    for text in [TextReduction::Syntax, TextReduction::SyntaxVocab] {
        let message = refused(folder.path(), StreamConfig { text, ..plain(4) });
        assert!(message.contains("without a tagger"), "{message}");
        assert!(message.contains(&format!("`{text}`")) && message.contains("prepare"), "{message}");
    }
    Stream::open(folder.path(), plain(4), Cursor::default()).unwrap().next().unwrap();
}

#[test]
fn what_is_not_a_data_set_or_empty_or_of_another_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert!(refused(folder.path(), plain(4)).contains("not a clipa data set"));
    Numbered { images: &["16:rgb8-square"], shards: &[], kind: Kind::Pairs, tagged: true }
        .write(folder.path());
    assert!(refused(folder.path(), plain(4)).contains("holds no sample"));
    let path = folder.path().join("dataset.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"schema_version\": 2", "\"schema_version\": 7")).unwrap();
    assert!(refused(folder.path(), plain(4)).contains("schema version 7"));
}

#[test]
fn a_shard_that_was_cut_or_is_gone_is_refused_on_opening() {
    let folder = dataset(&["16:rgb8-square"]);
    let path = folder.path().join("shards/00002.parquet");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    let message = refused(folder.path(), plain(4));
    assert!(
        message.contains("00002.parquet") && message.contains("the manifest says"),
        "{message}"
    );
    fs::remove_file(&path).unwrap();
    assert!(refused(folder.path(), plain(4)).contains("00002.parquet"));
}

#[test]
fn a_shard_that_goes_away_later_is_an_error_in_its_place() {
    let folder = dataset(&["16:rgb8-square"]);
    let manifest = Manifest::read(folder.path()).unwrap();
    let columns = Columns::of_pairs(folder.path(), &manifest, &plain(4)).unwrap();
    let (mut source, groups) = Source::open(folder.path(), &manifest, columns).unwrap();
    fs::remove_file(folder.path().join("shards/00001.parquet")).unwrap();
    let loads: Vec<bool> = Order::new(groups, Sequence::Stored, 1)
        .windows(0)
        .map(|plan| source.load(&plan, &AtomicBool::new(false)).is_ok())
        .collect();
    assert_eq!(loads, [true, false, true, true, true, true]);
}

#[test]
fn a_damaged_jpeg_is_an_error_with_shard_and_row() {
    let folder = dataset(&["30:jpeg"]);
    let path = folder.path().join("shards/00002.parquet");
    let mut bytes = fs::read(&path).unwrap();
    let starts: Vec<usize> =
        (0..bytes.len() - 3).filter(|&at| bytes[at..at + 3] == [0xff, 0xd8, 0xff]).collect();
    assert_eq!(starts.len(), 33);
    bytes[starts[5]..][..3].copy_from_slice(b"not");
    fs::write(&path, bytes).unwrap();
    let config = StreamConfig { workers: 3, trust_data: true, ..plain(10) };
    let outcome: Vec<_> = EvalPass::open(folder.path(), config).unwrap().collect();
    // 27 rows in the shards before: row 5 is sample 32, in the fourth batch.
    assert_eq!(outcome.len(), 4);
    assert!(outcome[..3].iter().all(Result::is_ok));
    let message = outcome[3].as_ref().unwrap_err().to_string();
    assert!(message.contains("00002.parquet, row 5: "), "{message}");
}

/// Pixels, tokens and footer: no sample of a damaged shard comes out, neither in training nor in an evaluation.
#[test]
fn a_flipped_bit_in_a_shard_is_an_error_before_its_first_sample() {
    let folder = dataset(&["16:rgb8-square", "26:rgb8"]);
    let path = folder.path().join("shards/00003.parquet");
    let whole = fs::read(&path).unwrap();
    for place in (4..whole.len()).step_by(whole.len() / 23) {
        let mut flipped = whole.clone();
        flipped[place] ^= 0x10;
        fs::write(&path, flipped).unwrap();
        let config = StreamConfig { workers: 2, ..plain(20) };
        // 60 rows in the shards before.
        let outcome: Vec<_> = EvalPass::open(folder.path(), config.clone()).unwrap().collect();
        assert!(outcome[..3].iter().all(Result::is_ok), "{place}");
        let error = outcome[3].as_ref().unwrap_err();
        assert!(error.to_string().contains("00003.parquet: checksum differs"), "{place}: {error}");
        let hint = error.hint().unwrap();
        assert!(hint.contains("clipa-inspect verify") && hint.contains("--trust-data"), "{hint}");
        let mut stream = Stream::open(folder.path(), config, Cursor::default()).unwrap();
        let ended = (0..6).find_map(|_| stream.next().err());
        assert!(matches!(ended, Some(StreamError::Checksum { .. })), "{place}: {ended:?}");
    }
    fs::write(&path, whole).unwrap();
    let rows: usize =
        EvalPass::open(folder.path(), plain(20)).unwrap().map(|batch| batch.unwrap().len).sum();
    assert_eq!(rows as u64, ROWS);
}

#[test]
fn who_trusts_the_data_gets_what_is_there() {
    let folder = dataset(&["16:rgb8-square"]);
    let path = folder.path().join("shards/00003.parquet");
    let mut bytes = fs::read(&path).unwrap();
    bytes[100] ^= 1; // in the only page of the images or before it
    fs::write(&path, bytes).unwrap();
    let config = StreamConfig { trust_data: true, ..plain(20) };
    assert!(EvalPass::open(folder.path(), config).unwrap().flatten().count() >= 3);
    assert!(EvalPass::open(folder.path(), plain(20)).unwrap().any(|batch| batch.is_err()));
}

/// A shard is looked at once, and again when it was written to.
#[test]
fn a_shard_that_changes_after_it_was_checked_is_checked_again() {
    let folder = dataset(&["16:rgb8-square"]);
    let manifest = Manifest::read(folder.path()).unwrap();
    let shards: Vec<_> = manifest.shards().cloned().collect();
    let mut checksums = checksums::Checksums::new(2);
    let stop = AtomicBool::new(false);
    let mut check = || checksums.check(folder.path(), &shards, [2, 3, 2].into_iter(), &stop);
    check().unwrap();
    check().unwrap();
    let path = folder.path().join("shards/00002.parquet");
    let mut bytes = fs::read(&path).unwrap();
    bytes[40] ^= 4;
    fs::write(&path, bytes).unwrap();
    assert!(matches!(check(), Err(StreamError::Checksum { .. })));
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(matches!(
        checksums.check(folder.path(), &shards, [0].into_iter(), &stop),
        Err(StreamError::Ended)
    ));
}

/// Every fifth byte of a shard is flipped, one at a time: an error or other pixels, but no panic.
#[test]
fn a_flipped_byte_is_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let images = ["4:rgb8-square", "5:rgb8"];
    Numbered { images: &images, shards: &[6], kind: Kind::Pairs, tagged: true }
        .write(folder.path());
    let path = folder.path().join("shards/00000.parquet");
    let mut bytes = fs::read(&path).unwrap();
    let manifest = Manifest::read(folder.path()).unwrap();
    let mut errors = 0;
    // The lowest bit is the sign of Thrift's numbers.
    for (at, flip) in (0..bytes.len()).step_by(5).zip([0x5a, 0x01, 0xff].into_iter().cycle()) {
        bytes[at] ^= flip;
        fs::write(&path, &bytes).unwrap();
        bytes[at] ^= flip;
        errors +=
            usize::from(images.map(|image| fails(folder.path(), &manifest, image)).contains(&true));
    }
    // Pixels and tokens may change unnoticed here (`clipa-inspect verify` finds them); structure may not.
    assert!((bytes.len() / 20..bytes.len() / 5).contains(&errors), "{errors} of {}", bytes.len());
}

/// Does a window of 6 rows of `image` refuse to load or to paint?
fn fails(dataset: &Path, manifest: &Manifest, image: &str) -> bool {
    let image_column = Some(image.to_owned());
    let config = StreamConfig { image_column, text: TextReduction::Syntax, ..plain(6) };
    let columns = Columns::of_pairs(dataset, manifest, &config).unwrap();
    let (mut source, groups) = Source::open(dataset, manifest, columns).unwrap();
    let plan = Order::new(groups, Sequence::Stored, 1).windows(0).next().unwrap();
    let Ok(window) = source.load(&plan, &AtomicBool::new(false)) else { return true };
    let loaded = std::sync::Arc::new(cut::Loaded { plan, content: window });
    let permit = clipa_pool::Permits::new(1).take(1).unwrap();
    let job = Job { number: 0, first_sample: 0, parts: vec![(loaded, 0..6)], permit };
    Filler::new(&config, 8, source.columns(), &BufferPool::new(1)).fill(&job).is_err()
}
