//! Tiny networks of the real architectures with random weights. Their labels are noise; the tests check that they arrive at
//! the right words.

use std::fs;
use std::path::Path;

use clipa_schemas::penn::PennTag;
use rust_bert::Config as _;
use rust_bert::bert::{BertConfig, BertForTokenClassification};
use rust_bert::mobilebert::{MobileBertConfig, MobileBertForTokenClassification};
use rust_bert::pipelines::common::{ModelResource, ModelType};
use rust_bert::pipelines::pos_tagging::{POSConfig, POSModel};
use rust_bert::pipelines::token_classification::{
    LabelAggregationOption, TokenClassificationConfig,
};
use rust_bert::resources::LocalResource;
use serde_json::{Value, json};
use tch::{Device, nn};

use super::tagger::BertTagger;
use clipa_text::TaggerChoice;
use clipa_text::TextConfig;
use clipa_text::tagger::{TagBuffers, Tagger};
use clipa_text::words::Words;

const PIECES: &str = "[PAD] [UNK] [CLS] [SEP] [MASK] a dog on the grass run ##s my name is . , ##ning photo of small red";
const LABELS: [&str; 6] = ["NN", "JJ", "VBZ", "DT", "IN", "."];

fn config(model: &str) -> Value {
    let labels: serde_json::Map<String, Value> =
        (0..).zip(LABELS).map(|(id, label): (usize, _)| (id.to_string(), json!(label))).collect();
    let mut config = json!({
        "model_type": model, "hidden_act": "gelu", "attention_probs_dropout_prob": 0.1, "hidden_dropout_prob": 0.1,
        "hidden_size": 32, "initializer_range": 0.02, "intermediate_size": 64, "max_position_embeddings": 16,
        "num_attention_heads": 2, "num_hidden_layers": 2, "type_vocab_size": 2,
        "vocab_size": PIECES.split(' ').count(), "id2label": labels,
    });
    if model == "mobilebert" {
        let more = json!({
            "hidden_act": "relu", "embedding_size": 16, "trigram_input": true, "use_bottleneck": true,
            "use_bottleneck_attention": false, "intra_bottleneck_size": 16, "key_query_shared_bottleneck": true,
            "num_feedforward_networks": 2, "normalization_type": "no_norm", "classifier_activation": false,
        });
        let more = more.as_object().unwrap().clone();
        config.as_object_mut().unwrap().extend(more);
    }
    config
}

/// A folder with a network; weights far from 0, so that labels differ from word to word.
fn folder(model: &str, weights: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("vocab.txt"), PIECES.replace(' ', "\n") + "\n").unwrap();
    fs::write(path("config.json"), config(model).to_string()).unwrap();
    let store = nn::VarStore::new(Device::Cpu);
    match model {
        "bert" => drop(BertForTokenClassification::new(
            store.root(),
            &BertConfig::from_file(path("config.json")),
        )),
        _ => drop(MobileBertForTokenClassification::new(
            store.root(),
            &MobileBertConfig::from_file(path("config.json")),
        )),
    }
    let mut variables: Vec<_> = store.variables().into_iter().collect();
    variables.sort_by(|left, right| left.0.cmp(&right.0));
    let mut draw = clipa_schemas::random::Random::new(7);
    for (name, mut variable) in variables {
        // with random biases the label would not depend on the word
        let reach = if name.ends_with("bias") { 0.0 } else { 1.0 };
        let numbers: Vec<f32> =
            (0..variable.numel()).map(|_| reach * (draw.unit() as f32 - 0.5)).collect();
        let numbers = tch::Tensor::from_slice(&numbers).view(variable.size().as_slice());
        tch::no_grad(|| variable.copy_(&numbers));
    }
    store.save(path(weights)).unwrap();
    folder
}

fn captions() -> Vec<&'static str> {
    vec![
        "a small red dog is on the grass.",
        "",
        "My name is Dog, dog runs",
        "photo of a photo of a photo of a photo of a photo of a running dog, on the grass, the small red grass.",
        "日本 \u{feff} dog unknownword \u{200b}",
    ]
}

