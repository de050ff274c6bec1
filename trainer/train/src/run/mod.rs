//! A run: one stage of a recipe on one data set, in one folder.

mod error;
mod evaluation;
mod feed;
mod folder;
mod identity;
mod images;
mod inputs;
mod journal;
mod meter;
mod metrics;
mod micro_batch;
mod open_clip_config;
mod plan;
mod reading;
mod ready;
mod records;
mod results;
mod spikes;
#[cfg(test)]
mod tests;
mod timing;
mod training;

pub use self::{
    error::RunError,
    evaluation::{EvaluationPlan, Evaluations, Said},
    feed::Feed,
    folder::{IDENTITY, METRICS, OPEN_CLIP_CONFIG, RECIPE, RunFolder, recipe_of, record_of},
    identity::{Beginning, Identity, RunRecord, what_losses_depend_on},
    images::StageImages,
    journal::Journal,
    metrics::StepRecord,
    micro_batch::{MICRO_BATCH, MicroBatch, Settled, settle},
    open_clip_config::describe as open_clip_config,
    plan::{Plan, Resources},
    reading::stream_config,
    ready::{Unready, check_context, unfinished_data, unfinished_run},
    records::{OfStep, RecordsFile},
    results::{RESULTS, ResultRecord},
    spikes::{MAX_SKIPPED, OnSpike, SPIKES},
    timing::{Measured, Timing},
    training::{Outcome, Told, Training, Watching},
};
