//! Weights to and from other programs: round trips to the bit, training checkpoints made by hand, and pickles that ask for more.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use clipa_tests::{Pickle, TorchTensor, World, state_dict, write_archive, write_checkpoint};
use safetensors::SafeTensors;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// A run of four steps, whose model open_clip can hold: its class token is pooled.
const PRETRAIN: &str = "pretrain --recipe recipe.toml --data pairs --output run --set stage.samples=128 --set stage.warmup_steps=1";
/// With the pool that Hugging Face can hold, too.
const CLASS_TOKEN: &str = "--set model.vision.pool=cls";
/// A stage on weights, as far as it would run.
const FINETUNE: &str = "finetune --recipe recipe.toml --data pairs --output run2 --dry-run --from";
/// Its weights.
const MODEL: &str = "run/checkpoints/step-00000004/model.safetensors";

type Tensors = BTreeMap<String, (Vec<usize>, Vec<u8>)>;

fn trained(more: &str) -> World {
    let world = World::new();
    world.succeeds(&format!("{PRETRAIN} {more}"));
    world
}

fn tensors(path: &Path) -> Tensors {
    let bytes = fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensor = |(name, view): (&str, safetensors::tensor::TensorView<'_>)| {
        (name.to_owned(), (view.shape().to_vec(), view.data().to_vec()))
    };
    file.iter().map(tensor).collect()
}

/// The same as a hand-made state dict holds them, in the order of their names.
fn by_hand(tensors: &Tensors, prefix: &str) -> Vec<TorchTensor> {
    let values = |bytes: &[u8]| {
        bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect()
    };
    let tensor = |(name, (shape, bytes)): (&String, &(Vec<usize>, Vec<u8>))| TorchTensor {
        name: format!("{prefix}{name}"),
        shape: shape.iter().map(|&side| side as i64).collect(),
        values: values(bytes),
    };
    tensors.iter().map(tensor).collect()
}

