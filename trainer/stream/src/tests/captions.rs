//! Which of several captions a sample shows.

use std::collections::{BTreeMap, HashMap};

use clipa_recipe::Captions;
use clipa_schemas::{
    reduction::text::{Specials, reduce},
    sample::Sample,
    text::{EncodedText, TokenizedText},
};
use clipa_tests::{captioned_sample, write_shards};

use super::*;

/// Where the captions of a row come from, in their order.
const SOURCES: [&str; 4] = ["txt", "json:alt", "json:alt", "json:syn"];

/// Row `r` has this many captions.
fn captions(row: u32) -> usize {
    1 + row as usize % 4
}

/// Tokens of a caption: row, caption, then some words.
fn encoded(row: u32, caption: usize) -> EncodedText {
    let rest = (0..20).map(|word| 4000 + 100 * caption as u16 + word);
    let tokens: Vec<u16> =
        [1000 + row as u16, 2000 + caption as u16].into_iter().chain(rest).collect();
    let text =
        TokenizedText { word_lengths: vec![1; tokens.len()], word_tokens: tokens.clone(), tokens };
    let pos = (0..text.tokens.len()).map(|word| [20, 15, 9][word % 3]).collect();
    EncodedText { tokens: vec![text], pos }
}

fn sample(row: u32) -> Sample {
    let all = (0..captions(row)).map(|caption| encoded(row, caption)).collect();
    captioned_sample(row, all, |caption| SOURCES[caption], "16:rgb8-square".parse().unwrap())
}

fn captioned() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let images = vec!["16:rgb8-square".parse().unwrap()];
    let tokens = vec!["clip_bpe".to_owned()];
    let manifest = Manifest::begin("test", Kind::Pairs, BTreeMap::new(), images, tokens, true);
    write_shards(folder.path(), manifest, &SHARDS, sample);
    folder
}

fn config(captions: Captions) -> StreamConfig {
    StreamConfig { captions, ..plain(25) }
}

fn weights(weights: &[(&str, f64)]) -> Captions {
    Captions::BySource(
        weights.iter().map(|(source, weight)| ((*source).to_owned(), *weight)).collect(),
    )
}

/// (row, caption) of every sample of so many epochs, and how many had none of the sources.
fn seen(dataset: &Path, config: StreamConfig, epochs: u64) -> (Vec<(u32, usize)>, usize) {
    let config = StreamConfig { batch: ROWS as usize, ..config };
    let mut stream = Stream::open(dataset, config, Cursor::default()).unwrap();
    let (mut seen, mut fallbacks) = (Vec::new(), 0);
    for _ in 0..epochs {
        let batch = stream.next().unwrap();
        fallbacks += batch.without_source;
        seen.extend(
            batch.tokens.chunks(8).map(|row| ((row[1] - 1000) as u32, (row[2] - 2000) as usize)),
        );
    }
    (seen, fallbacks)
}

/// How often each caption of rows with four captions was seen, as shares.
fn shares(seen: &[(u32, usize)]) -> [f64; 4] {
    let mut counts = [0.0; 4];
    let of_four: Vec<usize> =
        seen.iter().filter(|(row, _)| captions(*row) == 4).map(|(_, caption)| *caption).collect();
    of_four.iter().for_each(|&caption| counts[caption] += 1.0);
    counts.map(|count| count / of_four.len() as f64)
}

#[test]
fn the_first_caption_is_what_a_stage_reads_that_says_nothing() {
    let folder = captioned();
    let (seen, fallbacks) = seen(folder.path(), plain(1), 2);
    assert!(seen.iter().all(|&(_, caption)| caption == 0) && fallbacks == 0);
    let manifest = Manifest::read(folder.path()).unwrap();
    let names =
        |captions| Columns::of_pairs(folder.path(), &manifest, &config(captions)).unwrap().names();
    assert_eq!(names(Captions::First), ["image_16", "clip_bpe", "pos"]);
    assert!(names(Captions::Random).contains(&"captions_clip_bpe".to_owned()));
}

