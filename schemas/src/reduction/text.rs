//! The text reductions of CLIPA over stored token ids: truncate, random mask, block mask, syntax mask.
//!
//! ```
//! use clipa_schemas::{reduction::text::*, text::StoredText};
//! let caption = StoredText { tokens: &[5, 6, 7, 8, 9], ..Default::default() };
//! let mut row = [0u16; 5];
//! reduce(TextReduction::Truncate, caption, Specials::CLIP_BPE, 0, &mut row).unwrap();
//! assert_eq!(row, [49406, 5, 6, 7, 49407]);
//! ```

mod error;
mod words;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

pub use self::error::ReductionError;
use self::words::WordList;
use crate::{random::Random, text::StoredText};

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
    /// The syntax mask of CLIPA's JAX dialect, which the published v2 weights were trained with: the words are the
    /// tokenizer's, and the class of a word is that which its first piece has alone, whatever the caption is.
    SyntaxVocab,
}

/// Most tokens of a row, specials and padding included; CLIP's own context has 77.
pub const MAX_CONTEXT_LENGTH: u16 = 1024;

/// The special tokens that a tokenizer puts around a caption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Specials {
    /// First token of every row.
    pub start: u16,
    /// Token after the last one, where the tokenizer has one.
    pub end: Option<u16>,
    /// What fills the rest of the row.
    pub pad: u16,
    /// Token of the row's last place, behind the padding.
    pub last: Option<u16>,
    /// An id that becomes padding wherever a caption spells it.
    pub stripped: Option<u16>,
}

impl Specials {
    /// open_clip's BPE tokenizer: `<start_of_text>` 49406, `<end_of_text>` 49407, padded with 0.
    pub const CLIP_BPE: Specials =
        Specials { start: 49406, end: Some(49407), pad: 0, last: None, stripped: None };

    /// BERT WordPiece as CLIPA v2 trained with it: `[CLS]` 101, no `[SEP]`, padded with 0.
    pub const BERT_CLIPA: Specials =
        Specials { start: 101, end: None, pad: 0, last: None, stripped: None };

    /// BERT WordPiece as open_clip evaluates v2 (`strip_sep_token`): `[CLS]` 101, room for a `[SEP]` 102, then every `[SEP]`
    /// turned into padding. One piece fewer fits, and a long caption's last token is padding.
    pub const BERT_OPEN_CLIP: Specials =
        Specials { start: 101, end: Some(0), pad: 0, last: None, stripped: Some(102) };

    /// BERT WordPiece as CLIPS and OpenVision train with it (`tokenizer_mode = "clips"` in open_clip): `[bos]` 1, pieces, `[eos]` 2,
    /// padding, and `[CLS]` 101 in the last place, which the tower pools. Ids 1 and 2 are `[unused0]` and `[unused1]` of BERT's own list.
    pub const BERT_CLIPS: Specials =
        Specials { start: 1, end: Some(2), pad: 0, last: Some(101), stripped: None };

    /// Tokens of a row that are not the caption's, padding aside.
    pub fn count(self) -> usize {
        1 + usize::from(self.end.is_some()) + usize::from(self.last.is_some())
    }
}

/// Fills `row` (its length is the context length) with the caption's reduced tokens: start, kept tokens, end, padding, last.
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
        TextReduction::Syntax => {
            WordList::of_tagger(caption)?.keep_words(budget, |word| row.extend(word));
        }
        TextReduction::SyntaxPieces => {
            WordList::of_tagger(caption)?.keep_whole(budget, |word| row.extend(word));
        }
        TextReduction::SyntaxVocab => {
            WordList::of_vocabulary(caption)?.keep_words(budget, |word| row.extend(word));
        }
    }
    let Row { tokens, mut filled, .. } = row;
    if let Some(stripped) = specials.stripped {
        tokens[1..filled]
            .iter_mut()
            .filter(|id| **id == stripped)
            .for_each(|id| *id = specials.pad);
    }
    if let Some(end) = specials.end {
        tokens[filled] = end;
        filled += 1;
    }
    tokens[filled..].fill(specials.pad);
    if let (Some(last), Some(place)) = (specials.last, tokens.last_mut()) {
        *place = last;
    }
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

impl TextReduction {
    /// Every reduction, for help texts and for showing them side by side.
    pub const ALL: [TextReduction; 6] = [
        TextReduction::Truncate,
        TextReduction::Random,
        TextReduction::Block,
        TextReduction::Syntax,
        TextReduction::SyntaxPieces,
        TextReduction::SyntaxVocab,
    ];

