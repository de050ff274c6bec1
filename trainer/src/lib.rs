//! clipa-train.

pub mod stream;
