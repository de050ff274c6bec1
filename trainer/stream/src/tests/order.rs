//! What comes when.

use super::*;

#[test]
fn an_epoch_has_every_row_once_with_its_own_caption() {
    let folder = dataset(&["16:rgb8-square"]);
    let mut stream = Stream::open(folder.path(), plain(ROWS as usize), Cursor::default()).unwrap();
    assert_eq!(stream.samples_per_epoch(), ROWS);
    let mut epochs = Vec::new();
    for epoch in 0..3 {
        let batch = stream.next().unwrap();
        assert_eq!((batch.first_sample, batch.len), (epoch * ROWS, ROWS as usize));
        let images = batch.images.chunks(16 * 16 * 3);
        let rows: Vec<u32> = images.map(row_in_pixels).collect();
        let named: Vec<u32> = batch.tokens.chunks(8).map(row_in_tokens).collect();
        assert_eq!(rows, named);
        let mut sorted = rows.clone();
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..ROWS as u32));
        epochs.push(rows);
    }
    assert_ne!(epochs[0], epochs[1]);
    assert_ne!(epochs[1], epochs[2]);
}

#[test]
fn workers_and_queue_change_no_byte() {
    let folder = dataset(&["16:rgb8-square", "26:rgb8"]);
    for config in [plain(13), random(13)] {
        let one = bytes(folder.path(), config.clone(), 0, 20);
        for (workers, queue) in [(2, 1), (5, 7)] {
            let config = StreamConfig { workers, queue, ..config.clone() };
            assert!(bytes(folder.path(), config, 0, 20) == one, "{workers} workers");
        }
    }
}

/// Batches of 13 in parts of 5, 5 and 3: the same samples, with less of them in memory.
#[test]
fn parts_of_batches_have_their_samples() {
    let folder = dataset(&["16:rgb8-square", "26:rgb8"]);
    let whole = bytes(folder.path(), random(13), 26, 8);
    let config = StreamConfig { part: Some(5), workers: 2, ..random(13) };
    assert!(bytes(folder.path(), config.clone(), 26, 24) == whole);
    let mut stream = Stream::open(folder.path(), config, Cursor { sample: 26 }).unwrap();
    let parts: Vec<(u64, usize)> =
        (0..5).map(|_| stream.next().map(|part| (part.first_sample, part.len)).unwrap()).collect();
    assert_eq!(parts, [(26, 5), (31, 5), (36, 3), (39, 5), (44, 5)]);
    let larger = StreamConfig { part: Some(50), ..random(13) };
    assert!(bytes(folder.path(), larger, 26, 8) == whole);
}

#[test]
fn a_stream_continues_where_it_stopped() {
    let folder = dataset(&["16:rgb8-square", "26:rgb8"]);
    let config = || StreamConfig { workers: 2, ..random(10) };
    let (images, tokens) = bytes(folder.path(), config(), 0, 35);
    for start in [0, 1, 10, 40, 41, 100, 101, 102, 202, 250] {
        let (later_images, later_tokens) = bytes(folder.path(), config(), start, 10);
        let start = start as usize;
        assert!(later_images == images[start * 768..][..100 * 768], "sample {start}");
        assert_eq!(later_tokens, tokens[start * 8..][..100 * 8], "sample {start}");
    }
}

#[test]
fn seeds_give_other_orders_and_epochs_other_crops() {
    let folder = dataset(&["26:rgb8"]);
    let rows = |seed| bytes(folder.path(), StreamConfig { seed, ..plain(101) }, 0, 1).1;
    assert_ne!(rows(1), rows(2));
    // One row only: whatever differs between its samples is augmentation.
    let single = tempfile::tempdir().unwrap();
    Numbered { images: &["26:rgb8"], shards: &[1], kind: Kind::Pairs, tagged: true }
        .write(single.path());
    let (images, tokens) = bytes(single.path(), random(6), 0, 1);
    let images: std::collections::HashSet<&[u8]> = images.chunks(768).collect();
    assert_eq!(images.len(), 6);
    assert_eq!(tokens.len(), 6 * 8);
}

#[test]
fn a_data_set_smaller_than_a_batch_repeats_within_it() {
    let folder = tempfile::tempdir().unwrap();
    Numbered { images: &["16:rgb8-square"], shards: &[3, 2], kind: Kind::Pairs, tagged: true }
        .write(folder.path());
    let (images, _) = bytes(folder.path(), StreamConfig { workers: 2, ..plain(32) }, 0, 5);
    for epoch in images.chunks_exact(5 * 768) {
        let mut rows: Vec<u32> = epoch.chunks(768).map(row_in_pixels).collect();
        rows.sort_unstable();
        assert_eq!(rows, [0, 1, 2, 3, 4]);
    }
}

#[test]
fn an_evaluation_sees_every_row_in_the_stored_order() {
    let folder = tempfile::tempdir().unwrap();
    Numbered { images: &["16:rgb8-square"], shards: &SHARDS, kind: Kind::Classes, tagged: false }
        .write(folder.path());
    for workers in [1, 3] {
        let pass = EvalPass::open(folder.path(), StreamConfig { workers, ..random(30) }).unwrap();
        assert_eq!(pass.samples(), ROWS);
        let (mut rows, mut labels, mut lens) = (Vec::new(), Vec::new(), Vec::new());
        for batch in pass {
            let batch = batch.unwrap();
            assert!(batch.tokens.is_empty() && batch.context_length == 0);
            rows.extend(batch.images.chunks(768).map(row_in_pixels));
            labels.extend_from_slice(batch.labels.as_ref().unwrap());
            lens.push(batch.len);
        }
        assert_eq!(lens, [30, 30, 30, 11]);
        assert!(rows.iter().copied().eq(0..ROWS as u32));
        assert!(labels.iter().zip(&rows).all(|(label, row)| *label == row % 10));
    }
}

#[test]
fn an_evaluation_of_pairs_has_their_captions() {
    let folder = dataset(&["16:rgb8-square"]);
    let batch = EvalPass::open(folder.path(), random(200)).unwrap().next().unwrap().unwrap();
    assert_eq!((batch.len, batch.labels.is_none(), batch.tokens.len()), (101, true, 808));
}

/// The names of samples are those of the rows that their images show, across windows, shards and epochs.
#[test]
fn samples_are_named_by_their_rows() {
    let folder = dataset(&["16:rgb8-square"]);
    let config = plain(13);
    let (images, _) = bytes(folder.path(), config.clone(), 26, 8);
    let shown: Vec<u32> = images.chunks(16 * 16 * 3).map(row_in_pixels).collect();
    let names = sample_names(folder.path(), &config, 26, shown.len()).unwrap();
    for ((name, row), sample) in names.iter().zip(&shown).zip(26..) {
        assert_eq!((name.sample, &name.key), (sample, &row.to_string()));
        let before: u32 = SHARDS.iter().take(shard_number(&name.shard)).sum();
        assert_eq!(name.row + u64::from(before), u64::from(*row), "{name:?}");
    }
    assert_eq!(names.len(), shown.len());
    assert!(sample_names(folder.path(), &config, 0, MAX_BATCH + 1).is_err());
}

/// The number in `shards/00003.parquet`.
fn shard_number(file: &str) -> usize {
    file.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap()
}
