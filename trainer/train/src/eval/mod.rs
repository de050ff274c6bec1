//! How good a model is: zero-shot classification.

mod error;
mod report;
mod zero_shot;

pub use self::{
    error::EvalError,
    report::{ClassReport, Hits, ZeroShotReport},
    zero_shot::zero_shot,
};