fn words(tagger: &BertTagger, caption: &str) -> Words {
    let mut words = Words::default();
    tagger.words(caption, &mut TagBuffers::default(), &mut words);
    words
}

#[test]
fn a_batch_has_the_tags_of_single_captions_on_any_number_of_threads() {
    for (model, weights) in [("bert", "model.safetensors"), ("mobilebert", "rust_model.ot")] {
        let folder = folder(model, weights);
        let tagger = BertTagger::open(folder.path()).unwrap();
        assert!(tagger.identity().starts_with(&format!("bert {model} config sha256:")));
        let cut: Vec<Words> = captions().iter().map(|caption| words(&tagger, caption)).collect();
        let together = tagger.tag_all(&cut, &mut TagBuffers::default());
        let mut seen = std::collections::BTreeSet::new();
        for (words, tags) in cut.iter().zip(&together) {
            let mut alone = Vec::new();
            tagger.tag(words, &mut TagBuffers::default(), &mut alone);
            assert_eq!((&alone, tags.len()), (tags, words.len()), "{model}");
            seen.extend(tags.iter().map(|tag| tag.name()));
        }
        assert!(seen.len() >= 3, "the network has one label for all words: {seen:?}");
        std::thread::scope(|scope| {
            let tag = || tagger.tag_all(&cut, &mut TagBuffers::default());
            let others: Vec<_> = (0..3).map(|_| scope.spawn(tag)).collect();
            for other in others {
                assert_eq!(other.join().unwrap(), together);
            }
        });
        // the unknown words of other scripts have a piece, those of which cleaning leaves nothing have none
        assert!(cut[4].iter().zip(&together[4]).all(|(word, tag)| {
            (*tag == PennTag::UNKNOWN) == (word.chars().all(|c| "\u{feff}\u{200b}".contains(c)))
        }));
    }
}

/// Compares with rust-bert's own pipeline, on text that both split into the same words.
#[test]
fn tags_are_those_of_rust_berts_pipeline() {
    for (model, kind) in [("bert", ModelType::Bert), ("mobilebert", ModelType::MobileBert)] {
        let folder = folder(model, "model.safetensors");
        let file = |name: &str| Box::new(LocalResource { local_path: folder.path().join(name) });
        let pipeline = POSModel::new(POSConfig::from(TokenClassificationConfig {
            model_type: kind,
            model_resource: ModelResource::Torch(file("model.safetensors")),
            config_resource: file("config.json"),
            vocab_resource: file("vocab.txt"),
            merges_resource: None,
            lower_case: true,
            strip_accents: Some(true),
            add_prefix_space: None,
            device: Device::Cpu,
            kind: None,
            label_aggregation_function: LabelAggregationOption::First,
            batch_size: 64,
        }))
        .unwrap();
        let tagger = BertTagger::open(folder.path()).unwrap();
        let captions =
            ["a small red dog is on the grass", "my dog runs on grass", "photo of the dog running"];
        for (caption, theirs) in captions.iter().zip(pipeline.predict(&captions)) {
            let words = words(&tagger, caption);
            let ours = tagger.tag_all(std::slice::from_ref(&words), &mut TagBuffers::default());
            let ours: Vec<(&str, &str)> =
                words.iter().zip(&ours[0]).map(|(word, tag)| (word, tag.name())).collect();
            let theirs: Vec<(&str, &str)> =
                theirs.iter().map(|tag| (tag.word.as_str(), tag.label.as_str())).collect();
            assert_eq!(ours, theirs, "{model}");
        }
    }
}

#[test]
fn a_caption_longer_than_the_positions_is_tagged_in_rows() {
    let folder = folder("bert", "model.safetensors");
    let tagger = BertTagger::open(folder.path()).unwrap();
    let long = "dog ".repeat(12_000) + &"\u{4e00}".repeat(20_000) + " dog";
    let words = words(&tagger, &long);
    let tags = tagger.tag_all(std::slice::from_ref(&words), &mut TagBuffers::default());
    assert_eq!(tags[0].len(), 12_002);
    // rows of 14 dogs each are all alike
    assert_eq!(tags[0][..14], tags[0][14..28]);
    assert!(tags[0].iter().all(|tag| *tag != PennTag::UNKNOWN));
}

