//! Round trip, zero copy and damage of shards.

use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::{
    error::Error,
    image_column::ImageColumn,
    ledger::ShardDigest,
    metadata::Metadata,
    random::Random,
    sample::*,
    text::{EncodedText, TokenizedText},
};

fn layout() -> ShardLayout {
    ShardLayout {
        images: vec!["8:rgb8-square".parse().unwrap(), "12:rgb8".parse().unwrap()],
        tokens: vec!["clip_bpe".to_owned()],
    }
}

/// A sample whose every field is a function of `seed`, nulls and empty lists included.
fn sample(seed: u64) -> Sample {
    let mut random = Random::new(seed);
    let lengths: Vec<u16> = (0..random.below(5)).map(|_| random.below(3) as u16).collect();
    let pieces: usize = lengths.iter().map(|&n| usize::from(n)).sum();
    let (width, height) = (12 + random.below(9) as u16, 12u16);
    let mut bytes = |count: usize| (0..count).map(|_| random.next_u64() as u8).collect::<Vec<u8>>();
    let images = vec![
        StoredImage { width: 8, height: 8, bytes: bytes(8 * 8 * 3) },
        StoredImage { width, height, bytes: bytes(usize::from(width) * 12 * 3) },
    ];
    let metadata = Metadata {
        url: (seed.is_multiple_of(3)).then(|| format!("https://example.org/{seed}")),
        original_width: (seed.is_multiple_of(2)).then_some(seed as u32),
        sha256: (seed % 2 == 1).then_some([seed as u8; 32]),
        similarity: (seed.is_multiple_of(5)).then_some(0.25),
        ..Metadata::default()
    };
    let first = TokenizedText {
        tokens: (0..pieces as u16).collect(),
        word_tokens: (0..pieces as u16).rev().collect(),
        word_lengths: lengths.clone(),
    };
    let pos: Vec<u8> = lengths.iter().map(|&length| length as u8 + 1).collect();
    let caption = format!("caption \u{1F600} {seed}");
    // Every third row has two to four captions, the second of them without a word.
    let more = if seed % 3 == 1 { 1 + seed % 3 + seed % 2 } else { 0 };
    let several = |value: &dyn Fn(u64) -> String| {
        (more > 0).then(|| (0..=more).map(value).collect::<Vec<_>>())
    };
    let other = |n: u64| EncodedText {
        tokens: vec![TokenizedText {
            tokens: vec![n as u16, seed as u16],
            word_tokens: vec![n as u16; n as usize - 1],
            word_lengths: vec![1; n as usize - 1],
        }],
        pos: vec![7; n as usize - 1],
    };
    let encoded = EncodedText { tokens: vec![first.clone()], pos: pos.clone() };
    let captions_text = match more {
        0 => vec![],
        _ => std::iter::once(encoded).chain((1..=more).map(other)).collect(),
    };
    Sample {
        key: format!("{seed:09}"),
        captions: several(&|n| if n == 0 { caption.clone() } else { format!("{n} {seed}") }),
        caption_sources: several(&|n| ["txt", "json:alt", ""][n as usize % 3].to_owned()),
        captions_text,
        caption,
        source_offset: seed * 512,
        image_hash: [seed as u8; 32],
        label: (seed.is_multiple_of(4)).then_some(seed as u32),
        tokens: vec![first],
        pos,
        images,
        metadata,
    }
}

fn write(path: &Path, samples: &[Sample]) -> ShardDigest {
    let mut writer = ShardWriter::create(path, &layout()).unwrap();
    samples.iter().for_each(|sample| writer.append(sample).unwrap());
    writer.finish("shards/00000.parquet").unwrap()
}

/// Images, word tokens and tags of one row.
type Row = (Vec<Vec<u8>>, Vec<u16>, Vec<u8>);

