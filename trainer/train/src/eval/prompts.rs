//! The prompts of a classification set, as the model reads them.

use std::path::Path;

use clipa_schemas::{
    manifest::Manifest,
    prompts::{self, Prompts},
    reduction::text::{TextReduction, reduce},
};
use clipa_stream::StreamConfig;

use super::EvalError;

/// Prompts and their rows of token ids.
#[derive(Debug)]
pub(super) struct TokenizedPrompts {
    pub(super) prompts: Prompts,
    /// `[P, C]`.
    pub(super) tokens: Vec<i64>,
}

impl TokenizedPrompts {
    /// Reads and checks the prompts of a set.
    ///
    /// # Errors
    /// No prompts for the model's tokenizer, a prompt that does not fit, a class without one.
    pub(super) fn read(
        dataset: &Path,
        config: &StreamConfig,
        vocab_size: i64,
    ) -> Result<TokenizedPrompts, EvalError> {
        if let Some(digest) = Manifest::read(dataset)?.prompts {
            digest.verify(dataset)?;
        }
        let prompts = prompts::read(dataset, &config.tokenizer)?;
        let mut has_prompt = vec![false; prompts.classes()];
        prompts.class.iter().for_each(|&class| has_prompt[class as usize] = true);
        if let Some(class) = has_prompt.iter().position(|has_prompt| !has_prompt) {
            return Err(EvalError::ClassWithoutPrompt { path: dataset.into(), class });
        }
        let tokens = tokens(&prompts, dataset, config, vocab_size)?;
        Ok(TokenizedPrompts { prompts, tokens })
    }
}

/// Masks are off in evaluation; a choice of words is none.
pub(super) fn evaluated(reduction: TextReduction) -> TextReduction {
    match reduction {
        TextReduction::Random | TextReduction::Block => TextReduction::Truncate,
        kept => kept,
    }
}

fn tokens(
    prompts: &Prompts,
    dataset: &Path,
    config: &StreamConfig,
    vocab_size: i64,
) -> Result<Vec<i64>, EvalError> {
    let mut row = vec![0u16; config.context_length];
    let mut tokens = Vec::with_capacity(prompts.len() * row.len());
    for (place, prompt) in prompts.prompt.iter().enumerate() {
        reduce(config.text, prompts.texts.get(place), config.specials, 0, &mut row).map_err(
            |source| EvalError::Prompt { path: dataset.into(), prompt: prompt.clone(), source },
        )?;
        if let Some(&token) = row.iter().find(|&&token| i64::from(token) >= vocab_size) {
            let (path, prompt) = (dataset.into(), prompt.clone());
            return Err(EvalError::Token { path, prompt, token });
        }
        tokens.extend(row.iter().map(|&token| i64::from(token)));
    }
    Ok(tokens)
}
