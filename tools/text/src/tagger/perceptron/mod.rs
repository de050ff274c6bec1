//! The embedded tagger: an averaged perceptron over hashed features, trained by `clipa-prep tagger train`.
//!
//! Greedy, from left to right, as Collins (2002, "Discriminative Training Methods for Hidden Markov Models") and Honnibal's
//! tagger in NLTK do it; ours sees more (`features`): affixes up to four letters, the shape of words, pairs of words,
//! and which tags the following words can have. Weights are integers from training to use, so a run repeats bit for bit
//! on every machine.

mod features;
mod file;
mod hash;
mod lexicon;
mod tagger;
mod training;
mod variants;
mod weights;
mod word_form;

pub(super) use tagger::PerceptronTagger;
pub use training::{Round, Training, train};
