//! A small data set for tests: two units, every image encoding, rejects.

use std::{collections::BTreeMap, path::Path};

use clipa_schemas::{
    file::FileDigest,
    manifest::{Kind, Manifest},
    metadata::Metadata,
    penn::PennTag,
    prompts::{self, Prompt},
    rejects::Reject,
    sample::{Sample, StoredImage},
    shard::ShardLayout,
    text::TokenizedText,
    vocabulary::{self, Piece, Vocabulary},
};
use clipa_tests::DataSet;

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
    let ShardLayout { images, tokens } = layout();
    let configuration = BTreeMap::from([("tagger".to_owned(), "perceptron".to_owned())]);
    let manifest = Manifest::begin("clipa-prep 0.1.0", kind, configuration, images, tokens, true);
    let mut set = DataSet::begin(folder, manifest);
    for number in 0..UNITS {
        let mut unit = set.unit();
        for index in u64::from(number) * ROWS..u64::from(number + 1) * ROWS {
            let mut sample = sample(index);
            change(index, &mut sample);
            unit.accept(&sample, (index == 3).then_some("grey"));
        }
        rejects(number).for_each(|reject| unit.reject(reject));
        set.commit(unit);
    }
    set.manifest.vocabulary = Some(write_vocabulary(folder));
    if kind == Kind::Classes {
        set.manifest.prompts = Some(write_prompts(folder, &set.manifest.tokens));
    }
    set.finish();
}

/// Writes the data set as it should be.
pub(crate) fn write(folder: &Path) {
    write_changed(folder, Kind::Pairs, |_, _| ());
}

/// The rejects of a unit.
fn rejects(unit: u32) -> impl Iterator<Item = Reject> {
    let reasons = ["truncated", "too-small", "truncated"].into_iter().enumerate();
    reasons.map(move |(number, reason)| Reject {
        source: format!("{unit:05}.tar"),
        offset: Some(1_024),
        key: format!("rejected-{unit}-{number}"),
        reason: reason.to_owned(),
        detail: "the JPEG ends early".to_owned(),
        ..Reject::default()
    })
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
