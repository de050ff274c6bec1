//! Checkpoints survive the disk, and others are refused with names.

use std::fs;

use tch::{Device, Kind, Tensor};

use super::{content::write_state, *};
use crate::{loss, model::InputSizes};
use clipa_recipe::Recipe;
use clipa_stream::Cursor;

const SET: [&str; 6] = [
    "model.vision.width=16",
    "model.vision.heads=2",
    "model.vision.layers=1",
    "model.vision.mlp_width=16",
    "model.text.width=16",
    "model.text.layers=1",
];

fn build(seed: u64, more: &[&str]) -> (Clip, AdamW) {
    let set: Vec<String> = SET.iter().chain(more).map(|&set| set.to_owned()).collect();
    let recipe = Recipe::load("tiny-i17-t8", &set, Some("pretrain")).unwrap();
    let stage = recipe.stage("pretrain").unwrap();
    let model = Clip::new(&recipe.model, stage.sizes(), seed, Device::Cpu).unwrap();
    let optimizer = AdamW::new(model.parameters(), stage.adamw());
    (model, optimizer)
}

fn step(model: &Clip, optimizer: &mut AdamW) -> f64 {
    let images = (0..4 * 32 * 32 * 3).map(|i| (i * i % 255) as u8).collect();
    let images = torch_ext::from_owned(images, &[4, 32, 32, 3]).unwrap();
    let tokens = Tensor::arange(32, (Kind::Int64, Device::Cpu)).view([4, 8]);
    let images = loss::normalise(&model.encode_image(&images, None));
    let texts = loss::normalise(&model.encode_text(&tokens));
    let loss = loss::direct::clip_loss(&images, &texts, model.logit_scale());
    optimizer.zero_grad().unwrap();
    loss.backward();
    let _ = optimizer.step(1e-3, None).unwrap();
    loss.double_value(&[])
}

fn state(step: u64) -> State {
    State {
        checkpoint_version: CHECKPOINT_VERSION,
        step,
        total_steps: 9,
        cursor: Cursor { sample: 4 * step },
        stage: "pretrain".to_owned(),
        seed: 3,
        recipe_sha256: "a".to_owned(),
        dataset_sha256: "b".to_owned(),
        skipped_batches: Vec::new(),
        recent_losses: Vec::new(),
        steps_before: 0,
        files: Vec::new(),
        state_sha256: String::new(),
    }
}

#[test]
fn a_continued_run_has_the_same_losses() {
    let run = tempfile::tempdir().unwrap();
    let (model, mut optimizer) = build(1, &[]);
    step(&model, &mut optimizer);
    step(&model, &mut optimizer);
    let folder = write(run.path(), &model, &optimizer, &state(2), 2).unwrap();
    let expected = [step(&model, &mut optimizer), step(&model, &mut optimizer)];

    let (model, mut optimizer) = build(99, &[]);
    let there = read(&folder, &model, &mut optimizer, None).unwrap();
    let names: Vec<&str> = there.files.iter().map(|file| file.file.as_str()).collect();
    assert_eq!(names, [MODEL, OPTIMIZER]);
    assert_eq!(State { files: Vec::new(), state_sha256: String::new(), ..there }, state(2));
    assert_eq!([step(&model, &mut optimizer), step(&model, &mut optimizer)], expected);
}

#[test]
fn only_the_newest_are_kept_and_half_ones_are_not_seen() {
    let run = tempfile::tempdir().unwrap();
    let (model, optimizer) = build(1, &[]);
    assert_eq!(latest(run.path()).unwrap(), None);
    for step in [1, 2, 3] {
        write(run.path(), &model, &optimizer, &state(step), 2).unwrap();
    }
    fs::create_dir(run.path().join(CHECKPOINTS).join(".step-00000009.tmp")).unwrap();
    let steps: Vec<u64> = list(run.path()).unwrap().into_iter().map(|(step, _)| step).collect();
    assert_eq!(steps, [2, 3]);
    assert!(latest(run.path()).unwrap().unwrap().ends_with("step-00000003"));
}

