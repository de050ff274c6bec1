//! A run: one stage of a recipe on one data set, in one folder.

mod error;
mod evaluation;
mod folder;
mod identity;
mod images;
mod inputs;
mod metrics;
mod micro_batch;
mod open_clip_config;
mod plan;
mod reading;
mod ready;
mod results;
#[cfg(test)]
mod tests;
mod training;

pub use self::{
    error::RunError,
    evaluation::{EvaluationPlan, Evaluations, Said},
    folder::{IDENTITY, METRICS, OPEN_CLIP_CONFIG, RECIPE, RunFolder, recipe_of, record_of},
    identity::{Beginning, Identity, RunRecord, what_losses_depend_on},
    images::StageImages,
    metrics::{MetricsFile, StepRecord},
    micro_batch::{MICRO_BATCH, MicroBatch, Settled, settle},
    plan::{Plan, Resources},
    reading::stream_config,
    ready::{Unready, check_context, unfinished_data, unfinished_run},
    results::{RESULTS, ResultRecord},
    training::{Outcome, Training},
};
