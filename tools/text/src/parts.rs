//! The loaded tokenizers and tagger, and what identifies them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::clip_bpe::Merges;
use crate::tagger::Tagger;
use crate::wordpiece::WordPiece;

/// Version of cleaning and word rules: rises when any caption gets other words or other ids than before.
const RULES_VERSION: u32 = 1;

/// The loaded tables. Cheap to clone: the clones share them.
#[derive(Clone)]
pub struct TextParts {
    pub(crate) merges: Arc<Merges>,
    pub(crate) tagger: Option<Arc<dyn Tagger>>,
    pub(crate) wordpiece: Option<Arc<WordPiece>>,
}

impl TextParts {
    /// What decides the token columns, for the manifest: tokenizers and tagger with their hashes. Equal identities mean
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