#[test]
fn the_registry_opens_it_once_installed_and_the_encoder_uses_it() {
    super::install();
    let folder = folder("bert", "model.safetensors");
    let tagger: TaggerChoice = format!("bert:{}", folder.path().display()).parse().unwrap();
    let parts = TextConfig { tagger, ..TextConfig::default() }.open().unwrap();
    assert!(parts.identity()["tagger"].starts_with("bert bert config"));
    let encoded = parts.encoder().encode("A small dog.");
    assert_eq!((encoded.words, encoded.pos.len()), (4, 4));
    assert_eq!(parts.vocabularies(2)[0].pieces.len(), 49_408);
}

#[test]
fn every_defect_of_the_folder_is_an_error_that_names_it() {
    let good = folder("bert", "model.safetensors");
    let error = |change: &dyn Fn(&Path)| {
        let copy = tempfile::tempdir().unwrap();
        for name in ["config.json", "vocab.txt", "model.safetensors"] {
            fs::copy(good.path().join(name), copy.path().join(name)).unwrap();
        }
        change(copy.path());
        BertTagger::open(copy.path()).err().expect("a defect is an error").to_string()
    };
    let changed = |key: &str, value: Value| {
        let mut config = config("bert");
        config[key] = value;
        error(&|folder| fs::write(folder.join("config.json"), config.to_string()).unwrap())
    };
    assert!(error(&|folder| fs::remove_dir_all(folder).unwrap()).contains("no config.json in"));
    for name in ["config.json", "vocab.txt", "model.safetensors"] {
        let missing = error(&|folder| fs::remove_file(folder.join(name)).unwrap());
        assert!(missing.contains(&format!("no {name}")) && missing.contains("hint:"), "{missing}");
        let cut = error(&|folder| {
            let bytes = fs::read(folder.join(name)).unwrap();
            fs::write(folder.join(name), &bytes[..bytes.len() / 8]).unwrap();
        });
        assert!(cut.contains(name), "{cut}");
        let noise = error(&|folder| fs::write(folder.join(name), [0xC3, 0x28, 7, 0]).unwrap());
        assert!(noise.contains(name), "{noise}");
    }
    for (key, value, expected) in [
        ("model_type", json!("t5"), "model_type is t5"),
        ("hidden_size", json!(64), "config.json wants"),
        ("hidden_size", json!(1e12 as i64), "hidden_size is"),
        ("num_attention_heads", json!(5), "does not divide 32"),
        ("num_attention_heads", json!(0), "num_attention_heads is 0"),
        ("num_hidden_layers", json!(3), "no tensor `bert.encoder.layer.2"),
        ("max_position_embeddings", json!(2), "max_position_embeddings is 2"),
        ("vocab_size", json!(5), "22 pieces, and config.json says 5"),
        ("vocab_size", json!(1000), "22 pieces, and config.json says 1000"),
        ("id2label", json!({"0": "B-PER", "1": "O"}), "[6], config.json wants [2]"),
        ("id2label", json!({}), "config.json wants [0]"),
        ("hidden_act", json!("none"), "unknown variant"),
    ] {
        let message = changed(key, value);
        assert!(message.contains(expected), "{key}: {message}");
    }
    let labels: serde_json::Map<String, Value> =
        (0..6).map(|id: usize| (id.to_string(), json!("B-PER"))).collect();
    assert!(changed("id2label", labels.into()).contains("does not tag parts of speech"));
    let cased = error(&|folder| {
        fs::write(folder.join("tokenizer_config.json"), r#"{"do_lower_case": false}"#).unwrap();
    });
    assert!(cased.contains("do_lower_case is false"), "{cased}");
    let other = folder("mobilebert", "model.safetensors");
    let mixed = error(&|folder| {
        fs::copy(other.path().join("model.safetensors"), folder.join("model.safetensors")).unwrap();
    });
    assert!(mixed.contains("weights of another model"), "{mixed}");
}
