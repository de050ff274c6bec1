//! clipa-prep and clipa-inspect: image-text data prepared once, offline, and looked at.
//!
//! ```text
//! tar ──► archive ──► text ───► ingest ──► clipa_schemas::shard ──► inspect
//!                └──► image ──┘      ▲
//! synth (draws tars)                classes (folders, prompts)
//! ```

pub mod archive;
pub mod classes;
pub mod cli;
pub mod foreign_table;
pub mod image;
pub mod ingest;
pub mod inspect;
pub mod lists;
pub mod parallel;
pub mod printer;
pub mod recipe;
pub mod synth;
pub mod takedown;
pub mod text;
