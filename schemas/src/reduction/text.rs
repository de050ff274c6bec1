//! The text reductions of CLIPA over stored token ids: truncate, random mask, block mask, syntax mask.
//!
//! ```
//! use clipa_schemas::{reduction::text::*, text::StoredText};
//! let caption = StoredText { tokens: &[5, 6, 7, 8, 9], ..Default::default() };
//! let mut row = [0u16; 5];
//! reduce(TextReduction::Truncate, caption, Specials::CLIP_BPE, 0, &mut row).unwrap();
//! assert_eq!(row, [49406, 5, 6, 7, 49407]);
//! ```

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    penn::{PennTag, WordClass},
    random::Random,
    text::StoredText,
};

/// Which tokens of a caption that is longer than the context are kept. Order is always kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum TextReduction {
    /// The first ones.
    Truncate,
    /// A uniformly random subset of them.
    Random,
    /// A contiguous run that starts at a uniformly random place.
    Block,
    /// The words that say most: nouns first, then adjectives, verbs, others; among equals the earlier word.
    /// Words are counted, as the original does, so that a word of several pieces can push a later one out.
    Syntax,
    /// The same order of preference, but the budget is counted in word pieces and a word is taken only whole, so
    /// that no noun is cut by a long one. Not in CLIPA; ours.
    SyntaxPieces,
}

/// The special tokens that a tokenizer puts around a caption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Specials {
    /// First token of every row.
    pub start: u16,
    /// Token after the last one, where the tokenizer has one.
    pub end: Option<u16>,
    /// What fills the rest of the row.
    pub pad: u16,
}

/// The caption's stored columns do not allow this reduction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReductionError {
    /// The syntax masks need a tag for every word.
    #[error(
        "the syntax mask needs part-of-speech tags, and this data set was made with `--tagger none`"
    )]
    NoTags,
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

impl Specials {
    /// open_clip's BPE tokenizer: `<start_of_text>` 49406, `<end_of_text>` 49407, padded with 0.
    pub const CLIP_BPE: Specials = Specials { start: 49406, end: Some(49407), pad: 0 };

    /// BERT WordPiece as CLIPA v2 trained with it: `[CLS]` 101, no `[SEP]`, padded with 0.
    pub const BERT_CLIPA: Specials = Specials { start: 101, end: None, pad: 0 };

    fn count(self) -> usize {
        1 + usize::from(self.end.is_some())
    }
}

/// Fills `row` (its length is the context length) with the caption's reduced tokens: start, kept tokens, end, padding.
///
/// `seed` names sample and epoch; only the random reductions read it. Source: CLIPA's tokenizers (clipa_torch,
/// open_clip), with the ties of the syntax mask defined: the earlier word wins.
///
/// # Errors
/// [`ReductionError`] where the stored columns or the context length do not allow the reduction.
pub fn reduce(
    reduction: TextReduction,
    caption: StoredText<'_>,
    specials: Specials,
    seed: u64,
    row: &mut [u16],
) -> Result<(), ReductionError> {
    let context = row.len();
    let budget = context
        .checked_sub(specials.count())
        .filter(|&budget| budget > 0)
        .ok_or(ReductionError::ContextTooShort(context))?;
    let mut row = Row { tokens: row, filled: 0, limit: 1 + budget };
    row.tokens[0] = specials.start;
    row.filled = 1;
    match reduction {
        TextReduction::Truncate => row.extend(caption.tokens),
        TextReduction::Random => keep_random(caption.tokens, budget, seed, &mut row),
        TextReduction::Block => keep_block(caption.tokens, budget, seed, &mut row),
        TextReduction::Syntax => keep_words(&chosen_words(caption, budget)?, caption, &mut row),
        TextReduction::SyntaxPieces => {
            keep_words(&chosen_by_pieces(caption, budget)?, caption, &mut row)
        }
    }
    let Row { tokens, mut filled, .. } = row;
    if let Some(end) = specials.end {
        tokens[filled] = end;
        filled += 1;
    }
    tokens[filled..].fill(specials.pad);
    Ok(())
}

/// The row under construction: `limit` leaves room for the end token.
struct Row<'a> {
    tokens: &'a mut [u16],
    filled: usize,
    limit: usize,
}

impl Row<'_> {
    fn extend(&mut self, tokens: &[u16]) {
        let taken = tokens.len().min(self.limit - self.filled);
        self.tokens[self.filled..self.filled + taken].copy_from_slice(&tokens[..taken]);
        self.filled += taken;
    }
}

