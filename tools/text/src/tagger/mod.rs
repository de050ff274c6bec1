//! Parts of speech: the plug-in point and the taggers that ship with clipa.
//!
//! A tagger brings its own word tokenizer, because a model is only as good as the words that it was trained on. The words
//! are those of the raw caption (the original tags before it cleans).

#[cfg(feature = "bert")]
pub mod bert;
pub mod corpus;
pub mod evaluation;
pub mod nltk;
pub mod perceptron;

use clipa_schemas::penn::PennTag;

use super::words::Words;

/// Something that cuts a caption into words and gives each a Penn tag.
///
/// One tagger is shared by all workers; what a caption needs beyond it is in [`TagBuffers`].
pub trait Tagger: Send + Sync {
    /// Name, version and hash of what decides the result, for the manifest: two taggers with the same identity give the
    /// same words and tags to every caption.
    fn identity(&self) -> String;

    /// Appends the words of a raw caption.
    fn words(&self, caption: &str, buffers: &mut TagBuffers, words: &mut Words);

    /// Appends one tag a word.
    fn tag(&self, words: &Words, buffers: &mut TagBuffers, tags: &mut Vec<PennTag>);

    /// The tags of several captions, which a tagger may do together where that is faster.
    fn tag_all(&self, captions: &[Words], buffers: &mut TagBuffers) -> Vec<Vec<PennTag>> {
        let tags = |words: &Words| {
            let mut tags = Vec::with_capacity(words.len());
            self.tag(words, buffers, &mut tags);
            tags
        };
        captions.iter().map(tags).collect()
    }
}

/// What a worker keeps between captions so that a tagger need not allocate.
#[derive(Default)]
pub struct TagBuffers {
    pub(crate) treebank: super::words::Treebank,
    pub(crate) perceptron: perceptron::WordBuffers,
    pub(crate) nltk: nltk::NltkBuffers,
}