#[test]
fn a_checkpoint_that_cannot_be_written_leaves_the_one_before() {
    let run = tempfile::tempdir().unwrap();
    let (model, optimizer) = build(1, &[]);
    write(run.path(), &model, &optimizer, &state(1), 2).unwrap();
    // A file where the next one's temporary folder goes stands for every refusal of the disk.
    fs::write(run.path().join(CHECKPOINTS).join(".step-00000002.tmp"), b"").unwrap();
    let error = write(run.path(), &model, &optimizer, &state(2), 1).unwrap_err();
    assert!(matches!(error, CheckpointError::Io { .. }), "{error}");
    assert!(latest(run.path()).unwrap().unwrap().ends_with("step-00000001"));
}

#[test]
fn another_models_tensors_are_named() {
    let run = tempfile::tempdir().unwrap();
    let (model, optimizer) = build(1, &[]);
    let file = write(run.path(), &model, &optimizer, &state(1), 2).unwrap().join(MODEL);
    let message = |more: &[&str], fit| {
        let (other, _) = build(1, more);
        load_model(&other, tensors::read(&file).unwrap(), fit, &file).unwrap_err().to_string()
    };
    let error = message(&["model.text.vocab_size=50000"], Fit::Resize);
    assert!(
        error
            .contains("1 of another shape: token_embedding.weight is [49408, 16], not [50000, 16]"),
        "{error}"
    );
    let error = message(&["model.vision.layers=2"], Fit::Resize);
    assert!(error.contains("12 missing: visual.transformer.resblocks.1.ln_1.weight"), "{error}");
    assert!(error.contains("and 8 more"), "{error}");
    let error = message(&["model.vision.ln_pre=false"], Fit::Resize);
    assert!(
        error.contains("2 not of this model: visual.ln_pre.bias, visual.ln_pre.weight"),
        "{error}"
    );
    let error = message(&["stage.context_length=16"], Fit::Exact);
    assert!(error.contains("positional_embedding is [8, 16], not [16, 16]"), "{error}");
}

#[test]
fn a_new_stage_resizes_the_positions_and_keeps_the_rest() {
    let run = tempfile::tempdir().unwrap();
    let (small, optimizer) = build(1, &[]);
    let file = write(run.path(), &small, &optimizer, &state(1), 2).unwrap().join(MODEL);
    let (large, _) = build(2, &["stage.context_length=16", "stage.image_size=64"]);
    assert_eq!(large.sizes(), InputSizes { image_size: 64, context_length: 16 });
    load_model(&large, tensors::read(&file).unwrap(), Fit::Resize, &file).unwrap();
    let (old, new) = (small.parameters(), large.parameters());
    assert_eq!(old.tensor("visual.proj"), new.tensor("visual.proj"));
    let expected =
        crate::model::positions::resize_vision(&old.tensor("visual.positional_embedding"), 8);
    assert_eq!(new.tensor("visual.positional_embedding"), expected);
    let expected = crate::model::positions::resize_text(&old.tensor("positional_embedding"), 16);
    assert_eq!(new.tensor("positional_embedding"), expected);
}

/// clipa_torch's fine-tuning: the fixed table of pre-training, interpolated, becomes trained positions. A stage that is
/// fixed itself computes its own table instead.
#[test]
fn a_fixed_table_is_carried_into_trained_positions_only() {
    let run = tempfile::tempdir().unwrap();
    let (fixed, optimizer) = build(1, &["model.vision.positions=sin-cos-2d"]);
    let file = write(run.path(), &fixed, &optimizer, &state(1), 2).unwrap().join(MODEL);
    let table = |model: &Clip| model.parameters().tensor("visual.positional_embedding");
    let (trained, _) = build(2, &["stage.image_size=64"]);
    load_model(&trained, tensors::read(&file).unwrap(), Fit::Resize, &file).unwrap();
    assert_eq!(table(&trained), crate::model::positions::resize_vision(&table(&fixed), 8));
    let (still_fixed, _) = build(2, &["model.vision.positions=sin-cos-2d", "stage.image_size=64"]);
    let analytic = table(&still_fixed).copy();
    load_model(&still_fixed, tensors::read(&file).unwrap(), Fit::Resize, &file).unwrap();
    assert_eq!(table(&still_fixed), analytic);
}

