//! What a training run shows while it goes on, and what it does where a loss is no number or a spike.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use clipa_tests::World;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const PRETRAIN: &str = "pretrain --recipe recipe.toml --data pairs --output run";
/// 60 steps of 32 samples that learn little, so that their losses lie close together.
const CALM: &str = "pretrain --recipe recipe.toml --data pairs --set stage.samples=1920 --set stage.lr=1e-4 --output run";
/// The batch of step 49 gets 5 nats more.
const SPIKE: (&str, &str) = ("CLIPA_SPIKE_AT", "1540:5");
/// The batch of step 11 has no number for a loss.
const NOT_A_NUMBER: (&str, &str) = ("CLIPA_SPIKE_AT", "330:nan");

fn records(run: &Path) -> Vec<Value> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_first_step_has_a_line_although_few_are_logged() {
    let world = World::new();
    let rare = format!("{PRETRAIN} --set stage.log_steps=1000 --device-tflops 0.5");
    world.succeeds(&rare).says(["step  1/20", "step 20/20", "  MFU "]);
    let records = records(&world.path("run"));
    assert_eq!(records.len(), 1, "only every thousandth step and the last one are logged");
    let number = |key: &str| records[0][key].as_f64().unwrap();
    // Norms of the towers are parts of the whole norm, and operations a second of the stated rate.
    let parts = ["grad_norm_vision", "grad_norm_text", "grad_norm_logit_scale"].map(number);
    let whole = parts.iter().map(|part| part * part).sum::<f64>().sqrt();
    assert!(parts.iter().all(|part| *part > 0.0), "{parts:?}");
    assert!((whole - number("grad_norm")).abs() < 1e-4 * whole, "{parts:?}");
    assert!(number("mfu_percent") > 0.0);
    world.succeeds(&format!("{} --json", PRETRAIN.replace("--output run", "--output json")));
    let without = &self::records(&world.path("json"))[0];
    assert!(without.get("mfu_percent").is_none(), "no table knows this CPU's rate: {without}");
    world.command(&format!("{PRETRAIN} --device-tflops=-1")).exits_with(2).says(["above 0"]);
    world
        .command(&format!("{PRETRAIN} --batch-size 64"))
        .exits_with(2)
        .says(["hint: open_clip's --batch-size is here --set stage.batch=N"]);
}

// ---- TensorBoard's files, read by what TensorFlow documents of them

/// A field of a protobuf message.
enum Field<'b> {
    Varint(u64),
    Fixed64([u8; 8]),
    Fixed32([u8; 4]),
    Bytes(&'b [u8]),
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    number
}

fn fields(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let field = match key & 7 {
            0 => Field::Varint(varint(&mut bytes)),
            1 => {
                let (value, rest) = bytes.split_first_chunk().unwrap();
                bytes = rest;
                Field::Fixed64(*value)
            }
            5 => {
                let (value, rest) = bytes.split_first_chunk().unwrap();
                bytes = rest;
                Field::Fixed32(*value)
            }
            2 => {
                let length = varint(&mut bytes) as usize;
                let (value, rest) = bytes.split_at(length);
                bytes = rest;
                Field::Bytes(value)
            }
            other => panic!("wire type {other}"),
        };
        fields.push((key >> 3, field));
    }
    fields
}

/// Bit by bit, as the definition of CRC-32C has it.
fn masked_crc(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0x82f6_3b78 * (crc & 1));
        }
    }
    let crc = !crc;
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// The records of a file; a torn last one is none.
fn tf_records(file: &[u8]) -> Vec<&[u8]> {
    let (mut rest, mut records) = (file, Vec::new());
    while rest.len() >= 12 {
        let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
        assert_eq!(rest[8..12], masked_crc(&rest[..8]).to_le_bytes());
        let Some(content) = rest.get(12..12 + length) else { break };
        let Some(checksum) = rest.get(12 + length..16 + length) else { break };
        assert_eq!(checksum, masked_crc(content).to_le_bytes());
        records.push(content);
        rest = &rest[16 + length..];
    }
    records
}

