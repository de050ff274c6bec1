//! clipa-bert: a BERT or MobileBERT for part-of-speech tags, read from a folder; rust-bert's networks on libtorch.
//!
//! The words are the embedded tagger's. Each goes through our own WordPiece, and the tag of a word is the label of its
//! first piece, as in rust-bert's pipeline. The pipeline itself is not used: it tokenizes plain text by other rules, and
//! where an input needs more than one batch it assigns the labels to the wrong words (`predict` counts from 0 in each).

mod config;
mod files;
mod labels;
mod network;
mod tagger;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use tagger::BertTagger;

/// What `--tagger` calls it.
const NAME: &str = "bert";

/// Lets `--tagger bert:DIR` open this tagger in the program that calls it, before it reads its command line.
pub fn install() {
    clipa_text::tagger::install(NAME, |directory| Ok(Arc::new(BertTagger::open(directory)?)));
}
