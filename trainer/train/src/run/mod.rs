//! A run: one stage of a recipe on one data set, in one folder.

mod error;
mod folder;
mod identity;
mod images;
mod inputs;
mod metrics;
mod micro_batch;
mod open_clip_config;
mod plan;
mod ready;
#[cfg(test)]
mod tests;
mod training;

pub use self::{
    error::RunError,
    folder::{IDENTITY, METRICS, OPEN_CLIP_CONFIG, RECIPE, RunFolder, recipe_of, record_of},
    identity::{Beginning, Identity, RunRecord, what_losses_depend_on},
    images::StageImages,
    metrics::{MetricsFile, StepRecord},
    micro_batch::{MICRO_BATCH, MicroBatch, Settled, settle},
    open_clip_config::describe as open_clip_config,
    plan::{Plan, Resources, stream_config},
    ready::{Unready, check_context, unfinished_data, unfinished_run},
    training::{Outcome, Training},
};
