//! A small data set for tests: two units, every image encoding, rejects.

use std::{collections::BTreeMap, fs, path::Path};

use clipa_schemas::{
    file::{FileDigest, write_json},
    image_column::ImageColumn,
    ledger::{Ledger, Source, UnitEntry},
    manifest::{Kind, Manifest, REJECTS, SHARDS, entry_path},
    metadata::Metadata,
    penn::PennTag,
    prompts::{self, Prompt},
    rejects::{self, Reject},
    sample::{Sample, StoredImage},
    shard::{ShardLayout, ShardWriter},
    text::TokenizedText,
    vocabulary::{self, Piece, Vocabulary},
};

/// Rows of each unit.
pub(crate) const ROWS: u64 = 5;
/// Units.
pub(crate) const UNITS: u32 = 2;

pub(crate) fn layout() -> ShardLayout {
    let images = ["8:rgb8-square", "12:rgb8", "16:jpeg"].map(|image| image.parse().unwrap());
    ShardLayout { images: images.to_vec(), tokens: vec!["clip_bpe".to_owned()] }
}

/// `a small red circle floats` with its ids and tags.
fn caption() -> (TokenizedText, Vec<u8>) {
    // The last word has two pieces.
    let ids = vec![320, 2442, 736, 7117, 1125, 539];
    let text =
        TokenizedText { tokens: ids.clone(), word_tokens: ids, word_lengths: vec![1, 1, 1, 1, 2] };
    let tags = ["DT", "JJ", "JJ", "NN", "VBZ"].map(|tag| PennTag::from_name(tag).unwrap().byte());
    (text, tags.to_vec())
}

pub(crate) fn jpeg(width: usize, height: usize, shade: u8) -> Vec<u8> {
    let pixels = vec![shade; width * height * 3];
    let format = turbojpeg::PixelFormat::RGB;
    let image = turbojpeg::Image { pixels: &*pixels, width, pitch: width * 3, height, format };
    turbojpeg::compress(image, 90, turbojpeg::Subsamp::Sub2x2).unwrap().to_vec()
}

pub(crate) fn sample(index: u64) -> Sample {
    let shade = index as u8 * 20;
    let image = |width: u16, height: u16| StoredImage {
        width,
        height,
        bytes: vec![shade; usize::from(width) * usize::from(height) * 3],
    };
    let (tokens, pos) = caption();
    let jpeg = StoredImage { width: 16, height: 20, bytes: jpeg(16, 20, shade) };
    Sample {
        key: format!("{index:09}"),
        caption: "A small\u{1b}[2J RED circle floats.".to_owned(),
        source_offset: 512 * index,
        metadata: Metadata {
            url: (index.is_multiple_of(2)).then(|| format!("https://example.org/{index}")),
            original_width: Some(64),
            ..Metadata::default()
        },
        tokens: vec![tokens],
        pos,
        images: vec![image(8, 8), image(12 + index as u16, 12), jpeg],
        ..Sample::default()
    }
}

/// Writes the data set; `change` may spoil samples before they are stored.
pub(crate) fn write_changed(folder: &Path, kind: Kind, mut change: impl FnMut(u64, &mut Sample)) {
    fs::create_dir_all(folder.join(SHARDS)).unwrap();
    fs::create_dir_all(folder.join(REJECTS)).unwrap();
    let layout = layout();
    let configuration = BTreeMap::from([("tagger".to_owned(), "perceptron".to_owned())]);
    let images: Vec<ImageColumn> = layout.images.clone();
    let tokens = layout.tokens.clone();
    let mut manifest =
        Manifest::begin("clipa-prep 0.1.0", kind, configuration, images, tokens, true);
    let entries: Vec<UnitEntry> = (0..UNITS)
        .map(|unit| write_unit(folder, unit, &manifest.configuration_sha256, &layout, &mut change))
        .collect();
    manifest.vocabulary = Some(write_vocabulary(folder));
    if kind == Kind::Classes {
        manifest.prompts = Some(write_prompts(folder, &layout.tokens));
    }
    manifest.finish(&entries, true);
    manifest.write(folder).unwrap();
}

/// Writes the data set as it should be.
pub(crate) fn write(folder: &Path) {
    write_changed(folder, Kind::Pairs, |_, _| ());
}

fn write_unit(
    folder: &Path,
    unit: u32,
    configuration_sha256: &str,
    layout: &ShardLayout,
    change: &mut impl FnMut(u64, &mut Sample),
) -> UnitEntry {
    let name = format!("{SHARDS}/{unit:05}.parquet");
    let mut writer = ShardWriter::create(&folder.join(&name), layout).unwrap();
    let mut ledger = Ledger::default();
    for index in u64::from(unit) * ROWS..u64::from(unit + 1) * ROWS {
        let mut sample = sample(index);
        change(index, &mut sample);
        writer.append(&sample).unwrap();
        ledger.accept((index == 3).then_some("grey"));
    }
    let shard = writer.finish(name).unwrap();
    let rejected: Vec<Reject> = ["truncated", "too-small", "truncated"]
        .iter()
        .enumerate()
        .map(|(number, reason)| Reject {
            source: format!("{unit:05}.tar"),
            offset: Some(1_024),
            key: format!("rejected-{unit}-{number}"),
            reason: (*reason).to_owned(),
            detail: "the JPEG ends early".to_owned(),
            ..Reject::default()
        })
        .collect();
    rejected.iter().for_each(|reject| ledger.reject(&reject.reason));
    let name = format!("{REJECTS}/{unit:05}.parquet");
    let rejects = rejects::write(&folder.join(&name), &name, &rejected).unwrap();
    let entry = UnitEntry {
        unit,
        source: Source { path: format!("{unit:05}.tar"), bytes: 10_240 },
        configuration_sha256: configuration_sha256.to_owned(),
        shard: Some(shard),
        rejects: Some(rejects),
        ledger,
        problems: Vec::new(),
    };
    write_json(&entry_path(folder, unit), &entry).unwrap();
    entry
}

/// Every id a word of its own, with the tag that it has in the caption.
fn write_vocabulary(folder: &Path) -> FileDigest {
    let (text, pos) = caption();
    let tag = |id: u16| {
        let word = text.tokens.iter().position(|&token| token == id);
        let tag = word.and_then(|word| pos.get(word)).copied();
        tag.map_or(PennTag::UNKNOWN, PennTag::from_byte)
    };
    let piece = |id| Piece { tag: tag(id), starts_word: true, ends_word: true };
    let column = "clip_bpe".to_owned();
    let pieces = (0..8_000).map(piece).collect();
    vocabulary::write(folder, &[Vocabulary { column, pieces }]).unwrap()
}

fn write_prompts(folder: &Path, tokens: &[String]) -> FileDigest {
    let (text, pos) = caption();
    let prompt = Prompt {
        class_name: "red circle".to_owned(),
        prompt: "a red circle".to_owned(),
        tokens: vec![text],
        pos,
        ..Prompt::default()
    };
    prompts::write(folder, tokens, &[prompt]).unwrap()
}
