//! The tagger: greedy decisions from left to right.

use clipa_schemas::file::sha256_hex;
use clipa_schemas::penn::PennTag;

use super::features::CaptionFeatures;
use super::file;
use super::lexicon::Lexicon;
use super::weights::Weights;
use crate::tagger::error::TaggerError;
use crate::tagger::plugin::{TagBuffers, Tagger};
use crate::words::{Treebank, Words};

/// The perceptron tagger. Words by [`Treebank::caption_words`], tags by an averaged perceptron.
pub(crate) struct PerceptronTagger {
    lexicon: Lexicon,
    weights: Weights,
    hash: String,
}

/// What `clipa-prep tagger train` wrote; the README beside it has the source and the licence.
static EMBEDDED: &[u8] = include_bytes!("weights.bin");

impl PerceptronTagger {
    /// The tagger that is part of the binary.
    pub(crate) fn embedded() -> Result<PerceptronTagger, TaggerError> {
        PerceptronTagger::from_bytes(EMBEDDED)
    }

    /// The tagger in the bytes of a weights file.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<PerceptronTagger, TaggerError> {
        let (lexicon, weights) = file::read(bytes)?;
        Ok(PerceptronTagger { lexicon, weights, hash: sha256_hex(bytes) })
    }
}

impl Tagger for PerceptronTagger {
    fn identity(&self) -> String {
        format!("perceptron sha256:{}", self.hash)
    }

    fn words(&self, caption: &str, buffers: &mut TagBuffers, words: &mut Words) {
        buffers.get::<Buffers>().treebank.caption_words(caption, words);
    }

    fn tag(&self, words: &Words, buffers: &mut TagBuffers, tags: &mut Vec<PennTag>) {
        let caption = &mut buffers.get::<Buffers>().features;
        caption.extract(words, &self.lexicon);
        let (mut previous, mut previous2) = (0, 0);
        for index in 0..words.len() {
            let tag = caption.certain(index).unwrap_or_else(|| {
                PennTag::from_byte(self.weights.best(&caption.features(index, previous, previous2)))
            });
            tags.push(tag);
            (previous2, previous) = (previous, tag.byte());
        }
    }
}

/// What a worker keeps for this tagger between captions.
#[derive(Default)]
struct Buffers {
    treebank: Treebank,
    features: CaptionFeatures,
}