/// A uniformly random subset in the caption's order: selection sampling (Knuth, TAOCP 2, algorithm S).
fn keep_random(tokens: &[u16], budget: usize, seed: u64, row: &mut Row<'_>) {
    if tokens.len() <= budget {
        return row.extend(tokens);
    }
    let mut random = Random::new(seed);
    let mut wanted = budget;
    for (index, token) in tokens.iter().enumerate() {
        if random.below((tokens.len() - index) as u64) < wanted as u64 {
            row.extend(std::slice::from_ref(token));
            wanted -= 1;
        }
    }
}

fn keep_block(tokens: &[u16], budget: usize, seed: u64, row: &mut Row<'_>) {
    let spare = tokens.len().saturating_sub(budget);
    let start = Random::new(seed).below(spare as u64 + 1) as usize;
    row.extend(&tokens[start..]);
}

/// One flag a word: is it kept?
type Kept = Vec<bool>;

fn keep_words(kept: &Kept, caption: StoredText<'_>, row: &mut Row<'_>) {
    let mut rest = caption.word_tokens;
    for (&length, &kept) in caption.word_lengths.iter().zip(kept) {
        let (word, after) = rest.split_at(usize::from(length).min(rest.len()));
        if kept {
            row.extend(word);
        }
        rest = after;
    }
}

/// The first `budget` words of a stable sort by word class, CLIPA's syntax mask.
fn chosen_words(caption: StoredText<'_>, budget: usize) -> Result<Kept, ReductionError> {
    let mut room = budget;
    choose(caption, |_| {
        let takes = room > 0;
        room -= usize::from(takes);
        takes
    })
}

fn chosen_by_pieces(caption: StoredText<'_>, budget: usize) -> Result<Kept, ReductionError> {
    let mut room = budget;
    choose(caption, |pieces| {
        let takes = pieces <= room;
        room -= if takes { pieces } else { 0 };
        takes
    })
}

/// Asks `takes` for every word, in order of class and then of place, with the word's number of pieces.
fn choose(
    caption: StoredText<'_>,
    mut takes: impl FnMut(usize) -> bool,
) -> Result<Kept, ReductionError> {
    let (words, tags) = (caption.word_lengths.len(), caption.pos.len());
    let pieces: usize = caption.word_lengths.iter().map(|&n| usize::from(n)).sum();
    if words > 0 && tags == 0 {
        return Err(ReductionError::NoTags);
    }
    if words != tags || pieces != caption.word_tokens.len() {
        return Err(ReductionError::Inconsistent { words, tags });
    }
    let mut kept = vec![false; words];
    for class in [WordClass::Noun, WordClass::Adjective, WordClass::Verb, WordClass::Other] {
        for (word, &tag) in caption.pos.iter().enumerate() {
            if PennTag::from_byte(tag).class() == class {
                kept[word] = takes(usize::from(caption.word_lengths[word]));
            }
        }
    }
    Ok(kept)
}

impl TextReduction {
    /// Every reduction, for help texts and for showing them side by side.
    pub const ALL: [TextReduction; 5] = [
        TextReduction::Truncate,
        TextReduction::Random,
        TextReduction::Block,
        TextReduction::Syntax,
        TextReduction::SyntaxPieces,
    ];

    /// The name in recipes.
    pub fn name(self) -> &'static str {
        match self {
            TextReduction::Truncate => "truncate",
            TextReduction::Random => "random",
            TextReduction::Block => "block",
            TextReduction::Syntax => "syntax",
            TextReduction::SyntaxPieces => "syntax-pieces",
        }
    }

    /// Does it read the words and tags, and not the caption's tokens?
    pub fn reads_words(self) -> bool {
        matches!(self, TextReduction::Syntax | TextReduction::SyntaxPieces)
    }
}

impl fmt::Display for TextReduction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for TextReduction {
    type Err = String;

    /// Our names, and those of open_clip's two configuration keys (`text_mask`: first, `reduction_mask`: simple).
    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "first" => return Ok(TextReduction::Truncate),
            "simple" => return Ok(TextReduction::Block),
            _ => {}
        }
        TextReduction::ALL.into_iter().find(|known| known.name() == name).ok_or_else(|| {
            format!(
                "unknown text reduction `{name}`: choose truncate, random, block, syntax or syntax-pieces"
            )
        })
    }
}

impl TryFrom<String> for TextReduction {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        name.parse()
    }
}

