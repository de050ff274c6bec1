//! clipa-prep: prepares image-text data once, offline, losing nothing.
//!
//! ```text
//! tar ──► archive ──► clipa_text ─► ingest ──► dataset (the folder) ◄── edit (takedown, dedup)
//!                └──► image ────────┘  ▲
//! clipa_synth (draws tars)            classes (folders, prompts)
//! ```

pub mod archive;
pub mod classes;
pub mod cli;
pub mod dataset;
pub mod edit;
pub mod foreign_table;
pub mod image;
pub mod image_choice;
pub mod ingest;
pub mod lists;
