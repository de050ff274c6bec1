//! What a model is made of, and what it costs; nothing here computes with tensors.

pub mod config;
pub mod cost;

pub use config::{InputSizes, ModelConfig, ModelConfigError};