/// Everything of the shard that a trainer or inspector reads; an error where any of it cannot be read.
fn read_all(path: &Path) -> crate::Result<Vec<Row>> {
    let reader = ShardReader::open(path)?;
    let mut rows = Vec::new();
    for group in 0..reader.row_groups() {
        let texts = reader.texts_of(group, "clip_bpe")?;
        let blocks = reader
            .images()
            .iter()
            .map(|&column| reader.images_of(group, column))
            .collect::<crate::Result<Vec<_>>>()?;
        reader.columns(group, &["key", "caption", "sha256", "image_hash"])?;
        for row in 0..reader.row_group_rows(group) {
            let images = blocks.iter().map(|block| block.get(row).bytes.to_vec()).collect();
            let text = texts.get(row);
            rows.push((images, text.word_tokens.to_vec(), text.pos.to_vec()));
        }
    }
    Ok(rows)
}

#[test]
fn images_are_borrowed_from_the_mapping() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let samples: Vec<Sample> = (0..50).map(sample).collect();
    write(&path, &samples);
    let reader = ShardReader::open(&path).unwrap();
    let mapping = reader.bytes().as_ptr_range();
    for &column in reader.images() {
        let block = reader.images_of(0, column).unwrap();
        for row in 0..block.rows() {
            let bytes = block.get(row).bytes.as_ptr_range();
            assert!(mapping.start <= bytes.start && bytes.end <= mapping.end, "{column} {row}");
        }
    }
    let block = reader.images_of(0, reader.images()[0]).unwrap();
    let first = block.get(0).bytes.as_ptr();
    assert_eq!(
        block.get(7).bytes.as_ptr(),
        first.wrapping_add(7 * 8 * 8 * 3),
        "rows are contiguous"
    );
    assert_eq!(block.as_buffer().unwrap().as_ptr(), first);
}

#[test]
fn same_samples_same_bytes_and_row_groups_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let samples: Vec<Sample> = (0..layout::ROW_GROUP_ROWS as u64 + 3).map(sample).collect();
    let first = write(&folder.path().join("a.parquet"), &samples);
    let second = write(&folder.path().join("b.parquet"), &samples);
    assert_eq!(first, second);
    assert_eq!(first.row_groups, [layout::ROW_GROUP_ROWS as u32, 3]);
    assert_eq!(first.rows, samples.len() as u64);
}

#[test]
fn a_sample_that_does_not_fit_is_refused_and_leaves_the_shard_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let mut writer = ShardWriter::create(&path, &layout()).unwrap();
    let mut wrong = sample(1);
    wrong.images[0].bytes.pop();
    assert!(matches!(writer.append(&wrong), Err(Error::Row { .. })));
    writer.append(&sample(2)).unwrap();
    assert_eq!(writer.finish("a").unwrap().rows, 1);
    assert_eq!(read_all(&path).unwrap().len(), 1);
}

#[test]
fn every_caption_is_a_slice_of_its_rows_lists() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let samples: Vec<Sample> = (0..20).map(sample).collect();
    write(&path, &samples);
    let block = ShardReader::open(&path).unwrap().captions_of(0, "clip_bpe").unwrap();
    assert_eq!(block.rows(), samples.len());
    let mut several = 0;
    for (row, sample) in samples.iter().enumerate() {
        let captions = block.captions(row);
        let stored = sample.captions.as_ref().map_or(1, Vec::len);
        assert_eq!((captions.len(), captions.iter().count()), (stored, stored));
        assert_eq!(captions.get(0), block.first().get(row));
        for (place, text) in sample.captions_text.iter().enumerate() {
            assert_eq!(captions.get(place), text.tokens[0].stored(&text.pos));
            let source = ["txt", "json:alt", ""][place % 3];
            assert_eq!(captions.source(place), Some(source).filter(|source| !source.is_empty()));
            several += 1;
        }
        if stored == 1 {
            assert_eq!(captions.source(0), None);
        }
    }
    assert!(several > 10, "{several}");
}

#[test]
fn captions_that_contradict_each_other_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = ShardWriter::create(&folder.path().join("a.parquet"), &layout()).unwrap();
    let mut refused = |change: &dyn Fn(&mut Sample), part: &str| {
        let mut wrong = sample(1);
        change(&mut wrong);
        let error = writer.append(&wrong).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    refused(&|sample| sample.captions = None, "it has not");
    refused(&|sample| sample.captions.as_mut().unwrap()[0].push('x'), "not the first");
    refused(&|sample| sample.captions.as_mut().unwrap().push("x".into()), "as many captions");
    refused(&|sample| sample.caption_sources = None, "as many captions");
    refused(&|sample| sample.captions_text[1].tokens.clear(), "0 token columns");
    let many = |sample: &mut Sample| sample.captions = Some(vec![sample.caption.clone(); 65]);
    refused(&many, "65 captions, not 2 to 64");
}

