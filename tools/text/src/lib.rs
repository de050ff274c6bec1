//! clipa-text: from a raw caption to its stored token columns: cleaning, byte pairs, words and tags.
//!
//! ```text
//!            ┌─ clean ── clip_bpe ───────────────────────────► tokens
//!  caption ──┤
//!            └─ words (of the raw caption) ─┬─ tagger ───────► pos
//!                                           └─ clean, clip_bpe ► word_tokens, word_lengths
//! ```
//!
//! ```
//! use clipa_text::TextConfig;
//! let parts = TextConfig::default().open().unwrap();
//! let encoded = parts.encoder().encode("A photo of a dog.");
//! assert_eq!(encoded.clip_bpe.tokens, [320, 1125, 539, 320, 1929, 269]);
//! assert_eq!(encoded.words, 6);
//! ```

pub(crate) mod characters;
pub mod clean;
pub mod clip_bpe;
mod config;
mod encoder;
mod parts;
#[cfg(test)]
pub(crate) mod shared_data;
pub mod tagger;
mod vocabulary;
mod word_cache;
pub mod wordpiece;
pub mod words;

pub use config::{TextConfig, TextError};
pub use encoder::{CaptionEncoder, EncodedCaption, WORD_TOKENS_MAX};
pub use parts::TextParts;
pub use tagger::TaggerChoice;
