//! Classification sets for zero-shot evaluation: images with a class, and prompts made from class names.
//!
//! The images take the same way as pairs do ([`crate::ingest`]); the prompts are tokenized and tagged here, once,
//! so that the trainer needs neither tokenizer nor tagger.

mod layout;
mod prompts;

pub use layout::{ClassSet, Files};
pub use prompts::{DEFAULT_TEMPLATES, write_prompts};
