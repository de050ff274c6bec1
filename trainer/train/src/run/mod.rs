//! A run: one stage of a recipe on one data set, in one folder.

mod error;
mod folder;
mod inputs;
mod metrics;
mod micro_batch;
mod open_clip_config;
mod plan;
#[cfg(test)]
mod tests;
mod training;

pub use self::{
    error::RunError,
    folder::{IDENTITY, Identity, METRICS, OPEN_CLIP_CONFIG, RECIPE, RunFolder, recipe_of},
    metrics::{MetricsFile, StepRecord},
    micro_batch::{MICRO_BATCH, MicroBatch, Settled, settle},
    plan::{Plan, Resources, stream_config},
    training::{Outcome, Training},
};
