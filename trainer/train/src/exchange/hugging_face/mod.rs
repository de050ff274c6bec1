//! Hugging Face's `CLIPModel`: configuration and names, both ways.
//!
//! It is OpenAI's CLIP and nothing else: a class token that is pooled, a layer norm before the first block, causal text that is pooled
//! at its end token. What of our models is so can be written; the rest is refused by key.

mod config;
mod names;

pub(super) use self::{
    config::{CONFIG, PREPROCESSOR, configuration, described, preprocessor, unsayable},
    names::{from_open_clip, is_hugging_face, to_open_clip},
};