    /// The name in recipes.
    pub fn name(self) -> &'static str {
        match self {
            TextReduction::Truncate => "truncate",
            TextReduction::Random => "random",
            TextReduction::Block => "block",
            TextReduction::Syntax => "syntax",
            TextReduction::SyntaxPieces => "syntax-pieces",
            TextReduction::SyntaxVocab => "syntax-vocab",
        }
    }

    /// Does it read the words and tags, and not the caption's tokens?
    pub fn reads_words(self) -> bool {
        matches!(self, TextReduction::Syntax | TextReduction::SyntaxPieces)
    }

    /// Does it read the vocabulary's tags ([`StoredText::vocabulary`])?
    pub fn reads_vocabulary(self) -> bool {
        self == TextReduction::SyntaxVocab
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
            "shuffle" => {
                let why = "open_clip's `shuffle` forgets the order of the tokens, which clipa keeps: choose `random`";
                return Err(why.to_owned());
            }
            _ => {}
        }
        TextReduction::ALL.into_iter().find(|known| known.name() == name).ok_or_else(|| {
            let names = TextReduction::ALL.map(TextReduction::name).join(", ");
            format!("unknown text reduction `{name}`: choose one of {names}")
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
    use crate::{
        penn::PennTag,
        vocabulary::{Piece, Vocabulary},
    };

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
            vocabulary: None,
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
            vocabulary: None,
        };
        // three words fit in the budget of three words, but the second one's pieces push the third out
        assert_eq!(row(TextReduction::Syntax, caption, 5, 0), [49406, 1, 2, 3, 49407]);
        // the second one does not fit whole, the third one does
        assert_eq!(row(TextReduction::SyntaxPieces, caption, 5, 0), [49406, 1, 5, 49407, 0]);
    }

    /// Ids 0 to 5: a pad, "red", "dog", "##gy", "run", "the".
    fn vocabulary() -> Vocabulary {
        let piece = |tag, starts_word| Piece {
            tag: PennTag::from_name(tag).unwrap_or(PennTag::UNKNOWN),
            starts_word,
            ends_word: true,
        };
        let pieces = vec![
            piece("", true),
            piece("JJ", true),
            piece("NN", true),
            piece("NN", false),
            piece("VB", true),
            piece("DT", true),
        ];
        Vocabulary { column: "bert_wordpiece".to_owned(), pieces }
    }

    #[test]
    fn the_mask_by_vocabulary_ranks_the_tokenizers_words_by_their_first_pieces() {
        let vocabulary = vocabulary();
        let caption =
            |tokens| StoredText { tokens, vocabulary: Some(&vocabulary), ..StoredText::default() };
        let mut four = [9u16; 4];
        let mut reduced = |tokens| {
            let specials = Specials::BERT_CLIPA;
            reduce(TextReduction::SyntaxVocab, caption(tokens), specials, 0, &mut four).unwrap();
            four
        };
        // the red dog runs: three words of four
        assert_eq!(reduced(&[5, 1, 2, 4]), [101, 1, 2, 4]);
        // run the red doggy dog: dog##gy and dog are nouns, the adjective is third, and its place pushes the last noun out
        assert_eq!(reduced(&[4, 5, 1, 2, 3, 2]), [101, 1, 2, 3]);
        // a short caption stays, whatever its words are
        assert_eq!(reduced(&[5, 4]), [101, 5, 4, 0]);
    }

    #[test]
    fn pieces_that_end_no_word_join_the_next_one_to_it() {
        let mut vocabulary = vocabulary();
        // as in byte pairs: "do" of "do" + "g</w>", where the second piece could start a word, too
        vocabulary.pieces[2].ends_word = false;
        let caption = StoredText {
            tokens: &[5, 2, 1, 5, 2, 1],
            vocabulary: Some(&vocabulary),
            ..Default::default()
        };
        assert_eq!(row(TextReduction::SyntaxVocab, caption, 4, 0), [49406, 2, 1, 49407]);
    }

    /// open_clip's `_clips_tokenize`: pieces[:C - 3] between two specials, padding to C - 1, then the class token.
    #[test]
    fn the_rows_of_clips_end_with_the_class_token() {
        let row = |tokens: &[u16]| {
            let caption = StoredText { tokens, ..StoredText::default() };
            let mut row = [9u16; 7];
            reduce(TextReduction::Truncate, caption, Specials::BERT_CLIPS, 0, &mut row).unwrap();
            row
        };
        assert_eq!(row(&[1037, 3899]), [1, 1037, 3899, 2, 0, 0, 101]);
        assert_eq!(row(&[11, 12, 13, 14]), [1, 11, 12, 13, 14, 2, 101]);
        assert_eq!(row(&[11, 12, 13, 14, 15, 16]), [1, 11, 12, 13, 14, 2, 101]);
        assert_eq!(row(&[]), [1, 2, 0, 0, 0, 0, 101]);
        let mut three = [0u16; 3];
        let caption = StoredText { tokens: &[5], ..StoredText::default() };
        let error = reduce(TextReduction::Truncate, caption, Specials::BERT_CLIPS, 0, &mut three);
        assert!(matches!(error, Err(ReductionError::ContextTooShort(3))));
    }

    #[test]
    fn both_dialects_of_bert() {
        let tokens = [2200, 102, 14408, 3258, 2200];
        let caption = StoredText { tokens: &tokens, ..Default::default() };
        let rows = [Specials::BERT_CLIPA, Specials::BERT_OPEN_CLIP].map(|specials| {
            let mut row = [9u16; 5];
            reduce(TextReduction::Truncate, caption, specials, 0, &mut row).unwrap();
            row
        });
        // a caption that spells [SEP] keeps it in the one and loses it in the other
        assert_eq!(rows, [[101, 2200, 102, 14408, 3258], [101, 2200, 0, 14408, 0]]);
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
            reduce(TextReduction::SyntaxVocab, caption, CLIP, 0, &mut eight),
            Err(ReductionError::NoVocabulary)
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
        let shuffle = "shuffle".parse::<TextReduction>().unwrap_err();
        assert!(shuffle.contains("`random`"), "{shuffle}");
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
            let pieces = tags.iter().map(|&tag| Piece {
                tag: PennTag::from_byte(tag), starts_word: tag % 2 == 0, ends_word: true,
            });
            let vocabulary = Vocabulary { column: "clip_bpe".to_owned(), pieces: pieces.collect() };
            let caption = StoredText {
                tokens: &tokens, word_tokens: &tokens, word_lengths: &lengths, pos: &tags[..lengths.len()],
                vocabulary: Some(&vocabulary),
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
                    // no caption of few tokens has many words
                    TextReduction::SyntaxVocab if !full => prop_assert_eq!(end - 1, total),
                    // a short caption keeps every word
                    _ if !full && lengths.len() <= context - 2 => prop_assert_eq!(end - 1, total),
                    _ => {}
                }
            }
        }
    }
}