#[test]
fn random_captions_are_all_seen_equally_often() {
    let folder = captioned();
    let (seen, fallbacks) = seen(folder.path(), config(Captions::Random), 80);
    assert!(seen.iter().all(|&(row, caption)| caption < captions(row)));
    // 2,000 draws of each: four standard deviations are 4 %
    assert!(shares(&seen).iter().all(|share| (share - 0.25).abs() < 0.04), "{:?}", shares(&seen));
    assert_eq!(fallbacks, 0);
}

#[test]
fn weights_divide_the_draws_between_the_sources_that_an_image_has() {
    let folder = captioned();
    let of = |captions| seen(folder.path(), config(captions), 80);
    // weights need no sum of 1; two captions of one source share its weight
    let (drawn, fallbacks) = of(weights(&[("txt", 6.0), ("json:alt", 3.0), ("json:syn", 1.0)]));
    for (share, expected) in shares(&drawn).into_iter().zip([0.6, 0.15, 0.15, 0.1]) {
        assert!((share - expected).abs() < 0.045, "{:?}", shares(&drawn));
    }
    assert_eq!(fallbacks, 0);
    // of two captions, txt and json:alt, the third source is not missed
    let two: Vec<usize> =
        drawn.iter().filter(|(row, _)| captions(*row) == 2).map(|(_, caption)| *caption).collect();
    let share = two.iter().filter(|&&caption| caption == 0).count() as f64 / two.len() as f64;
    assert!((share - 2.0 / 3.0).abs() < 0.045, "{share}");
    let (drawn, fallbacks) = of(weights(&[("txt", 0.0), ("json:alt", 1.0)]));
    assert!(drawn.iter().all(|&(row, caption)| captions(row) == 1 || [1, 2].contains(&caption)));
    assert_eq!(fallbacks, 0);
}

#[test]
fn an_image_without_the_named_sources_shows_its_first_caption_and_is_counted() {
    let folder = captioned();
    let (drawn, fallbacks) = seen(folder.path(), config(weights(&[("json:syn", 1.0)])), 3);
    for (row, caption) in &drawn {
        assert_eq!(*caption, if captions(*row) == 4 { 3 } else { 0 });
    }
    let several = drawn.iter().filter(|(row, _)| [2, 3].contains(&captions(*row))).count();
    assert_eq!(fallbacks, several);
}

#[test]
fn the_choice_is_a_function_of_seed_epoch_and_row() {
    let folder = captioned();
    let choice = |seed, window_rows, workers| {
        let config = StreamConfig { seed, window_rows, workers, ..config(Captions::Random) };
        let (seen, _) = seen(folder.path(), config, 4);
        let epochs = (0..).flat_map(|epoch| std::iter::repeat_n(epoch, ROWS as usize));
        epochs
            .zip(seen)
            .map(|(epoch, (row, caption))| ((epoch, row), caption))
            .collect::<HashMap<(u64, u32), usize>>()
    };
    let chosen = choice(3, 40, 1);
    assert_eq!(chosen.len() as u64, 4 * ROWS);
    // another order within the epoch, more threads: the same captions
    assert_eq!(choice(3, 1, 1), chosen);
    assert_eq!(choice(3, 1000, 4), chosen);
    assert_ne!(choice(4, 40, 1), chosen);
    let of_epoch = |epoch| (0..ROWS as u32).map(|row| chosen[&(epoch, row)]).collect::<Vec<_>>();
    assert_ne!(of_epoch(0), of_epoch(1));
}

#[test]
fn captions_continue_where_the_stream_stopped() {
    let folder = captioned();
    for captions in [Captions::Random, weights(&[("txt", 1.0), ("json:alt", 2.0)])] {
        let config = || StreamConfig { workers: 3, batch: 10, ..config(captions.clone()) };
        let (_, tokens) = bytes(folder.path(), config(), 0, 35);
        for start in [1, 40, 100, 101, 202, 250] {
            let (_, later) = bytes(folder.path(), config(), start, 10);
            assert_eq!(later, tokens[start as usize * 8..][..100 * 8], "sample {start}");
        }
    }
}

