//! The network: its configuration, checked before anything is built, and its weights, checked tensor by tensor.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use clipa_schemas::file::hex;
use rust_bert::bert::{BertConfig, BertForTokenClassification};
use rust_bert::mobilebert::{MobileBertConfig, MobileBertForTokenClassification};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tch::{Device, Kind, Tensor, nn::VarStore};

use super::{BertError, LabelNames};

/// Largest config.json, in bytes.
const CONFIG_BYTES_MAX: u64 = 1 << 20;
/// Largest file of weights, in bytes (BERT large has 1.3 GB).
const WEIGHTS_BYTES_MAX: u64 = 4 << 30;
/// Largest width of a layer.
const WIDTH_MAX: i64 = 1 << 15;
/// Most layers.
const LAYERS_MAX: i64 = 96;
/// Least and most positions; a row never has more than [`ROW_POSITIONS_MAX`].
const POSITIONS: std::ops::RangeInclusive<i64> = 8..=1 << 13;
/// Positions of one row.
const ROW_POSITIONS_MAX: i64 = 512;
/// Most rows of the table of pieces.
const VOCABULARY_MAX: i64 = 1 << 18;
/// Most labels.
const LABELS_MAX: usize = 1 << 10;
/// Names of the weights' file, the preferred one first.
const WEIGHTS: [&str; 3] = ["model.safetensors", "rust_model.ot", "model.ot"];

/// `config.json`.
pub(super) struct Config {
    path: PathBuf,
    sizes: Sizes,
    architecture: Architecture,
    hash: String,
}

enum Architecture {
    Bert(BertConfig),
    MobileBert(Box<MobileBertConfig>),
}

/// What is checked of a configuration, for both architectures.
#[derive(Deserialize)]
struct Sizes {
    model_type: String,
    hidden_size: i64,
    intermediate_size: i64,
    max_position_embeddings: i64,
    num_attention_heads: i64,
    num_hidden_layers: i64,
    type_vocab_size: i64,
    vocab_size: i64,
    #[serde(default)]
    id2label: LabelNames,
    /// MobileBERT's alone.
    embedding_size: Option<i64>,
    intra_bottleneck_size: Option<i64>,
    use_bottleneck: Option<bool>,
    num_feedforward_networks: Option<i64>,
}

/// What Hugging Face's tokenizer was told, where a folder has it.
#[derive(Deserialize)]
struct TokenizerOptions {
    do_lower_case: Option<bool>,
}

