//! Classification sets for zero-shot evaluation: images with a class, and prompts made from class names.
//!
//! The images take the same way as pairs do ([`crate::ingest`]); the prompts are tokenized and tagged here, once,
//! so that the trainer needs neither tokenizer nor tagger. Which name goes with which class is understood or refused, never shifted or
//! permuted.

mod folders;
mod labels;
mod layout;
mod list_file;
mod names;
mod prompts;
mod python;
mod set;
mod templates;

pub use prompts::{DEFAULT_TEMPLATES, Written, write_prompts};
pub use set::{ClassSet, Files};