/// Tag and step of every number that TensorBoard shows: a session's start takes back what was said of its step and later ones.
fn shown(run: &Path) -> BTreeMap<(String, u64), f32> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(run.join("tensorboard")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut shown = BTreeMap::new();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        assert!(name.starts_with("events.out.tfevents."), "{name}");
        let bytes = fs::read(&file).unwrap();
        for (number, record) in tf_records(&bytes).into_iter().enumerate() {
            let mut step = 0;
            let mut wall_time = 0.0;
            for (field, value) in fields(record) {
                match (field, value) {
                    (1, Field::Fixed64(time)) => wall_time = f64::from_le_bytes(time),
                    (2, Field::Varint(number)) => step = number,
                    (3, Field::Bytes(version)) => {
                        assert_eq!((number, version), (0, &b"brain.Event:2"[..]));
                    }
                    (5, Field::Bytes(summary)) => add_values(summary, step, &mut shown),
                    (7, Field::Bytes(log)) => {
                        let is_start = matches!(fields(log)[0], (1, Field::Varint(1)));
                        assert!(is_start, "only starts of sessions are written");
                        shown.retain(|(_, there), _| *there < step);
                    }
                    (other, _) => panic!("field {other} of an event"),
                }
            }
            assert!(wall_time > 1.7e9, "an event has no time");
        }
    }
    shown
}

fn add_values(summary: &[u8], step: u64, shown: &mut BTreeMap<(String, u64), f32>) {
    for (field, value) in fields(summary) {
        let (1, Field::Bytes(value)) = (field, value) else { panic!("a summary has values") };
        let (mut tag, mut number) = (String::new(), None);
        for (field, part) in fields(value) {
            match (field, part) {
                (1, Field::Bytes(text)) => tag = String::from_utf8(text.to_vec()).unwrap(),
                (2, Field::Fixed32(bytes)) => number = Some(f32::from_le_bytes(bytes)),
                (other, _) => panic!("field {other} of a value"),
            }
        }
        let twice = shown.insert((tag.clone(), step), number.unwrap());
        assert!(twice.is_none(), "{tag} of step {step} is there twice");
    }
}

#[test]
fn tensorboard_shows_every_record_once_also_of_a_killed_and_continued_run() {
    let world = World::new();
    world.command(PRETRAIN).runs_until_it_says("step 11/20").killed();
    // A record that was torn by the kill.
    let folder = world.path("run/tensorboard");
    let file = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&file).unwrap();
    bytes.extend([77, 0, 0]);
    fs::write(&file, bytes).unwrap();
    world.succeeds(&format!("{PRETRAIN} --resume"));
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
    let shown = shown(&world.path("run"));
    let records = records(&world.path("run"));
    assert_eq!(records.len(), 20);
    for record in &records {
        let step = record["step"].as_u64().unwrap();
        for (tag, key) in [
            ("train/loss", "loss"),
            ("train/lr", "lr"),
            ("train/samples_per_s", "samples_per_s"),
            ("train/logit_scale", "logit_scale"),
            ("grad_norm/all", "grad_norm"),
            ("grad_norm/vision", "grad_norm_vision"),
            ("grad_norm/text", "grad_norm_text"),
        ] {
            let expected = record[key].as_f64().unwrap() as f32;
            assert_eq!(shown[&(tag.to_owned(), step)], expected, "{tag} of step {step}");
        }
    }
    let steps: BTreeSet<u64> = shown.keys().map(|(_, step)| *step).collect();
    assert_eq!(steps, (1..=20).collect());
}

// ---- Spikes

