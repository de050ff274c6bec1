//! Which tokenizers and which tagger; opened once, shared by all workers.

use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::Arc;

use crate::clip_bpe::{Merges, VocabularyError};
use crate::parts::TextParts;
use crate::tagger::{TaggerChoice, TaggerError};
use crate::wordpiece::{WordPiece, WordPieceError};

/// A tokenizer or tagger that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// CLIP's vocabulary is not what it should be.
    #[error(transparent)]
    Vocabulary(#[from] VocabularyError),
    /// The tagger cannot be opened.
    #[error(transparent)]
    Tagger(#[from] TaggerError),
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
            let tagger = scope.spawn(|| self.tagger.open());
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

    /// Whether rows have part-of-speech tags.
    pub fn is_tagged(&self) -> bool {
        !self.tagger.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let tagger = format!("nltk:{}", folder.path().display()).parse().unwrap();
        let error = TextConfig { tagger, ..TextConfig::default() }.open().err().unwrap();
        assert!(error.to_string().contains("weights.json"), "{error}");
        let bert_vocab = Some(folder.path().join("no.txt"));
        let error = TextConfig { bert_vocab, ..TextConfig::default() }.open().err().unwrap();
        assert!(error.to_string().contains("no.txt"), "{error}");
    }
}
