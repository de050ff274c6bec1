//! Which words the syntax masks keep.

use super::ReductionError;
use crate::{
    penn::{PennTag, WordClass},
    text::StoredText,
};

/// What a syntax mask knows of a word.
pub(super) struct Word {
    class: WordClass,
    /// Tokens that it owns.
    pieces: usize,
}

/// A caption's words in order, with the tokens that they own, one after the other.
pub(super) struct WordList<'a> {
    words: Vec<Word>,
    tokens: &'a [u16],
}

impl<'a> WordList<'a> {
    /// The words that the tagger cut, with the class that each has in this caption.
    pub(super) fn of_tagger(caption: StoredText<'a>) -> Result<WordList<'a>, ReductionError> {
        let (words, tags) = (caption.word_lengths.len(), caption.pos.len());
        let pieces: usize = caption.word_lengths.iter().map(|&n| usize::from(n)).sum();
        if words > 0 && tags == 0 {
            return Err(ReductionError::NoTags);
        }
        if words != tags || pieces != caption.word_tokens.len() {
            return Err(ReductionError::Inconsistent { words, tags });
        }
        let word = |(&length, &tag): (&u16, &u8)| Word {
            class: PennTag::from_byte(tag).class(),
            pieces: usize::from(length),
        };
        let words = caption.word_lengths.iter().zip(caption.pos).map(word).collect();
        Ok(WordList { words, tokens: caption.word_tokens })
    }

    /// The words that the tokenizer makes of the caption, each with the class of its first piece alone.
    pub(super) fn of_vocabulary(caption: StoredText<'a>) -> Result<WordList<'a>, ReductionError> {
        let vocabulary = caption.vocabulary.ok_or(ReductionError::NoVocabulary)?;
        let mut words: Vec<Word> = Vec::new();
        let mut ended = true;
        for &token in caption.tokens {
            let piece = vocabulary.piece(token);
            match words.last_mut() {
                Some(word) if !(ended && piece.starts_word) => word.pieces += 1,
                _ => words.push(Word { class: piece.tag.class(), pieces: 1 }),
            }
            ended = piece.ends_word;
        }
        Ok(WordList { words, tokens: caption.tokens })
    }

    /// The first `budget` words of a stable sort by word class: CLIPA's syntax mask.
    pub(super) fn keep_words(&self, budget: usize, keep: impl FnMut(&[u16])) {
        let mut room = budget;
        self.keep(keep, |_| {
            let takes = room > 0;
            room -= usize::from(takes);
            takes
        });
    }

    /// In the same order every word that still fits whole into `budget` tokens.
    pub(super) fn keep_whole(&self, budget: usize, keep: impl FnMut(&[u16])) {
        let mut room = budget;
        self.keep(keep, |pieces| {
            let takes = pieces <= room;
            room -= if takes { pieces } else { 0 };
            takes
        });
    }

    /// Asks `takes` for every word, in order of class and then of place, with the word's number of pieces; then hands the
    /// tokens of those taken to `keep`, in the caption's order.
    fn keep(&self, mut keep: impl FnMut(&[u16]), mut takes: impl FnMut(usize) -> bool) {
        let mut kept = vec![false; self.words.len()];
        for class in [WordClass::Noun, WordClass::Adjective, WordClass::Verb, WordClass::Other] {
            for (word, kept) in self.words.iter().zip(&mut kept) {
                if word.class == class {
                    *kept = takes(word.pieces);
                }
            }
        }
        let mut rest = self.tokens;
        for (word, kept) in self.words.iter().zip(kept) {
            let (tokens, after) = rest.split_at(word.pieces);
            if kept {
                keep(tokens);
            }
            rest = after;
        }
    }
}