/// An evaluation while training shares the weights and resizes the positions; a new stage loads a file. One rule for both.
#[test]
fn a_model_at_other_lengths_is_the_one_that_a_new_stage_begins_with() {
    use clipa_recipe::model::config::VisionPositions::{Learnable, SinCos2d};
    let run = tempfile::tempdir().unwrap();
    for (from, to) in [(Learnable, Learnable), (SinCos2d, Learnable), (SinCos2d, SinCos2d)] {
        let positions = |positions| match positions {
            Learnable => "model.vision.positions=learnable",
            _ => "model.vision.positions=sin-cos-2d",
        };
        let (small, optimizer) = build(1, &[positions(from)]);
        let file = write(run.path(), &small, &optimizer, &state(1), 2).unwrap().join(MODEL);
        let lengths = ["stage.context_length=16", "stage.image_size=64"];
        let (begun, _) = build(2, &[&[positions(to)], lengths.as_slice()].concat());
        load_model(&begun, tensors::read(&file).unwrap(), Fit::Resize, &file).unwrap();
        let shared = small.at_lengths(to, begun.sizes()).unwrap();
        for parameter in begun.parameters().iter() {
            let name = &parameter.spec.name;
            assert_eq!(shared.parameters().tensor(name), parameter.tensor, "{name}");
        }
        let address = |model: &Clip| model.parameters().tensor("visual.proj").data_ptr();
        assert_eq!(address(&shared), address(&small), "weights were copied");
    }
}

#[test]
fn weights_are_found_in_a_run_a_checkpoint_or_a_file() {
    let run = tempfile::tempdir().unwrap();
    assert!(matches!(model_file(run.path()), Err(CheckpointError::Missing { .. })));
    let (model, optimizer) = build(1, &[]);
    let folder = write(run.path(), &model, &optimizer, &state(1), 2).unwrap();
    let file = folder.join(MODEL);
    for from in [run.path(), &folder, &file] {
        assert_eq!(model_file(from).unwrap(), file);
    }
    let pickle = run.path().join("epoch_1.pt");
    fs::write(&pickle, b"").unwrap();
    assert!(matches!(model_file(&pickle), Err(CheckpointError::NotSafetensors { .. })));
    let error = model_file(Path::new("nowhere")).unwrap_err().to_string();
    assert_eq!(error, "nowhere: no such run or file");
}

#[test]
fn a_flipped_byte_in_any_file_is_an_error_and_never_another_number() {
    let run = tempfile::tempdir().unwrap();
    let (model, optimizer) = build(1, &[]);
    let folder = write(run.path(), &model, &optimizer, &state(2), 2).unwrap();
    let (other, mut moments) = build(7, &[]);
    for name in [MODEL, OPTIMIZER, STATE] {
        let file = folder.join(name);
        let whole = fs::read(&file).unwrap();
        // Every byte of the small file; of the large ones the length, the header, the first and last numbers and more.
        let step = (whole.len() / 40).max(1);
        let first = if whole.len() < 4096 { whole.len() } else { 24 };
        let places = (0..first).chain((first..whole.len()).step_by(step)).chain([whole.len() - 1]);
        for place in places {
            for bit in [0, 5] {
                let mut flipped = whole.clone();
                flipped[place] ^= 1 << bit;
                fs::write(&file, flipped).unwrap();
                let error = read(&folder, &other, &mut moments, None).unwrap_err();
                assert!(error.to_string().contains(name), "{name} {place}: {error}");
            }
        }
        for cut in [whole.len() - 1, whole.len() / 2, 0] {
            fs::write(&file, &whole[..cut]).unwrap();
            assert!(read(&folder, &other, &mut moments, None).is_err(), "{name} cut to {cut}");
        }
        fs::write(&file, &whole).unwrap();
    }
    read(&folder, &other, &mut moments, None).unwrap();
    // A new stage begins with the same file, and checks it as well.
    let file = model_file(run.path()).unwrap();
    let mut flipped = fs::read(&file).unwrap();
    *flipped.last_mut().unwrap() ^= 1;
    fs::write(&file, flipped).unwrap();
    let error = tensors::read(&file).unwrap_err();
    assert!(error.to_string().contains("its checksum is not the one in state.json"), "{error}");
    assert!(error.hint().unwrap().contains("continues from the checkpoint before"));
}

