//! How a stage reads a data set.

use clipa_recipe::{Recipe, Stage};
use clipa_stream::StreamConfig;

/// How a stage's sizes, tokens and filter are read, without augmentation.
pub fn stream_config(recipe: &Recipe, stage: &Stage, workers: usize) -> StreamConfig {
    let tokenizer = recipe.model.text.tokenizer;
    StreamConfig {
        augment: stage.augment.resize_mode.augment(),
        filter: stage.augment.filter,
        context_length: stage.context_length as usize,
        text: stage.text_reduction,
        captions: stage.captions.clone(),
        tokenizer: tokenizer.column().to_owned(),
        specials: stage.specials(tokenizer),
        workers,
        ..StreamConfig::new(stage.image_size as u32, stage.batch as usize)
    }
}
