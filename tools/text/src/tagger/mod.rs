//! Parts of speech: the plug-in point and the taggers that ship with clipa.
//!
//! ```text
//! registry ──► perceptron, nltk, bert ──► plugin (the trait), error
//! corpus, evaluation (how often a tagger agrees with a treebank) ──► plugin, sentence
//! ```
//!
//! A tagger is a plug-in: a module that implements [`Tagger`], and one row of `registry`. Users open one through
//! [`TaggerChoice`].

#[cfg(feature = "bert")]
mod bert;
pub mod corpus;
mod error;
pub mod evaluation;
mod nltk;
mod perceptron;
mod plugin;
mod registry;
mod sentence;

pub use error::TaggerError;
pub use plugin::{TagBuffers, Tagger};
pub use registry::{Round, TaggerChoice, Training, perceptron_with_weights, train_perceptron};
pub use sentence::Sentence;
