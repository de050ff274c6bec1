//! A world in which a small model learns something within seconds: images of one colour, captions that name it.

use crate::dataset::write_shards;
use crate::program::{Finished, Program, train};
use clipa_schemas::manifest::{Kind, Manifest};
use clipa_schemas::prompts::{self, Prompt};
use clipa_schemas::random::Random;
use clipa_schemas::sample::{Sample, StoredImage};
use clipa_schemas::text::TokenizedText;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Its recipe, `recipe.toml` in its folder.
const RECIPE: &str = include_str!("world.toml");
/// Rows of the pairs' shards, and of the classes'.
const PAIRS: &[u32] = &[70, 31];
const CLASSES: &[u32] = &[40];
/// Colours of the images, one a class.
const COLOURS: [[u8; 3]; 4] = [[220, 30, 30], [30, 200, 40], [40, 50, 220], [210, 200, 40]];
/// Side of the images in pixels.
const SIDE: u16 = 24;
/// How far a channel is from the class's colour at most.
const SHADE: i32 = 20;
/// Templates of prompts for each class.
const TEMPLATES: usize = 2;
/// A class that counts as held out.
const HELD_OUT: usize = 3;
/// An article, which says nothing.
const ARTICLE: u16 = 320;
/// Tag of an article.
const DETERMINER: u8 = 11;
/// Tag of a noun.
const NOUN: u8 = 20;

/// A folder with `recipe.toml`, `pairs` (101 of them) and `classes` (40 images of 4 classes).
pub struct World {
    folder: TempDir,
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// Makes it.
    pub fn new() -> Self {
        let world = Self { folder: crate::temporary() };
        fs::write(world.path("recipe.toml"), RECIPE).expect("the recipe can be written");
        world.write_pairs("pairs", 1);
        write_set(&world.path("classes"), Kind::Classes, CLASSES, 2);
        write_prompts(&world.path("classes"));
        world
    }

    /// A place in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes pairs; another seed draws other shades of the same colours.
    pub fn write_pairs(&self, name: &str, seed: u64) {
        write_set(&self.path(name), Kind::Pairs, PAIRS, seed);
    }

    /// `clipa-train WORDS`, in the world's folder, with one thread.
    pub fn command(&self, words: &str) -> Program {
        let program = train([]).args(words.split_whitespace()).within(self.folder.path());
        let takes_none = ["recipes", "export", "import"].iter().any(|word| words.starts_with(word));
        if takes_none { program } else { program.args(["--threads", "1"]) }
    }

    /// Runs a command that must succeed.
    pub fn succeeds(&self, words: &str) -> Finished {
        self.command(words).succeeds()
    }

    /// Runs a command that must fail with exit code 1.
    pub fn fails(&self, words: &str) -> Finished {
        self.command(words).exits_with(1)
    }

    /// Step, loss, learning rate, scale and gradient norm of every logged step: what must not depend on a kill.
    pub fn numbers(&self, run: &str) -> Vec<[f64; 5]> {
        let metrics = self.path(run).join("metrics.jsonl");
        let text = fs::read_to_string(metrics).expect("a run logs its steps");
        let number = |record: &Value, key: &str| record[key].as_f64().expect("a number");
        text.lines()
            .map(|line| {
                let record: Value = serde_json::from_str(line).expect("a line of JSON");
                ["step", "loss", "lr", "logit_scale", "grad_norm"].map(|key| number(&record, key))
            })
            .collect()
    }
}

/// Writes shards of the given rows; row r shows colour r % 4.
fn write_set(folder: &Path, kind: Kind, shards: &[u32], seed: u64) {
    let column = format!("{SIDE}:rgb8-square").parse().expect("an image column");
    let has_text = kind == Kind::Pairs;
    let tokens = if has_text { vec!["clip_bpe".to_owned()] } else { vec![] };
    let manifest = Manifest::begin("test", kind, BTreeMap::new(), vec![column], tokens, true);
    write_shards(folder, manifest, shards, |row| sample(row, has_text, seed));
}

fn sample(row: u32, has_text: bool, seed: u64) -> Sample {
    let class = row as usize % COLOURS.len();
    let mut random = Random::from_parts(&[seed, u64::from(row)]);
    let mut pixel = |channel: usize| {
        let shade = random.below(2 * SHADE as u64 + 1) as i32 - SHADE;
        (i32::from(COLOURS[class][channel]) + shade).clamp(0, 255) as u8
    };
    let bytes = (0..SIDE * SIDE).flat_map(|_| [pixel(0), pixel(1), pixel(2)]).collect();
    let text = caption(class, u64::from(row));
    Sample {
        key: row.to_string(),
        label: Some(class as u32),
        pos: if has_text { vec![NOUN; text.word_lengths.len()] } else { vec![] },
        tokens: if has_text { vec![text] } else { vec![] },
        images: vec![StoredImage { width: SIDE, height: SIDE, bytes }],
        ..Sample::default()
    }
}

/// The colour's word three times, so that a random reduction rarely loses it, and filler.
fn caption(class: usize, seed: u64) -> TokenizedText {
    let word = 500 + class as u16;
    let mut random = Random::new(seed);
    let tokens = vec![word, word, word, 900 + random.below(5) as u16, 910 + random.below(5) as u16];
    TokenizedText { word_tokens: tokens.clone(), word_lengths: vec![1; 5], tokens }
}

/// An article, then a caption of nouns, and their tags.
fn prompt(class: usize, seed: u64) -> (TokenizedText, Vec<u8>) {
    let TokenizedText { tokens, mut word_lengths, .. } = caption(class, seed);
    let tokens = [&[ARTICLE], tokens.as_slice()].concat();
    word_lengths.push(1);
    let tag = |&token: &u16| if token == ARTICLE { DETERMINER } else { NOUN };
    let pos = tokens.iter().map(tag).collect();
    (TokenizedText { word_tokens: tokens.clone(), tokens, word_lengths }, pos)
}

fn write_prompts(folder: &Path) {
    let prompts: Vec<Prompt> = (0..COLOURS.len() * TEMPLATES)
        .map(|place| {
            let class = place / TEMPLATES;
            let (text, pos) = prompt(class, place as u64);
            Prompt {
                class: class as u32,
                class_name: format!("colour {class}"),
                template: format!("template {}", place % TEMPLATES),
                prompt: format!("prompt {place}"),
                held_out: Some(class == HELD_OUT),
                pos,
                tokens: vec![text],
            }
        })
        .collect();
    prompts::write(folder, &["clip_bpe".to_owned()], &prompts).expect("prompts can be written");
}
