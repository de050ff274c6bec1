//! Flags that several commands have, as they are on the command line. `options` checks them.

mod filter;
mod ingest;

pub use filter::FilterFlags;
pub use ingest::IngestFlags;
