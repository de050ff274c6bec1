//! A world in which a small model learns something within seconds: images of one colour, captions that name it.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "a test's own kit")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use clipa_schemas::{
    manifest::Kind,
    prompts::{self, Prompt},
    random::Random,
    sample::{Sample, StoredImage},
    text::TokenizedText,
};

#[path = "../../../stream/src/tests/dataset.rs"]
#[allow(dead_code, reason = "the stream's tests draw other rows with it")]
mod dataset;

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_clipa-train");

/// Classes, and the colours of their images.
pub const COLOURS: [[u8; 3]; 4] = [[220, 30, 30], [30, 200, 40], [40, 50, 220], [210, 200, 40]];

const SIDE: u32 = 24;

/// A recipe of 20 steps; every kind of randomness is on.
pub const RECIPE: &str = r#"
name = "test"
about = "a test"
[model]
embed_dim = 16
[model.vision]
width = 32
layers = 1
heads = 2
mlp_width = 64
patch_size = 4
pool = "avg-all"
[model.text]
width = 16
layers = 1
heads = 2
mlp_width = 32
vocab_size = 49408
[[stage]]
name = "pretrain"
image_size = 16
image_reduction = { mask = "random", drop = 0.5 }
context_length = 6
text_reduction = "random"
samples = 640
batch = 32
lr = 1e-2
warmup_steps = 2
weight_decay = 0.1
beta1 = 0.9
beta2 = 0.95
eps = 1e-6
clip_grad_norm = 5.0
precision = "f32"
log_steps = 1
checkpoint_steps = 4
augment = { jitter = [0.1, 0.1, 0.1, 0.02], jitter_probability = 0.5, grey_probability = 0.0 }
[[stage]]
name = "finetune"
image_size = 24
context_length = 8
text_reduction = "truncate"
samples = 320
batch = 32
lr = 3e-3
warmup_steps = 2
weight_decay = 0.1
beta1 = 0.9
beta2 = 0.95
eps = 1e-6
precision = "f32"
log_steps = 1
checkpoint_steps = 4
"#;

/// A folder with a recipe, pairs and a classification set.
pub struct World {
    folder: tempfile::TempDir,
}

impl World {
    pub fn new() -> World {
        let world = World { folder: tempfile::tempdir().unwrap() };
        fs::write(world.path("recipe.toml"), RECIPE).unwrap();
        write_set(&world.path("pairs"), Kind::Pairs, &[70, 31], 1);
        write_set(&world.path("classes"), Kind::Classes, &[40], 2);
        write_prompts(&world.path("classes"));
        world
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `clipa-train WORDS`, in the world's folder, with one thread.
    pub fn command(&self, words: &str) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(words.split_whitespace()).current_dir(self.folder.path());
        if !words.starts_with("recipes") {
            command.args(["--threads", "1"]);
        }
        command
    }

    pub fn run(&self, words: &str) -> Output {
        self.command(words).output().unwrap()
    }

    /// Runs a command that must succeed; its stdout.
    pub fn succeed(&self, words: &str) -> String {
        let output = self.run(words);
        assert!(output.status.success(), "{words}\n{}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that must fail with exit code 1 and no panic; its stderr.
    pub fn fail(&self, words: &str) -> String {
        let output = self.run(words);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{words}\n{said}");
        assert!(!said.contains("panicked"), "{said}");
        said
    }

    /// Step, loss, learning rate, scale and gradient norm of every logged step: what must not depend on a kill.
    pub fn numbers(&self, run: &str) -> Vec<[f64; 5]> {
        let text = fs::read_to_string(self.path(run).join("metrics.jsonl")).unwrap();
        text.lines()
            .map(|line| {
                let record: serde_json::Value = serde_json::from_str(line).unwrap();
                ["step", "loss", "lr", "logit_scale", "grad_norm"]
                    .map(|key| record[key].as_f64().unwrap())
            })
            .collect()
    }

    /// Every file of a folder with its bytes.
    pub fn files(&self, folder: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.path(folder)];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.insert(path.clone(), fs::read(&path).unwrap());
                }
            }
        }
        found
    }
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Writes shards of the given rows; row r shows colour r % 4.
pub fn write_set(dataset: &Path, kind: Kind, shards: &[u32], seed: u64) {
    let column = format!("{SIDE}:rgb8-square").parse().unwrap();
    let sample = |row| sample(row, kind == Kind::Pairs, seed);
    dataset::write_shards(dataset, kind, true, &[column], shards, sample);
}

fn sample(row: u32, has_text: bool, seed: u64) -> Sample {
    let class = row as usize % COLOURS.len();
    let mut random = Random::from_parts(&[seed, u64::from(row)]);
    let mut pixel = |channel: usize| {
        (i32::from(COLOURS[class][channel]) + random.below(41) as i32 - 20).clamp(0, 255) as u8
    };
    let bytes = (0..SIDE * SIDE).flat_map(|_| [pixel(0), pixel(1), pixel(2)]).collect();
    let text = caption(class, u64::from(row));
    Sample {
        key: row.to_string(),
        label: Some(class as u32),
        pos: if has_text { vec![20; text.word_lengths.len()] } else { vec![] },
        tokens: if has_text { vec![text] } else { vec![] },
        images: vec![StoredImage { width: SIDE as u16, height: SIDE as u16, bytes }],
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

/// An article that says nothing, then a caption of nouns.
fn prompt(class: usize, seed: u64) -> (TokenizedText, Vec<u8>) {
    let TokenizedText { tokens, mut word_lengths, .. } = caption(class, seed);
    let tokens = [&[320], tokens.as_slice()].concat();
    word_lengths.push(1);
    let pos = tokens.iter().map(|&token| if token == 320 { 11 } else { 20 }).collect();
    (TokenizedText { word_tokens: tokens.clone(), tokens, word_lengths }, pos)
}

pub fn write_prompts(dataset: &Path) {
    let prompts: Vec<Prompt> = (0..COLOURS.len() * 2)
        .map(|place| {
            let class = place / 2;
            let (text, pos) = prompt(class, place as u64);
            Prompt {
                class: class as u32,
                class_name: format!("colour {class}"),
                template: format!("template {}", place % 2),
                prompt: format!("prompt {place}"),
                held_out: Some(class == 3),
                pos,
                tokens: vec![text],
            }
        })
        .collect();
    prompts::write(dataset, &["clip_bpe".to_owned()], &prompts).unwrap();
}
