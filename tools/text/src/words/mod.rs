//! Splits a caption into words, as NLTK's `word_tokenize` does: sentences first, then the rules of the Penn Treebank.
//!
//! `treebank` is NLTK's `NLTKWordTokenizer`, rule for rule. Sentence ends matter only to periods: the last
//! period of a sentence becomes a word of its own, any other stays with its word. NLTK decides it with Punkt, whose
//! tables are read from a directory ([`Punkt`]); without them [`sentences_by_rule`] decides.

mod punkt;
mod sentences;
mod treebank;
mod word_list;

pub use punkt::{Punkt, PunktError, Sentences};
pub use sentences::sentences_by_rule;
pub use treebank::Treebank;
pub use word_list::Words;