fn storages(tensors: &[TorchTensor]) -> Vec<Vec<u8>> {
    let bytes = |tensor: &TorchTensor| tensor.values.iter().flat_map(|v| v.to_le_bytes()).collect();
    tensors.iter().map(bytes).collect()
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn ours_to_open_clip_and_back_is_the_same_to_the_bit() {
    let world = trained("");
    let exported = world.succeeds("export run --to open_clip --output there");
    exported.says(["avg-all", "leaves the class token out", "local-dir:there", "image_reduction"]);
    let (first, there) = (tensors(&world.path(MODEL)), world.path("there"));
    assert_eq!(tensors(&there.join("open_clip_model.safetensors")), first);
    let config = json(&there.join("open_clip_config.json"));
    assert_eq!(config["model_cfg"]["vision_cfg"]["pool_type"], "avg");
    let card = fs::read_to_string(there.join("README.md")).unwrap();
    for said in [
        "4 of 4",
        "samples seen in this stage | 128",
        "avg-all",
        "local-dir:",
        "pool = \"avg-all\"",
    ] {
        assert!(card.contains(said), "{said} is not in\n{card}");
    }
    let state = json(&world.path("run/checkpoints/step-00000004/state.json"));
    assert!(card.contains(state["dataset_sha256"].as_str().unwrap()), "{card}");
    world.succeeds("import local-dir:there --output back");
    assert_eq!(tensors(&world.path("back/open_clip_model.safetensors")), first);
    // The recipe came along, and with it the pool that open_clip has no word for.
    let recipe = fs::read_to_string(world.path("back/recipe.toml")).unwrap();
    assert!(recipe.contains("pool = \"avg-all\""), "{recipe}");
    for from in ["there", "back"] {
        world.succeeds(&format!("{FINETUNE} {from}"));
        world.fails(&format!("{FINETUNE} {from} --set model.vision.pool=cls")).says(["avg-all"]);
    }
    // Equal weights have equal folders.
    world.succeeds("export run --to open_clip --output again");
    clipa_tests::tree(&there).must_equal(&clipa_tests::tree(&world.path("again")));
    world.fails("export run --to open_clip --output there").says(["is there already", "--output"]);
    world.succeeds("export run --to open_clip --output dry --dry-run").says(["was not written"]);
    assert!(!world.path("dry").exists());
}

#[test]
fn ours_to_hugging_face_and_back_is_the_same_to_the_bit() {
    let world = trained(CLASS_TOKEN);
    world.succeeds("export run --to hf --output there").says([
        "CLIPTokenizer",
        "text_reduction = random",
        "image_reduction",
    ]);
    let config = json(&world.path("there/config.json"));
    assert_eq!(config["text_config"]["eos_token_id"], 49_407);
    assert_eq!(config["vision_config"]["hidden_act"], "gelu");
    let preprocessor = json(&world.path("there/preprocessor_config.json"));
    assert_eq!(preprocessor["crop_size"], json!({"height": 16, "width": 16}));
    let names = tensors(&world.path("there/model.safetensors"));
    assert!(names.contains_key("vision_model.encoder.layers.0.self_attn.q_proj.weight"));
    world.succeeds("import there --output back");
    let back = world.path("back/open_clip_model.safetensors");
    assert_eq!(tensors(&back), tensors(&world.path(MODEL)));
    // What was configured there is here, too.
    let back = json(&world.path("back/open_clip_config.json"));
    let first = json(&world.path("run/open_clip_config.json"));
    for part in ["embed_dim", "vision_cfg"] {
        assert_eq!(back["model_cfg"][part], first["model_cfg"][part], "{part}");
    }
    assert_eq!(back["preprocess_cfg"], first["preprocess_cfg"]);
    world.succeeds("export back --to hf --output once-more");
    let file = |folder: &str| fs::read(world.path(folder).join("model.safetensors")).unwrap();
    assert_eq!(file("there"), file("once-more"));
    world.succeeds(&format!("{FINETUNE} back {CLASS_TOKEN}"));
    // Their names, named as they are.
    world.fails(&format!("{FINETUNE} there")).says(["clipa-train import there/model.safetensors"]);
}

#[test]
fn what_hugging_face_cannot_hold_is_refused_by_key() {
    let world = trained(
        "--set model.text.causal=false --set model.text.pool=last --set model.vision.ln_pre=false",
    );
    world.fails("export run --to hf --output there").says([
        "model.vision.pool = avg-all",
        "model.vision.ln_pre = false",
        "model.text.causal = false",
        "model.text.pool is not argmax",
        "--to open_clip",
    ]);
    assert!(!world.path("there").exists());
}

#[test]
fn a_training_checkpoint_of_open_clips_is_read_with_its_moments() {
    let world = trained(CLASS_TOKEN);
    let first = tensors(&world.path(MODEL));
    let dict = by_hand(&first, "module.");
    // open_clip's first group: less than two sides, or a norm's, a bias's or the scale's name.
    let still = |tensor: &TorchTensor| {
        let is_named =
            ["bn", "ln", "bias", "logit_scale"].iter().any(|part| tensor.name.contains(part));
        tensor.shape.len() < 2 || is_named
    };
    let (no_decay, decay): (Vec<usize>, Vec<usize>) =
        (0..dict.len()).partition(|&place| still(&dict[place]));
    write_checkpoint(&world.path("epoch_1.pt"), &dict, [&no_decay, &decay], 37);
    world
        .fails("import epoch_1.pt --output there")
        .says(["no open_clip_config.json beside it", "--config"]);
    let config = "--config run/open_clip_config.json";
    world.succeeds(&format!("import epoch_1.pt --output there {config}")).says(["after 37 steps"]);
    assert_eq!(tensors(&world.path("there/open_clip_model.safetensors")), first);
    let moments = tensors(&world.path("there/optimizer.safetensors"));
    assert_eq!(moments.len(), 2 * first.len());
    let number = |bytes: &[u8]| f32::from_le_bytes(bytes[..4].try_into().unwrap());
    for (name, (shape, bytes)) in &first {
        for (moment, factor) in [("exp_avg", 2.0), ("exp_avg_sq", 3.0)] {
            let (of, values) = &moments[&format!("{moment}.{name}")];
            assert_eq!((of, number(values)), (shape, number(bytes) * factor), "{moment} {name}");
        }
    }
    assert_eq!(json(&world.path("there/moments.json")), json!({"steps": 37}));
    world.succeeds(&format!("{FINETUNE} there {CLASS_TOKEN}"));
    // Numbered in another order, they are nobody's.
    write_checkpoint(&world.path("other.pt"), &dict, [&decay, &no_decay], 37);
    let import = format!("import other.pt --output other {config}");
    world.succeeds(&import).says(["the optimizer's moments are not used"]);
    assert!(!world.path("other/optimizer.safetensors").exists());
}

#[test]
fn bare_weights_are_described_by_a_recipe() {
    let world = trained(CLASS_TOKEN);
    let first = tensors(&world.path(MODEL));
    let dict = by_hand(&first, "_orig_mod.");
    let pickle = state_dict(Pickle::new(), &dict, 0).end();
    write_archive(&world.path("plain.pt"), &pickle, &storages(&dict));
    let import = "import plain.pt --output there --recipe recipe.toml";
    world.fails(import).says(["holds another model", "positional_embedding"]);
    world.succeeds(&format!("{import} --stage pretrain"));
    assert_eq!(tensors(&world.path("there/open_clip_model.safetensors")), first);
}

#[test]
fn a_pickle_that_asks_for_more_is_refused_by_name_and_nothing_runs() {
    let world = World::new();
    let hostile: [(&str, Pickle, &str); 5] = [
        (
            "system",
            Pickle::new().global("posix", "system").text("touch ran").raw(b"\x85R"),
            "posix.system",
        ),
        (
            "eval",
            Pickle::new()
                .raw(b"}")
                .text("state_dict")
                .global("builtins", "eval")
                .text("open('ran', 'w')")
                .raw(b"\x85Rs"),
            "builtins.eval",
        ),
        ("inst", Pickle::new().raw(b"(").text("touch ran").raw(b"ios\nsystem\n"), "os.system"),
        (
            "stack",
            Pickle::new()
                .text("subprocess")
                .text("Popen")
                .raw(b"\x93")
                .text("touch")
                .text("ran")
                .raw(b"\x86\x85R"),
            "subprocess.Popen",
        ),
        ("terminal", Pickle::new().global("evil\u{1b}[2J", "hint: sh evil.sh"), "evil"),
    ];
    for (name, pickle, asked) in hostile {
        let file = format!("{name}.pt");
        write_archive(&world.path(&file), &pickle.end(), &[]);
        for from in ["import", "import --recipe b16-i50-t16"] {
            let refused = world.fails(&format!("{from} {file} --output there"));
            let refused = refused.says([asked, "nothing of it was executed", &file]);
            assert!(!refused.stderr().contains('\u{1b}'), "{}", refused.account());
        }
        world
            .fails(&format!("{FINETUNE} {file}"))
            .says(["is not a safetensors file", "clipa-train import"]);
    }
    assert!(!world.path("ran").exists() && !world.path("there").exists());
}

#[test]
fn wrapped_names_are_taken_and_other_weights_are_named() {
    let world = trained("");
    let first = tensors(&world.path(MODEL));
    fs::create_dir(world.path("weights")).unwrap();
    let write = |rename: &dyn Fn(&str) -> String, drop: &str| {
        let views =
            first.iter().filter(|(name, _)| name.as_str() != drop).map(|(name, (shape, bytes))| {
                let view = safetensors::tensor::TensorView::new(
                    safetensors::Dtype::F32,
                    shape.clone(),
                    bytes,
                );
                (rename(name), view.unwrap())
            });
        let bytes = safetensors::serialize(views, None).unwrap();
        fs::write(world.path("weights/model.safetensors"), bytes).unwrap();
    };
    let from = format!("{FINETUNE} weights/model.safetensors");
    for prefix in ["module.", "_orig_mod.", "module._orig_mod."] {
        write(&|name| format!("{prefix}{name}"), "");
        world.succeeds(&from);
    }
    let is_image = |name: &str| name.starts_with("visual.") || name == "logit_scale";
    write(&|name| if is_image(name) { name.to_owned() } else { format!("text.{name}") }, "");
    world.succeeds(&from);
    // The dry run opens the file and fits its header.
    write(&|name| name.to_owned(), "visual.class_embedding");
    world.fails(&from).says(["1 missing: visual.class_embedding", "has a class token"]);
    write(&|name| name.replace("ln_final.bias", "logit_bias"), "");
    world.fails(&from).says(["1 missing: ln_final.bias"]);
    write(&|name| name.to_owned(), "");
    world.succeeds(&from);
    // Trained positions would be lost where the stage computes a table.
    world.fails(&format!("{from} --set stage.positions=sin-cos-2d")).says([
        "visual.positional_embedding was trained",
        "would be lost",
        "--set stage.positions=learnable",
    ]);
    let whole = fs::read(world.path("weights/model.safetensors")).unwrap();
    fs::write(world.path("weights/model.safetensors"), &whole[..whole.len() - 1]).unwrap();
    world.fails(&from).says(["is no whole safetensors file"]);
    fs::write(world.path("weights/model.safetensors.index.json"), "{}").unwrap();
    fs::remove_file(world.path("weights/model.safetensors")).unwrap();
    world
        .fails(&format!("{FINETUNE} weights"))
        .says(["lie in several files", "clipa-train import"]);
}

/// Of two hundred, `two_hundred_flipped_bytes_of_our_weights_are_errors` reads each.
#[test]
fn a_flipped_byte_of_our_weights_is_never_exported() {
    let world = trained("");
    let path = world.path(MODEL);
    let whole = fs::read(&path).unwrap();
    for place in [0, 9, 200, whole.len() / 2, whole.len() - 1] {
        let mut flipped = whole.clone();
        flipped[place] ^= 4;
        fs::write(&path, &flipped).unwrap();
        world.fails("export run --to open_clip --output there").says(["model.safetensors"]);
    }
    assert!(!world.path("there").exists());
}

#[test]
fn what_is_not_there_and_what_is_no_model_is_named() {
    let world = World::new();
    let fails = |words: &str, said: [&str; 2]| drop(world.fails(words).says(said));
    fails("import nowhere --output there", ["nowhere", "no such file or folder"]);
    fails("import hf-hub:org/name --output there", ["nothing is downloaded here", "--local-dir"]);
    fs::create_dir(world.path("empty")).unwrap();
    fails("import empty --output there", ["holds no weights", "name a run"]);
    fs::write(world.path("a.pt"), b"not a zip").unwrap();
    fails("import a.pt --output there", ["a.pt", "neither safetensors nor an archive"]);
    fs::write(world.path("a.safetensors"), [255u8; 64]).unwrap();
    fails("import a.safetensors --output there", ["a.safetensors", "header would have"]);
    fs::create_dir(world.path("two")).unwrap();
    for name in ["one.pt", "two.pt"] {
        fs::write(world.path("two").join(name), b"x").unwrap();
    }
    fails("import two --output there", ["2 files that may be weights", "one.pt"]);
    world.succeeds(PRETRAIN);
    fails("import run --output there", ["is a run of clipa-train", "--from"]);
    fails("export nowhere --to open_clip --output there", ["nowhere", "no such file"]);
    assert!(!world.path("there").exists());
}