#[test]
fn a_state_of_another_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(STATE);
    write_state(&path, State { checkpoint_version: 9, ..state(1) }).unwrap();
    assert!(State::read(&path).unwrap_err().to_string().contains("version 9"));
    fs::write(&path, "{\"step\": NaN}").unwrap();
    assert!(matches!(State::read(&path), Err(CheckpointError::State { .. })));
}

#[test]
fn two_hundred_flipped_bytes_of_our_weights_are_errors() {
    let run = tempfile::tempdir().unwrap();
    let (model, optimizer) = build(1, &["model.text.vocab_size=49408"]);
    let folder = write(run.path(), &model, &optimizer, &state(1), 2).unwrap();
    let mut random = clipa_schemas::random::Random::new(7);
    for name in [MODEL, OPTIMIZER] {
        let path = folder.join(name);
        let whole = fs::read(&path).unwrap();
        for _ in 0..100 {
            let mut flipped = whole.clone();
            flipped[random.below(whole.len() as u64) as usize] ^= 1 << random.below(8);
            fs::write(&path, &flipped).unwrap();
            assert!(matches!(tensors::read(&path), Err(CheckpointError::Damaged { .. })));
        }
        fs::write(&path, &whole).unwrap();
        tensors::read(&path).unwrap();
    }
}

#[test]
fn trained_positions_are_not_lost_in_a_fixed_table() {
    let run = tempfile::tempdir().unwrap();
    let table = |kind: &str| {
        build(
            1,
            &[
                &format!("stage.pretrain.positions={kind}"),
                &format!("model.vision.positions={kind}"),
            ],
        )
    };
    for (stored, wanted, said) in [
        (
            "learnable",
            "sin-cos-2d",
            "was trained, and the model computes a fixed table, sin-cos-2d",
        ),
        (
            "sin-cos-2d",
            "sin-cos-2d-jax",
            "is the table sin-cos-2d, and the model computes sin-cos-2d-jax",
        ),
        ("sin-cos-2d", "sin-cos-2d", ""),
        ("sin-cos-2d-jax", "learnable", ""),
    ] {
        let (model, optimizer) = table(stored);
        let file = write(run.path(), &model, &optimizer, &state(1), 2).unwrap().join(MODEL);
        let (other, _) = table(wanted);
        let loaded = load_model(&other, tensors::read(&file).unwrap(), Fit::Resize, &file);
        let checked = check_file(&file, other.config(), other.sizes());
        for result in [loaded, checked] {
            match result {
                Ok(()) => assert_eq!(said, "", "{stored} {wanted}"),
                Err(error) => {
                    assert!(!said.is_empty() && error.to_string().contains(said), "{error}");
                    assert!(error.hint().is_some_and(|hint| hint.contains("stage.positions")));
                }
            }
        }
    }
}

#[test]
fn the_headers_of_a_file_say_what_loading_would() {
    let run = tempfile::tempdir().unwrap();
    let (model, optimizer) = build(1, &[]);
    let file = write(run.path(), &model, &optimizer, &state(1), 2).unwrap().join(MODEL);
    for (more, fits) in [
        (&[][..], true),
        (&["stage.pretrain.image_size=64", "stage.pretrain.context_length=16"], true),
        (&["model.vision.layers=2"], false),
        (&["model.text.vocab_size=50000"], false),
    ] {
        let (other, _) = build(1, more);
        let loaded = load_model(&other, tensors::read(&file).unwrap(), Fit::Resize, &file);
        let checked = check_file(&file, other.config(), other.sizes());
        assert_eq!((loaded.is_ok(), checked.is_ok()), (fits, fits), "{more:?}");
        let messages = [loaded, checked].map(|result| result.err().map(|error| error.to_string()));
        assert_eq!(messages[0], messages[1]);
    }
}
