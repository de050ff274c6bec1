//! The network and its weights, which are checked tensor by tensor.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use clipa_schemas::file::hex;
use rust_bert::bert::BertForTokenClassification;
use rust_bert::mobilebert::MobileBertForTokenClassification;
use sha2::{Digest, Sha256};
use tch::{Device, Kind, Tensor, nn::VarStore};

use super::config::{Architecture, Config};
use super::files::{check_size, missing};
use clipa_text::tagger::TaggerError;

/// Largest file of weights, in bytes (BERT large has 1.3 GB).
const WEIGHTS_BYTES_MAX: u64 = 4 << 30;
/// Names of the weights' file, the preferred one first.
const WEIGHTS: [&str; 3] = ["model.safetensors", "rust_model.ot", "model.ot"];

/// The weights as they were read; every network shares their memory.
pub(super) struct Weights {
    path: PathBuf,
    tensors: HashMap<String, Tensor>,
    hash: String,
}

impl Weights {
    pub(super) fn read(directory: &Path) -> Result<Weights, TaggerError> {
        let found = WEIGHTS.iter().map(|name| directory.join(name)).find(|path| path.is_file());
        let Some(path) = found else {
            return Err(missing("model.safetensors, rust_model.ot or model.ot", directory));
        };
        check_size(&path, WEIGHTS_BYTES_MAX)?;
        let hash = hash_of(&path).map_err(|source| TaggerError::read(&path, source))?;
        let tensors = match path.extension() {
            Some(extension) if extension == "safetensors" => Tensor::read_safetensors(&path),
            _ => Tensor::load_multi(&path),
        };
        let first_line = |error: tch::TchError| {
            let message = error.to_string();
            message.lines().next().unwrap_or_default().to_owned()
        };
        let tensors = tensors.map_err(|error| {
            TaggerError::format(&path, format!("not a file of weights: {}", first_line(error)))
        })?;
        let tensors = tensors.into_iter().map(|(name, tensor)| (name, tensor.to_kind(Kind::Float)));
        Ok(Weights { path, tensors: tensors.collect(), hash })
    }

    pub(super) fn hash(&self) -> &str {
        &self.hash
    }

    /// A network with these weights; every tensor of it must be there in its shape.
    pub(super) fn network(&self, config: &Config) -> Result<Network, TaggerError> {
        Network::new(config.architecture(), &self.tensors)
            .map_err(|reason| TaggerError::format(&self.path, reason))
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