impl Config {
    pub(super) fn read(directory: &Path) -> Result<Config, BertError> {
        let path = directory.join("config.json");
        if !path.is_file() {
            let directory = directory.to_owned();
            return Err(BertError::Missing { what: "config.json", directory });
        }
        let bytes = read_small(&path)?;
        let wrong = |reason: String| BertError::Format { path: path.clone(), reason };
        let sizes: Sizes =
            serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
        sizes.check().map_err(wrong)?;
        let json = |error: serde_json::Error| wrong(error.to_string());
        let architecture = match sizes.model_type.as_str() {
            "bert" => Architecture::Bert(serde_json::from_slice(&bytes).map_err(json)?),
            "mobilebert" => {
                Architecture::MobileBert(Box::new(serde_json::from_slice(&bytes).map_err(json)?))
            }
            other => {
                let reason = format!("model_type is {other}: only bert and mobilebert are known");
                return Err(wrong(reason));
            }
        };
        check_case(directory)?;
        let hash = hex(&Sha256::digest(&bytes));
        Ok(Config { path, sizes, architecture, hash })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn architecture(&self) -> &str {
        &self.sizes.model_type
    }

    pub(super) fn hash(&self) -> &str {
        &self.hash
    }

    /// Rows of the table of pieces.
    pub(super) fn vocabulary(&self) -> i64 {
        self.sizes.vocab_size
    }

    pub(super) fn labels(&self) -> &LabelNames {
        &self.sizes.id2label
    }

    /// Pieces of a row between `[CLS]` and `[SEP]`.
    pub(super) fn row_pieces(&self) -> usize {
        (self.sizes.max_position_embeddings.min(ROW_POSITIONS_MAX) - 2) as usize
    }
}

impl Sizes {
    fn check(&self) -> Result<(), String> {
        let width = 1..=WIDTH_MAX;
        let one = Some(1);
        for (name, value, range) in [
            ("hidden_size", Some(self.hidden_size), &width),
            ("intermediate_size", Some(self.intermediate_size), &width),
            ("num_attention_heads", Some(self.num_attention_heads), &width),
            ("embedding_size", self.embedding_size.or(one), &width),
            ("intra_bottleneck_size", self.intra_bottleneck_size.or(one), &width),
            ("type_vocab_size", Some(self.type_vocab_size), &(1..=16)),
            ("num_feedforward_networks", self.num_feedforward_networks.or(one), &(1..=16)),
            ("num_hidden_layers", Some(self.num_hidden_layers), &(1..=LAYERS_MAX)),
            ("max_position_embeddings", Some(self.max_position_embeddings), &POSITIONS),
            ("vocab_size", Some(self.vocab_size), &(1..=VOCABULARY_MAX)),
        ] {
            if let Some(value) = value.filter(|value| !range.contains(value)) {
                return Err(format!("{name} is {value}, not in {range:?}"));
            }
        }
        let bottleneck = self.model_type == "mobilebert" && self.use_bottleneck.unwrap_or(true);
        let attended = match bottleneck {
            true => self.intra_bottleneck_size.unwrap_or(128),
            false => self.hidden_size,
        };
        if attended % self.num_attention_heads != 0 {
            return Err(format!(
                "num_attention_heads is {}, which does not divide {attended}",
                self.num_attention_heads
            ));
        }
        if self.id2label.len() > LABELS_MAX {
            return Err(format!("{} labels, more than {LABELS_MAX}", self.id2label.len()));
        }
        Ok(())
    }
}

/// Our WordPiece is the uncased one; a model of cased text would see pieces that it never learned.
fn check_case(directory: &Path) -> Result<(), BertError> {
    let path = directory.join("tokenizer_config.json");
    if !path.is_file() {
        return Ok(());
    }
    let wrong = |reason: String| BertError::Format { path: path.clone(), reason };
    let options: TokenizerOptions =
        serde_json::from_slice(&read_small(&path)?).map_err(|error| wrong(error.to_string()))?;
    if options.do_lower_case == Some(false) {
        return Err(wrong(
            "do_lower_case is false: only models of lower-case text are known".into(),
        ));
    }
    Ok(())
}

fn read_small(path: &Path) -> Result<Vec<u8>, BertError> {
    check_size(path, CONFIG_BYTES_MAX)?;
    fs::read(path).map_err(|source| BertError::Read { path: path.to_owned(), source })
}

fn check_size(path: &Path, most: u64) -> Result<(), BertError> {
    let path = path.to_owned();
    let bytes = match fs::metadata(&path) {
        Ok(metadata) => metadata.len(),
        Err(source) => return Err(BertError::Read { path, source }),
    };
    if bytes <= most {
        return Ok(());
    }
    Err(BertError::Format { path, reason: format!("{bytes} bytes, more than {most}") })
}

/// The weights as they were read; every network shares their memory.
pub(super) struct Weights {
    path: PathBuf,
    tensors: HashMap<String, Tensor>,
    hash: String,
}

impl Weights {
    pub(super) fn read(directory: &Path) -> Result<Weights, BertError> {
        let found = WEIGHTS.iter().map(|name| directory.join(name)).find(|path| path.is_file());
        let Some(path) = found else {
            let directory = directory.to_owned();
            let what = "model.safetensors, rust_model.ot or model.ot";
            return Err(BertError::Missing { what, directory });
        };
        check_size(&path, WEIGHTS_BYTES_MAX)?;
        let hash =
            hash_of(&path).map_err(|source| BertError::Read { path: path.clone(), source })?;
        let tensors = match path.extension() {
            Some(extension) if extension == "safetensors" => Tensor::read_safetensors(&path),
            _ => Tensor::load_multi(&path),
        };
        let first_line = |error: tch::TchError| {
            let message = error.to_string();
            message.lines().next().unwrap_or_default().to_owned()
        };
        let tensors = tensors.map_err(|error| BertError::Format {
            path: path.clone(),
            reason: format!("not a file of weights: {}", first_line(error)),
        })?;
        let tensors = tensors.into_iter().map(|(name, tensor)| (name, tensor.to_kind(Kind::Float)));
        Ok(Weights { path, tensors: tensors.collect(), hash })
    }

