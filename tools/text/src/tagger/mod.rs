//! Parts of speech: the plug-in point and the taggers that ship with clipa.
//!
//! ```text
//! registry ──► perceptron, nltk ──► plugin (the trait), error
//! corpus, evaluation (how often a tagger agrees with a treebank) ──► plugin, sentence
//! ```
//!
//! A tagger is a plug-in: a module that implements [`Tagger`], and one row of `registry`; one that needs
//! more than this crate has a crate of its own, which the program [installs](install). Users open one through
//! [`TaggerChoice`].

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
pub use registry::{
    OpenTagger, Round, TaggerChoice, Training, install, perceptron_with_weights, train_perceptron,
};
pub use sentence::Sentence;
