//! How good a model is: zero-shot classification, retrieval, and its embeddings.
//!
//! ```text
//! what was asked for ──► subject (weights, recipe) ──► model at some lengths ─┐
//! data set ──► set (task) ──► zero_shot, retrieval ──► encoder, ranks ◄───────┘
//!                                      └──► report ──► results
//! ```

mod embed;
mod encoder;
mod error;
mod hits;
mod lengths;
mod predictions;
mod prompts;
pub mod ranks;
mod report;
mod results;
mod retrieval;
mod set;
mod subject;
#[cfg(test)]
mod tests;
mod zero_shot;

pub use self::{
    embed::{Embedded, embed},
    encoder::Encoder,
    error::{Encoded, EvalError},
    hits::{ClassReport, Hits, ZeroShotReport},
    lengths::{Asked, Lengths, positions_of},
    predictions::evaluate_predicting,
    report::Report,
    results::Results,
    retrieval::RetrievalReport,
    set::{EvalSet, Reading, Task},
    subject::Subject,
    zero_shot::Ranked,
};
