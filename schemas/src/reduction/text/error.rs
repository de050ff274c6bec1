//! Why a caption cannot be reduced as asked.

/// The caption's stored columns do not allow this reduction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReductionError {
    /// The syntax masks need a tag for every word.
    #[error(
        "the syntax mask needs part-of-speech tags, and this data set was made with `--tagger none`: prepare it again with a \
         tagger, or choose truncate, random or block"
    )]
    NoTags,
    /// The syntax mask by vocabulary needs the vocabulary's tags.
    #[error(
        "syntax-vocab needs the tags of the vocabulary (vocabulary.parquet), which this data set does not have: prepare it \
         again with a tagger, or choose another reduction"
    )]
    NoVocabulary,
    /// `word_lengths` and `pos` or `word_tokens` contradict each other.
    #[error("word columns contradict each other: {words} words, {tags} tags")]
    Inconsistent {
        /// Entries of `word_lengths`.
        words: usize,
        /// Entries of `pos`.
        tags: usize,
    },
    /// The context has no room for the special tokens.
    #[error("context length {0} leaves no room for a token between the special ones")]
    ContextTooShort(usize),
}
