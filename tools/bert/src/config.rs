//! `config.json`, checked before anything is built.

use std::fs;
use std::path::{Path, PathBuf};

use clipa_schemas::file::sha256_hex;
use rust_bert::bert::BertConfig;
use rust_bert::mobilebert::MobileBertConfig;
use serde::Deserialize;

use super::files::{check_size, missing};
use super::labels::LabelNames;
use clipa_text::tagger::TaggerError;

/// Largest config.json, in bytes.
const CONFIG_BYTES_MAX: u64 = 1 << 20;
/// Largest width of a layer.
const WIDTH_MAX: i64 = 1 << 15;
/// Most layers.
const LAYERS_MAX: i64 = 96;
/// Least and most positions; a row never has more than [`ROW_POSITIONS_MAX`].
const POSITIONS: std::ops::RangeInclusive<i64> = 8..=1 << 13;
/// Positions of one row.
const ROW_POSITIONS_MAX: i64 = 512;
/// Most rows of the embedding table.
const VOCABULARY_MAX: i64 = 1 << 18;
/// Most labels.
const LABELS_MAX: usize = 1 << 10;

/// `config.json`.
pub(super) struct Config {
    path: PathBuf,
    sizes: Sizes,
    architecture: Architecture,
    hash: String,
}

/// The architectures that can be built, with rust-bert's configuration of each.
pub(super) enum Architecture {
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
    /// Only in MobileBERT's.
    embedding_size: Option<i64>,
    intra_bottleneck_size: Option<i64>,
    use_bottleneck: Option<bool>,
    num_feedforward_networks: Option<i64>,
}

/// The option of Hugging Face's tokenizer that must agree with ours.
#[derive(Deserialize)]
struct TokenizerOptions {
    do_lower_case: Option<bool>,
}

impl Config {
    pub(super) fn read(directory: &Path) -> Result<Config, TaggerError> {
        let path = directory.join("config.json");
        if !path.is_file() {
            return Err(missing("config.json", directory));
        }
        let bytes = read_small(&path)?;
        let wrong = |reason: String| TaggerError::format(&path, reason);
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
        let hash = sha256_hex(&bytes);
        Ok(Config { path, sizes, architecture, hash })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// The architecture's name (`bert`, `mobilebert`).
    pub(super) fn model_type(&self) -> &str {
        &self.sizes.model_type
    }

    pub(super) fn hash(&self) -> &str {
        &self.hash
    }

    /// Rows of the embedding table.
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

/// Our WordPiece is the uncased one; a model of cased text would get pieces that it was not trained on.
fn check_case(directory: &Path) -> Result<(), TaggerError> {
    let path = directory.join("tokenizer_config.json");
    if !path.is_file() {
        return Ok(());
    }
    let wrong = |reason: String| TaggerError::format(&path, reason);
    let options: TokenizerOptions =
        serde_json::from_slice(&read_small(&path)?).map_err(|error| wrong(error.to_string()))?;
    if options.do_lower_case == Some(false) {
        return Err(wrong(
            "do_lower_case is false: only models of lower-case text are known".into(),
        ));
    }
    Ok(())
}

fn read_small(path: &Path) -> Result<Vec<u8>, TaggerError> {
    check_size(path, CONFIG_BYTES_MAX)?;
    fs::read(path).map_err(|source| TaggerError::read(path, source))
}
