//! The folder of a data set that a program writes to: locked, guarded, and settled when it is opened.
//!
//! [`crate::ingest`] adds units to it, [`crate::edit`] takes rows out; both go through [`Output`], so that only one of
//! them writes at a time, and each finishes what the other left when it was killed.

mod lock;
mod output;
mod rowless;
mod settle;

pub use output::{Output, refuse_pending_takedown};
