//! Splits cleaned text into the pieces that are merged separately.
//!
//! This is the regular expression of CLIP's tokenizer, written out: the special tokens, English clitics, runs of
//! letters, single numbers, runs of anything else that is not white space; the first alternative that matches is taken. The
//! original ignores case, and `ſ` (long s) is an `s` to it, in clitics and in the special tokens alike.

use crate::characters::{is_letter, is_number, prefix_ignoring_case};

/// One piece of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    StartOfText,
    EndOfText,
    Word(&'a str),
}

/// The pieces of a text, from left to right.
pub(super) struct Pieces<'a> {
    rest: &'a str,
}

impl<'a> Pieces<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Pieces { rest: text }
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (piece, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        piece
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        self.rest = self.rest.trim_start();
        let first = self.rest.chars().next()?;
        if first == '<' {
            for (name, piece) in
                [("<start_of_text>", Piece::StartOfText), ("<end_of_text>", Piece::EndOfText)]
            {
                if let Some(bytes) = prefix_ignoring_case(self.rest, name) {
                    let literal = self.take(bytes);
                    return Some(if literal == name { piece } else { Piece::Word(literal) });
                }
            }
        }
        if first == '\'' {
            let clitics = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];
            if let Some(bytes) =
                clitics.iter().find_map(|clitic| prefix_ignoring_case(self.rest, clitic))
            {
                return Some(Piece::Word(self.take(bytes)));
            }
        }
        let bytes = if is_letter(first) {
            run(self.rest, is_letter)
        } else if is_number(first) {
            first.len_utf8()
        } else {
            run(self.rest, |c| !is_letter(c) && !is_number(c) && !c.is_whitespace())
        };
        Some(Piece::Word(self.take(bytes)))
    }
}

/// Bytes of the longest prefix all of whose characters are `wanted`.
fn run(text: &str, wanted: impl Fn(char) -> bool) -> usize {
    text.find(|c| !wanted(c)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        Pieces::new(text)
            .map(|piece| match piece {
                Piece::Word(word) => word,
                Piece::StartOfText => "START",
                Piece::EndOfText => "END",
            })
            .collect()
    }

    #[test]
    fn pieces_are_those_of_the_regular_expression() {
        assert_eq!(
            words("it's 10,000 'quoted'"),
            "it 's 1 0 , 0 0 0 ' quoted '".split(' ').collect::<Vec<_>>()
        );
        assert_eq!(
            words("don't we'll'd x-ray!!'s"),
            ["don", "'t", "we", "'ll", "'d", "x", "-", "ray", "!!'", "s"]
        );
        assert_eq!(words("日本語½²३ é😀️"), ["日本語", "½", "²", "३", "é", "😀️"]);
        assert_eq!(words("a'ſ <ſtart_of_text>"), ["a", "'ſ", "<ſtart_of_text>"]);
        assert_eq!(words("<START_of_text>"), ["<START_of_text>"]);
        assert_eq!(
            words("x<end_of_text>!<end_of_text>"),
            ["x", "END", "!<", "end", "_", "of", "_", "text", ">"]
        );
        assert!(words(" \u{3000}\u{a0}").is_empty());
    }
}
