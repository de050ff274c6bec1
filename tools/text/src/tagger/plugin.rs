//! The interface that every tagger implements.

use std::any::Any;

use clipa_schemas::penn::PennTag;

use crate::words::Words;

/// A word tokenizer and part-of-speech tagger.
///
/// A tagger brings its own word tokenizer, because a model is only as good as the words that it was trained on. The words
/// are those of the raw caption, as in CLIPA, which tags before it cleans.
///
/// All workers share one tagger; what a worker keeps between captions is in its [`TagBuffers`].
pub trait Tagger: Send + Sync {
    /// Name, version and hash of what decides the result, for the manifest: two taggers with the same identity return the
    /// same words and tags for every caption.
    fn identity(&self) -> String;

    /// Appends the words of a raw caption.
    fn words(&self, caption: &str, buffers: &mut TagBuffers, words: &mut Words);

    /// Appends one tag a word.
    fn tag(&self, words: &Words, buffers: &mut TagBuffers, tags: &mut Vec<PennTag>);

    /// The tags of several captions; a tagger that is faster on batches overrides this.
    fn tag_all(&self, captions: &[Words], buffers: &mut TagBuffers) -> Vec<Vec<PennTag>> {
        let tags = |words: &Words| {
            let mut tags = Vec::with_capacity(words.len());
            self.tag(words, buffers, &mut tags);
            tags
        };
        captions.iter().map(tags).collect()
    }
}

/// What a worker keeps between captions so that its tagger need not allocate. Each tagger has a type of buffers of its own.
#[derive(Default)]
pub struct TagBuffers {
    buffers: Option<Box<dyn Any + Send + Sync>>,
}

impl TagBuffers {
    /// The buffers of type `B`: those of the last call, or new ones if the last call was for another type.
    pub fn get<B: Any + Default + Send + Sync>(&mut self) -> &mut B {
        if !self.buffers.as_ref().is_some_and(|buffers| buffers.is::<B>()) {
            self.buffers = Some(Box::<B>::default());
        }
        let buffers = self.buffers.as_mut().and_then(|buffers| buffers.downcast_mut());
        buffers.expect("buffers of this type were made above")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_kept_until_another_type_is_used() {
        let mut buffers = TagBuffers::default();
        buffers.get::<String>().push('a');
        buffers.get::<String>().push('b');
        assert_eq!(buffers.get::<String>(), "ab");
        assert!(buffers.get::<Vec<u8>>().is_empty());
        assert_eq!(buffers.get::<String>(), "");
    }
}
