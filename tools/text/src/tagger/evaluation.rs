//! How often a tagger agrees with a treebank, given the treebank's words.

use clipa_schemas::penn::{PennTag, WordClass};

use super::plugin::{TagBuffers, Tagger};
use super::sentence::Sentence;
use crate::words::Words;

/// Agreement on a corpus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agreement {
    /// All words.
    pub words: u64,
    /// Words with the right tag.
    pub tags: u64,
    /// Words with the right class (noun, adjective, verb, other), which is all that the syntax mask needs.
    pub classes: u64,
    /// By true class: words, and how many of them were tagged with that class.
    pub by_class: [(u64, u64); 4],
}

/// The classes in the order of [`Agreement::by_class`].
pub const CLASSES: [WordClass; 4] =
    [WordClass::Noun, WordClass::Adjective, WordClass::Verb, WordClass::Other];

/// Tags the words of every sentence and compares.
pub fn evaluate(tagger: &dyn Tagger, sentences: &[Sentence]) -> Agreement {
    let mut agreement = Agreement::default();
    let (mut buffers, mut tags) = (TagBuffers::default(), Vec::<PennTag>::new());
    for sentence in sentences {
        let words: Words = sentence.words.iter().map(String::as_str).collect();
        tags.clear();
        tagger.tag(&words, &mut buffers, &mut tags);
        for (truth, tag) in sentence.tags.iter().zip(&tags) {
            let same_class = truth.class() == tag.class();
            let class = &mut agreement.by_class[truth.class() as usize - 1];
            class.0 += 1;
            class.1 += u64::from(same_class);
            agreement.words += 1;
            agreement.tags += u64::from(truth == tag);
            agreement.classes += u64::from(same_class);
        }
    }
    agreement
}

#[cfg(test)]
mod tests {
    use super::super::corpus::read_corpus;
    use super::super::registry::TaggerChoice;
    use super::*;
    use crate::shared_data::shared_data;

    /// The figures of docs and README; a change of features or weights must not fall below them.
    #[test]
    fn the_embedded_tagger_on_the_treebanks_development_set() {
        let Some(data) = shared_data() else { return };
        let sentences = read_corpus(&data.join("text/pos/ewt_dev.tsv.gz")).unwrap();
        let tagger = TaggerChoice::default().open().unwrap().unwrap();
        let agreement = evaluate(tagger.as_ref(), &sentences);
        assert_eq!(agreement.words, 25_147);
        assert!(agreement.tags * 1000 >= agreement.words * 945, "{agreement:?}");
        assert!(agreement.classes * 1000 >= agreement.words * 974, "{agreement:?}");
    }
}
