//! Weights from other programs, and to them: open_clip, PyTorch's checkpoints, Hugging Face's `CLIPModel`.
//!
//! ```text
//! FROM ──► Located ──► Opened (names and shapes) ──► Weights ──► Export ──► open_clip or Hugging Face
//!                        safetensors, sharded,          ▲
//!                        .pt through a pickle reader    └── open_clip_config.json, config.json, recipe.toml, or a recipe that is named
//!                        that executes nothing
//! ```
//! Everything that is read is untrusted. Configurations are obeyed or refused by key; what another program has no word for is refused,
//! or written as the nearest that it has, and said: on the terminal and in the model card.

mod archive;
mod card;
mod error;
mod export;
mod folder;
mod hugging_face;
mod located;
mod moments;
mod opened;
mod pickle;
mod provenance;
#[cfg(test)]
mod tests;
mod tokenizer;
mod torch_file;
mod weights;

pub use self::{
    error::ExchangeError,
    export::{Export, OPEN_CLIP_MODEL, Target, TokenizerFiles},
    moments::Moments,
    weights::{Description, IMPORTED, Weights},
};
