//! The command lines: flags become checked configuration once, and the parts of the library are called.

pub mod classes;
pub mod inspect;
pub mod laion;
pub mod synth;
pub mod tagger;
pub mod takedown;

/// Greatest context length that is shown; CLIP's own is 77.
const MAX_CONTEXT_LENGTH: usize = 1024;

/// Tokens of a row that a model reads.
fn parse_context_length(text: &str) -> Result<usize, String> {
    let length = text.parse().ok().filter(|length| (3..=MAX_CONTEXT_LENGTH).contains(length));
    length.ok_or_else(|| format!("not a number from 3 to {MAX_CONTEXT_LENGTH}"))
}