impl From<TextReduction> for String {
    fn from(reduction: TextReduction) -> String {
        reduction.name().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CLIP: Specials = Specials::CLIP_BPE;

    fn row(
        reduction: TextReduction,
        caption: StoredText<'_>,
        context: usize,
        seed: u64,
    ) -> Vec<u16> {
        let mut row = vec![7u16; context];
        reduce(reduction, caption, CLIP, seed, &mut row).unwrap();
        row
    }

    /// "A photo of a small brown dog running quickly across the green grass in a park, 2019": the golden row of
    /// CLIPA's syntax mask at context 8, with NLTK's tags.
    #[test]
    fn syntax_keeps_nouns_then_adjectives_of_the_golden_caption() {
        let words: [(u16, &str); 18] = [
            (320, "DT"),
            (1125, "NN"),
            (539, "IN"),
            (320, "DT"),
            (2442, "JJ"),
            (2866, "JJ"),
            (1929, "NN"),
            (2761, "VBG"),
            (7000, "RB"),
            (2373, "IN"),
            (518, "DT"),
            (1901, "JJ"),
            (5922, "NN"),
            (530, "IN"),
            (320, "DT"),
            (1452, "NN"),
            (267, ","),
            (271, "CD"),
        ];
        let word_tokens: Vec<u16> = words.iter().map(|word| word.0).collect();
        let pos: Vec<u8> =
            words.iter().map(|word| PennTag::from_name(word.1).unwrap().byte()).collect();
        let lengths = [1u16; 18];
        let caption = StoredText {
            tokens: &[],
            word_tokens: &word_tokens,
            word_lengths: &lengths,
            pos: &pos,
        };
        assert_eq!(
            row(TextReduction::Syntax, caption, 8, 0),
            [49406, 1125, 2442, 2866, 1929, 5922, 1452, 49407]
        );
    }

    #[test]
    fn syntax_counts_words_and_pieces_variant_counts_pieces() {
        let noun = PennTag::from_name("NN").unwrap().byte();
        let caption = StoredText {
            tokens: &[],
            word_tokens: &[1, 2, 3, 4, 5],
            word_lengths: &[1, 3, 1],
            pos: &[noun; 3],
        };
        // three words fit in the budget of three words, but the second one's pieces push the third out
        assert_eq!(row(TextReduction::Syntax, caption, 5, 0), [49406, 1, 2, 3, 49407]);
        // the second one does not fit whole, the third one does
        assert_eq!(row(TextReduction::SyntaxPieces, caption, 5, 0), [49406, 1, 5, 49407, 0]);
    }

    #[test]
    fn block_can_end_with_the_last_token_and_start_with_the_first() {
        let tokens: Vec<u16> = (10..20).collect();
        let caption = StoredText { tokens: &tokens, ..Default::default() };
        let starts: std::collections::BTreeSet<u16> =
            (0..200).map(|seed| row(TextReduction::Block, caption, 5, seed)[1]).collect();
        assert_eq!(starts, (10..=17).collect());
    }

    #[test]
    fn missing_tags_and_short_contexts_are_errors() {
        let caption = StoredText { word_tokens: &[1], word_lengths: &[1], ..Default::default() };
        let mut eight = [0u16; 8];
        assert_eq!(
            reduce(TextReduction::Syntax, caption, CLIP, 0, &mut eight),
            Err(ReductionError::NoTags)
        );
        assert_eq!(
            reduce(TextReduction::Truncate, caption, CLIP, 0, &mut eight[..2]),
            Err(ReductionError::ContextTooShort(2))
        );
    }

    #[test]
    fn names_round_trip_and_open_clip_spellings_are_understood() {
        for reduction in TextReduction::ALL {
            assert_eq!(reduction.name().parse(), Ok(reduction));
        }
        assert_eq!("first".parse(), Ok(TextReduction::Truncate));
        assert_eq!("simple".parse(), Ok(TextReduction::Block));
        assert!("nouns".parse::<TextReduction>().is_err());
    }

    proptest! {
        #[test]
        fn every_row_is_start_then_an_ordered_part_then_end_then_padding(
            lengths in prop::collection::vec(0u16..4, 0..30),
            tags in prop::collection::vec(0u8..46, 30),
            context in 3usize..40,
            seed: u64,
        ) {
            // distinct, increasing ids: order and origin are visible
            let total = lengths.iter().map(|&n| usize::from(n)).sum::<usize>();
            let tokens: Vec<u16> = (1..=total as u16).collect();
            let caption = StoredText {
                tokens: &tokens, word_tokens: &tokens, word_lengths: &lengths, pos: &tags[..lengths.len()],
            };
            for reduction in TextReduction::ALL {
                let row = row(reduction, caption, context, seed);
                let end = row.iter().position(|&id| id == 49407).unwrap();
                prop_assert_eq!(row[0], 49406);
                prop_assert!(row[1..end].is_sorted_by(|a, b| a < b));
                prop_assert!(row[end + 1..].iter().all(|&id| id == 0));
                let full = total >= context - 2;
                match reduction {
                    TextReduction::Truncate | TextReduction::Random | TextReduction::Block => {
                        prop_assert_eq!(end - 1, total.min(context - 2));
                    }
                    // a short caption keeps every word
                    _ if !full && lengths.len() <= context - 2 => prop_assert_eq!(end - 1, total),
                    _ => {}
                }
            }
        }
    }
}