fn saved(world: &World, run: &str, step: u64) -> Value {
    let file = world.path(run).join(format!("spikes/step-{step:08}.json"));
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

#[test]
fn a_loss_that_is_no_number_saves_its_batch_and_rewinding_goes_on_without_it() {
    let world = World::new();
    let (name, value) = NOT_A_NUMBER;
    let run = |words: &str| world.command(words).with_variable(name, value);
    // Noticed at the next record only; the steps between are undone.
    run(&format!("{PRETRAIN} --set stage.log_steps=6")).exits_with(1).says([
        "at step 11 the loss or its gradient stopped being a number",
        "run/spikes/step-00000011.json has the batch",
        "nothing was written since run/checkpoints/step-00000008",
        "--on-spike rewind",
    ]);
    let what = saved(&world, "run", 11);
    assert_eq!((what["what"].as_str(), what["batch"].as_u64()), (Some("not a number"), Some(10)));
    assert_eq!(what["loss"].as_str(), Some("NaN"));
    assert!(what["grad_norm_by_tower"]["vision"].is_number(), "{what}");
    assert_eq!(what["tower"].as_str(), Some("logit_scale"), "where the fault was put");
    let samples = what["samples"].as_array().unwrap();
    let keys: BTreeSet<&str> = samples.iter().map(|s| s["key"].as_str().unwrap()).collect();
    assert_eq!((samples.len(), keys.len()), (32, 32));
    assert_eq!(samples[0]["sample"].as_u64(), Some(320));

    // Ignoring is for spikes only.
    run(&format!("{PRETRAIN} --set stage.log_steps=6 --resume --on-spike ignore")).exits_with(1);
    run(&format!("{PRETRAIN} --set stage.log_steps=1 --resume --on-spike rewind"))
        .exits_with(0)
        .says([
            "back to run/checkpoints/step-00000008, and on without batch 10; passed by so far: 1",
        ]);
    let whole = PRETRAIN.replace("--output run", "--output whole --on-spike rewind");
    run(&whole).exits_with(0);
    let numbers = world.numbers("whole");
    assert_eq!(numbers.len(), 20);
    // Of the first eight steps only the sixth was logged.
    assert_eq!(world.numbers("run")[1..], numbers[8..]);
    let skipped: Vec<u64> = records(&world.path("whole"))
        .iter()
        .map(|record| record["skipped_batches"].as_u64().unwrap())
        .collect();
    assert_eq!(skipped, [vec![0; 8], vec![1; 12]].concat());
    assert_eq!(
        shown(&world.path("whole")).keys().filter(|(tag, _)| tag == "train/loss").count(),
        20
    );

    // Passed by once, the batch stays so in a continuation, which needs no fault to know it.
    let killed = PRETRAIN.replace("--output run", "--output killed --on-spike rewind");
    let killed = format!("{killed} --set stage.checkpoint_steps=1");
    run(&killed).runs_until_it_says("step 15/20").killed();
    world.succeeds(&format!("{killed} --resume"));
    assert_eq!(world.numbers("killed"), numbers);
    // It is another run than one with that batch.
    world.succeeds(&PRETRAIN.replace("--output run", "--output undisturbed"));
    assert_eq!(world.numbers("undisturbed")[..10], numbers[..10]);
    assert_ne!(world.numbers("undisturbed")[10], numbers[10]);
}

#[test]
fn a_run_that_has_no_checkpoint_yet_goes_back_to_its_beginning() {
    let world = World::new();
    let words = format!("{PRETRAIN} --on-spike rewind --set stage.checkpoint_steps=100");
    let (name, value) = NOT_A_NUMBER;
    world
        .command(&words)
        .with_variable(name, value)
        .exits_with(0)
        .says(["back to run/checkpoints/step-00000000, and on without batch 10"]);
    assert_eq!(world.numbers("run").len(), 20);
}

#[test]
fn a_spike_stops_is_passed_by_or_ignored_as_asked() {
    let world = World::new();
    let (name, value) = SPIKE;
    let run = |words: &str| world.command(words).with_variable(name, value);
    run(CALM).exits_with(1).says([
        "at step 49 the loss is 7.",
        "far above the 2.",
        "nothing was written since run/checkpoints/step-00000048",
        "hint: look at the batch",
    ]);
    assert_eq!(saved(&world, "run", 49)["what"].as_str(), Some("spike"));
    // A continuation compares with the losses before it, and finds the same.
    run(&format!("{CALM} --resume")).exits_with(1).says(["at step 49 the loss is 7."]);
    run(&format!("{CALM} --resume --on-spike ignore"))
        .exits_with(0)
        .says(["warning: step 49: the loss is 7.", "run/spikes/step-00000049.json has the batch"]);
    assert_eq!(world.numbers("run").len(), 60);
    let rewinding = CALM.replace("--output run", "--output rewound --on-spike rewind");
    run(&rewinding).exits_with(0).says(["and on without batch 48; passed by so far: 1"]);
    assert_eq!(world.numbers("rewound").len(), 60);
    assert_eq!(world.numbers("rewound")[..48], world.numbers("run")[..48]);
    // Without the fault there is no spike in these 60 steps.
    world.succeeds(&CALM.replace("--output run", "--output calm"));
    assert!(!world.path("calm/spikes").exists());
}