    pub(super) fn hash(&self) -> &str {
        &self.hash
    }

    /// A network with these weights; every tensor of it must be there in its shape.
    pub(super) fn network(&self, config: &Config) -> Result<Network, BertError> {
        let wrong = |reason| BertError::Format { path: self.path.clone(), reason };
        Network::new(&config.architecture, &self.tensors).map_err(wrong)
    }
}

fn hash_of(path: &Path) -> io::Result<String> {
    let mut digest = Sha256::new();
    io::copy(&mut File::open(path)?, &mut digest)?;
    Ok(hex(&digest.finalize()))
}

/// A network that one thread uses.
pub(super) enum Network {
    Bert(BertForTokenClassification),
    MobileBert(MobileBertForTokenClassification),
}

impl Network {
    fn new(config: &Architecture, weights: &HashMap<String, Tensor>) -> Result<Network, String> {
        let store = VarStore::new(Device::Cpu);
        let network = match config {
            Architecture::Bert(config) => {
                BertForTokenClassification::new(store.root(), config).map(Network::Bert)
            }
            Architecture::MobileBert(config) => {
                MobileBertForTokenClassification::new(store.root(), config).map(Network::MobileBert)
            }
        };
        let network = network.map_err(|error| error.to_string())?;
        let mut variables: Vec<(String, Tensor)> = store.variables().into_iter().collect();
        variables.sort_by(|left, right| left.0.cmp(&right.0));
        for (name, mut variable) in variables {
            let Some(weight) = weights.get(&name) else {
                return Err(format!(
                    "no tensor `{name}`: weights of another model than config.json's?"
                ));
            };
            let (found, wanted) = (weight.size(), variable.size());
            if found != wanted {
                return Err(format!("tensor `{name}` is {found:?}, config.json wants {wanted:?}"));
            }
            let set = tch::no_grad(|| variable.f_set_data(weight));
            set.map_err(|error| format!("tensor `{name}`: {error}"))?;
        }
        Ok(network)
    }

    /// The best label of every position, `[rows, ids / rows]`.
    ///
    /// On one thread of libtorch: those of the ingest are enough, and results do not depend on their number.
    pub(super) fn classify(&self, ids: &[i64], mask: &[i64], rows: usize) -> Vec<i64> {
        tch::set_num_threads(1);
        let _no_grad = tch::no_grad_guard();
        let shape = [rows as i64, (ids.len() / rows) as i64];
        let ids = Tensor::from_slice(ids).view(shape);
        let mask = Tensor::from_slice(mask).view(shape);
        let logits = match self {
            Network::Bert(network) => {
                network.forward_t(Some(&ids), Some(&mask), None, None, None, false).logits
            }
            Network::MobileBert(network) => {
                let output = network.forward_t(Some(&ids), None, None, None, Some(&mask), false);
                output.expect("ids are given, and that is all it asks for").logits
            }
        };
        let best = logits.argmax(-1, false).contiguous();
        let mut labels = vec![0i64; best.numel()];
        let count = labels.len();
        best.copy_data(&mut labels, count);
        labels
    }
}
