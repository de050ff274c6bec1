//! clipa-train: CLIP models trained with CLIPA's reduced token lengths.
//!
//! ```text
//! recipe ──► run::Plan ──► run::Training ──► checkpoint ──► eval
//!                              ▲    │
//!                 stream ──────┘    └── step (model, loss), optimizer, schedule
//! weights of other programs ◄──► exchange
//! ```
//! A [recipe](clipa_recipe) is a model and its stages; a [`run`] is one stage on one data set in one folder. Everything random is a
//! function of the run's seed and the number of a sample, so that a run that was killed continues with the same losses. What is looked at while it goes on
//! is in [`watch`].
//! The trainer parses no caption and knows no tokenizer: it reads token ids that `clipa-prep` stored.

pub mod average;
pub mod checkpoint;
pub mod cli;
pub mod eval;
pub mod exchange;
pub mod facts;
pub mod loss;
pub mod memory;
pub mod model;
pub mod optimizer;
pub mod run;
mod seed;
pub mod step;
pub mod watch;
