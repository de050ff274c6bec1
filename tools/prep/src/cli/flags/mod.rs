//! Flags that several commands have, as they are on the command line. [`super::options`] checks them.

mod filter;
mod ingest;

pub use filter::FilterFlags;
pub use ingest::IngestFlags;
