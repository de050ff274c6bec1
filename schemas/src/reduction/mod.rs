//! Token reduction: which tokens of an image or a caption a stage reads.
//!
//! CLIPA (Li, Wang, Xie 2023) shortens both sequences in pre-training. Images: [`image`] (`resize` is the stage's
//! smaller image size, the three masks choose patches). Text: [`text`] (truncate, random, block, syntax).
//! All are pure functions of what is stored and a seed, so that the inspector shows what the model will read.

pub mod image;
pub mod text;