#[test]
fn every_reduction_works_with_each_caption() {
    let folder = captioned();
    for text in [TextReduction::Truncate, TextReduction::Syntax, TextReduction::SyntaxPieces] {
        let config = StreamConfig { text, batch: ROWS as usize, ..config(Captions::Random) };
        let mut stream = Stream::open(folder.path(), config, Cursor::default()).unwrap();
        let batch = stream.next().unwrap();
        let mut others = 0;
        for (image, seen) in batch.images.chunks(768).zip(batch.tokens.chunks(8)) {
            let row = row_in_pixels(image);
            let place = (0..captions(row)).find(|&caption| {
                let encoded = encoded(row, caption);
                let mut expected = [0; 8];
                let stored = encoded.tokens[0].stored(&encoded.pos);
                reduce(text, stored, Specials::CLIP_BPE, 0, &mut expected).unwrap();
                seen.iter().zip(expected).all(|(seen, token)| *seen == i64::from(token))
            });
            others += usize::from(place.unwrap_or_else(|| panic!("row {row}: {seen:?}")) > 0);
        }
        assert!(others > 20, "{others}");
    }
}

/// Every seventh byte of a shard is flipped, one at a time: an error or another choice, but no panic.
#[test]
fn a_flipped_byte_in_captions_is_never_a_panic() {
    let folder = captioned();
    let path = folder.path().join("shards/00001.parquet");
    let whole = std::fs::read(&path).unwrap();
    let manifest = Manifest::read(folder.path()).unwrap();
    let columns = Columns::of_pairs(folder.path(), &manifest, &config(Captions::Random)).unwrap();
    let choice = crate::choice::Choice::new(&Captions::Random, 1);
    for at in (0..whole.len()).step_by(7) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x41;
        std::fs::write(&path, &bytes).unwrap();
        let Ok((mut source, groups)) = Source::open(folder.path(), &manifest, columns.clone())
        else {
            continue;
        };
        let order = Order::new(groups, Sequence::Stored, 1);
        let plan = order.windows(20).next().unwrap();
        if let Ok(window) = source.load(&plan, &std::sync::atomic::AtomicBool::new(false)) {
            for row in 0..7 {
                let _ = window.row(row).text(&choice, 0).map(|chosen| chosen.text.tokens.len());
            }
        }
    }
}

#[test]
fn an_evaluation_can_read_every_caption_and_every_key_in_stored_order() {
    let folder = captioned();
    for workers in [1, 3] {
        let config = StreamConfig { workers, ..config(Captions::Random) };
        let pass = EvalPass::with_every_caption(folder.path(), config).unwrap();
        let mut keys = Keys::open(folder.path()).unwrap();
        let mut row = 0;
        for batch in pass {
            let batch = batch.unwrap();
            let mut tokens = batch.tokens.chunks(8);
            let counts = batch.captions.clone().unwrap();
            let names = keys.take(batch.len).unwrap();
            assert_eq!((counts.len(), names.len()), (batch.len, batch.len));
            for (count, key) in counts.into_iter().zip(names) {
                assert_eq!((count as usize, key), (captions(row), row.to_string()));
                for caption in 0..count {
                    let seen = tokens.next().unwrap();
                    let expected = (1000 + i64::from(row), 2000 + i64::from(caption));
                    assert_eq!((seen[1], seen[2]), expected, "row {row}");
                }
                row += 1;
            }
            assert!(tokens.next().is_none());
        }
        assert_eq!(u64::from(row), ROWS);
        assert!(keys.take(1).unwrap().is_empty());
    }
    let first = EvalPass::open(folder.path(), config(Captions::Random)).unwrap();
    let rows: usize = first.map(|batch| batch.unwrap().tokens.len() / 8).sum();
    assert_eq!(rows as u64, ROWS, "one caption of each");
}
