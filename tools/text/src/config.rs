//! Which tokenizers and which tagger; opened once, shared by all workers.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use super::clip_bpe::{Merges, VocabularyError};
use super::encoder::CaptionEncoder;
use super::tagger::Tagger;
use super::tagger::nltk::{NltkError, NltkTagger};
use super::tagger::perceptron::{PerceptronTagger, WeightsError};
use super::wordpiece::{WordPiece, WordPieceError};

/// Version of cleaning and word rules: rises when any caption gets other words or other ids than before.
const RULES_VERSION: u32 = 1;

/// Which tagger cuts captions into words and tags them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TaggerChoice {
    /// The one inside the binary.
    #[default]
    Perceptron,
    /// NLTK's word tokenizer and tagger, from a directory with its JSON weights and Punkt tables.
    Nltk(PathBuf),
    /// A BERT from a directory with its configuration, vocabulary and weights; needs the feature `bert`.
    Bert(PathBuf),
    /// No words and no tags; the syntax mask then has nothing to go by.
    None,
}

impl FromStr for TaggerChoice {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        match text.split_once(':') {
            None if text == "perceptron" => Ok(TaggerChoice::Perceptron),
            None if text == "none" => Ok(TaggerChoice::None),
            Some(("nltk", directory)) if !directory.is_empty() => {
                Ok(TaggerChoice::Nltk(directory.into()))
            }
            Some(("bert", directory)) if !directory.is_empty() => {
                Ok(TaggerChoice::Bert(directory.into()))
            }
            _ => Err(TextError::UnknownTagger { given: text.to_owned() }),
        }
    }
}

impl fmt::Display for TaggerChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TaggerChoice::Perceptron => f.write_str("perceptron"),
            TaggerChoice::Nltk(directory) => write!(f, "nltk:{}", directory.display()),
            TaggerChoice::Bert(directory) => write!(f, "bert:{}", directory.display()),
            TaggerChoice::None => f.write_str("none"),
        }
    }
}

/// A tokenizer or tagger that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// No tagger of this name.
    #[error("no tagger is called {given:?}; there are perceptron, nltk:DIR, bert:DIR and none")]
    UnknownTagger {
        /// What was asked for.
        given: String,
    },
    /// CLIP's vocabulary is not what it should be.
    #[error(transparent)]
    Vocabulary(#[from] VocabularyError),
    /// The embedded tagger is damaged.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// NLTK's files cannot be used.
    #[error(transparent)]
    Nltk(#[from] NltkError),
    /// The BERT tagger's files cannot be used.
    #[cfg(feature = "bert")]
    #[error(transparent)]
    Bert(#[from] super::tagger::bert::BertError),
    /// This program has no BERT inside.
    #[cfg(not(feature = "bert"))]
    #[error(
        "this program was built without the tagger bert:DIR, which needs libtorch\nhint: cargo build --release --features \
         clipa-tools/bert"
    )]
    NoBert,
    /// BERT's vocabulary cannot be used.
    #[error(transparent)]
    WordPiece(#[from] WordPieceError),
}

/// How captions become token columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextConfig {
    /// The tagger.
    pub tagger: TaggerChoice,
    /// BERT's `vocab.txt`, if captions are to be encoded with WordPiece too ([`WordPiece::in_cache`] finds one).
    pub bert_vocab: Option<PathBuf>,
}

impl TextConfig {
    /// Loads everything (less than 0.1 s with the embedded tagger), the tagger on a thread of its own.
    pub fn open(&self) -> Result<TextParts, TextError> {
        std::thread::scope(|scope| {
            let tagger = scope.spawn(|| self.open_tagger());
            let wordpiece = self.bert_vocab.as_deref().map(WordPiece::open).transpose()?;
            let merges = Merges::of_clip()?;
            Ok(TextParts {
                merges: Arc::new(merges),
                tagger: tagger.join().unwrap_or_else(|cause| resume_unwind(cause))?,
                wordpiece: wordpiece.map(Arc::new),
            })
        })
    }