#[test]
fn an_empty_shard_is_a_shard() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    write(&path, &[]);
    assert!(read_all(&path).unwrap().is_empty());
}

#[test]
fn missing_columns_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    write(&path, &[sample(1)]);
    let reader = ShardReader::open(&path).unwrap();
    let column: ImageColumn = "64:rgb8-square".parse().unwrap();
    let error = reader.images_of(0, column).err().unwrap().to_string();
    assert!(error.contains("no column `image_64`") && error.contains("image_12"), "{error}");
    let error = reader.populate(0, &["pos", "image_64"]).unwrap_err().to_string();
    assert!(error.contains("no column `image_64`"), "{error}");
}

#[test]
fn the_range_of_a_column_has_all_its_parts_and_no_other_column() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    write(&path, &[sample(1), sample(2)]);
    let reader = ShardReader::open(&path).unwrap();
    let names: Vec<String> =
        reader.schema().fields().iter().map(|field| field.name().clone()).collect();
    let ranges: Vec<_> = names.iter().map(|name| reader.chunk_range(0, name).unwrap()).collect();
    assert!(ranges.iter().all(|range| range.start < range.end));
    assert!(ranges.is_sorted_by(|a, b| a.end <= b.start), "{ranges:?}");
    reader.populate(0, &names).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn rows_come_back_as_the_samples_that_were_written(seeds in prop::collection::vec(any::<u32>(), 1..40)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.parquet");
        let samples: Vec<Sample> = seeds.iter().map(|&seed| sample(seed.into())).collect();
        let digest = write(&path, &samples);
        let reader = ShardReader::open(&path).unwrap();
        prop_assert_eq!(reader.layout(), layout());
        let block = reader.rows_of(0).unwrap();
        let rows: Vec<Sample> = (0..block.rows()).map(|row| block.sample(row)).collect();
        prop_assert_eq!(&rows, &samples);
        let again = write(&folder.path().join("b.parquet"), &rows);
        prop_assert_eq!(again.file, digest.file);
    }

    #[test]
    fn what_is_written_is_read(seeds in prop::collection::vec(any::<u32>(), 0..40)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.parquet");
        let samples: Vec<Sample> = seeds.iter().map(|&seed| sample(seed.into())).collect();
        write(&path, &samples);
        let rows = read_all(&path).unwrap();
        prop_assert_eq!(rows.len(), samples.len());
        for (row, sample) in rows.iter().zip(&samples) {
            let images: Vec<Vec<u8>> = sample.images.iter().map(|image| image.bytes.clone()).collect();
            prop_assert_eq!(&row.0, &images);
            prop_assert_eq!(&row.1, &sample.tokens[0].word_tokens);
            prop_assert_eq!(&row.2, &sample.pos);
        }
    }

    /// One flipped bit anywhere: the checksum finds it, and reading is an error or returns rows, never a panic.
    #[test]
    fn a_flipped_bit_is_found(position: prop::sample::Index, bit in 0u8..8) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("shards")).unwrap();
        let path = folder.path().join("shards/00000.parquet");
        let digest = write(&path, &(0..5).map(sample).collect::<Vec<_>>());
        let mut bytes = std::fs::read(&path).unwrap();
        let at = position.index(bytes.len());
        bytes[at] ^= 1 << bit;
        std::fs::write(&path, &bytes).unwrap();
        let verdict = digest.file.verify(folder.path());
        prop_assert!(matches!(verdict, Err(Error::Corrupt { .. })), "{:?}", verdict);
        let _ = read_all(&path);
    }

    #[test]
    fn a_cut_file_is_an_error(keep in 0.0f64..0.999) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.parquet");
        write(&path, &(0..5).map(sample).collect::<Vec<_>>());
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..(bytes.len() as f64 * keep) as usize]).unwrap();
        prop_assert!(read_all(&path).is_err());
    }
}
