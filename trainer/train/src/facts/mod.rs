//! Facts that lie beside weights: what their configuration says of the model, against what the recipe says.
//!
//! Many of them leave no trace in the tensors' shapes: heads, activation, pooling, pixel statistics. With a wrong one the weights load,
//! and every figure is wrong. So they are read: obeyed where the recipe leaves them open, refused by name where it contradicts.

mod beside;
mod configuration;
mod error;
mod open_clip;
mod recipe;

pub use self::{
    beside::{Advice, advice, beside},
    configuration::{Configuration, open_clip_configuration},
    error::FactError,
    recipe::{STAGE, recipe_of},
};

use serde_json::Value;

/// One thing that a configuration says of the model.
#[derive(Clone, Debug, PartialEq)]
struct Fact {
    /// In its own words, `text_cfg.heads = 8`.
    says: String,
    /// The recipe's key.
    key: &'static str,
    /// The recipe's values that mean the same, the best first.
    values: Vec<Value>,
}

impl Fact {
    fn new(says: impl Into<String>, key: &'static str, value: impl Into<Value>) -> Fact {
        Fact { says: says.into(), key, values: vec![value.into()] }
    }

    /// Does the recipe's value mean the same?
    fn agrees(&self, ours: &Value) -> bool {
        self.values.iter().any(|value| match (value.as_f64(), ours.as_f64()) {
            (Some(theirs), Some(ours)) => (theirs - ours).abs() <= 1e-9 * theirs.abs().max(1e-9),
            _ => value == ours,
        })
    }
}