    /// Names of the token columns, as in the shards.
    pub fn token_columns(&self) -> Vec<String> {
        let wordpiece = self.bert_vocab.is_some().then(|| "bert_wordpiece".to_owned());
        std::iter::once("clip_bpe".to_owned()).chain(wordpiece).collect()
    }

    /// Will rows carry part-of-speech tags?
    pub fn is_tagged(&self) -> bool {
        self.tagger != TaggerChoice::None
    }

    /// Loads the tagger alone; `None` for [`TaggerChoice::None`].
    pub fn open_tagger(&self) -> Result<Option<Arc<dyn Tagger>>, TextError> {
        match &self.tagger {
            TaggerChoice::Perceptron => Ok(Some(Arc::new(PerceptronTagger::embedded()?))),
            TaggerChoice::Nltk(directory) => Ok(Some(Arc::new(NltkTagger::open(directory)?))),
            #[cfg(feature = "bert")]
            TaggerChoice::Bert(directory) => {
                Ok(Some(Arc::new(super::tagger::bert::BertTagger::open(directory)?)))
            }
            #[cfg(not(feature = "bert"))]
            TaggerChoice::Bert(_) => Err(TextError::NoBert),
            TaggerChoice::None => Ok(None),
        }
    }
}

/// The loaded tables. Cheap to clone: the clones share them.
#[derive(Clone)]
pub struct TextParts {
    pub(super) merges: Arc<Merges>,
    pub(super) tagger: Option<Arc<dyn Tagger>>,
    pub(super) wordpiece: Option<Arc<WordPiece>>,
}

impl TextParts {
    /// An encoder for one worker.
    pub fn encoder(&self) -> CaptionEncoder {
        CaptionEncoder::new(self)
    }

    /// What decides the token columns, for the manifest: tokenizers and tagger with their hashes. Equal identities give
    /// equal columns.
    pub fn identity(&self) -> BTreeMap<String, String> {
        let tagger =
            self.tagger.as_ref().map_or_else(|| "none".to_owned(), |tagger| tagger.identity());
        let mut identity = BTreeMap::from([
            (
                "clip_bpe".to_owned(),
                format!("open_clip lower, merges sha256:{}", self.merges.hash()),
            ),
            ("tagger".to_owned(), tagger),
            ("text_rules".to_owned(), RULES_VERSION.to_string()),
        ]);
        if let Some(wordpiece) = &self.wordpiece {
            let name = format!("uncased, vocabulary sha256:{}", wordpiece.hash());
            identity.insert("bert_wordpiece".to_owned(), name);
        }
        identity
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tagger_is_named_as_it_is_read() {
        for name in ["perceptron", "none", "nltk:/some/folder", "bert:a folder"] {
            assert_eq!(name.parse::<TaggerChoice>().unwrap().to_string(), name);
        }
        for name in ["", "nltk", "nltk:", "Perceptron", "bert:"] {
            let error = name.parse::<TaggerChoice>().unwrap_err();
            assert!(error.to_string().contains(&format!("{name:?}")), "{error}");
        }
    }

    #[test]
    fn what_cannot_be_opened_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let config = TextConfig {
            tagger: TaggerChoice::Nltk(folder.path().into()),
            ..TextConfig::default()
        };
        let error = config.open().err().unwrap().to_string();
        let bert = TaggerChoice::Bert(folder.path().into());
        let bert = TextConfig { tagger: bert, ..TextConfig::default() }.open();
        assert!(bert.err().unwrap().to_string().contains("hint:"));
        assert!(error.contains("weights.json") && error.contains("hint:"), "{error}");
        let config =
            TextConfig { bert_vocab: Some(folder.path().join("no.txt")), ..TextConfig::default() };
        assert!(config.open().err().unwrap().to_string().contains("no.txt"));
    }
}
