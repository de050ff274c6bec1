//! Punkt's tokens: words with their periods, and their properties.

use super::model::Punkt;
use crate::characters::{is_decimal_digit, is_space, is_word_character};

/// The type of every number.
pub(super) const NUMBER: &str = "##number##";

/// One word of the text around a possible sentence end.
#[derive(Debug)]
pub(super) struct Token<'a> {
    pub(super) text: &'a str,
    /// Lower case; numbers are all [`NUMBER`].
    kind: String,
    pub(super) ends_sentence: bool,
    pub(super) abbreviation: bool,
    pub(super) ellipsis: bool,
}

impl<'a> Token<'a> {
    /// The properties of the word alone (Punkt's first pass).
    fn new(text: &'a str, punkt: &Punkt) -> Self {
        let lower = text.to_lowercase();
        let kind = if is_number(&lower) { NUMBER.to_owned() } else { lower };
        let mut token =
            Token { text, kind, ends_sentence: false, abbreviation: false, ellipsis: false };
        if matches!(text, "." | "?" | "!") {
            token.ends_sentence = true;
        } else if text.len() > 1 && text.bytes().all(|byte| byte == b'.') {
            token.ellipsis = true;
        } else if text.ends_with('.') && !text.ends_with("..") {
            let word = text[..text.len() - 1].to_lowercase();
            let last_part = word.rsplit('-').next().unwrap_or_default();
            token.abbreviation =
                punkt.abbreviations.contains(&word) || punkt.abbreviations.contains(last_part);
            token.ends_sentence = !token.abbreviation;
        }
        token
    }

    /// The type without a final period.
    pub(super) fn kind_without_period(&self) -> &str {
        match self.kind.strip_suffix('.') {
            Some(word) if !word.is_empty() => word,
            _ => &self.kind,
        }
    }

    /// The type without the period that ends a sentence; one of an abbreviation stays.
    pub(super) fn kind_without_end(&self) -> &str {
        if self.ends_sentence { self.kind_without_period() } else { &self.kind }
    }

    /// A letter and a period.
    pub(super) fn is_initial(&self) -> bool {
        let mut characters = self.text.chars();
        let letter =
            characters.next().is_some_and(|c| is_word_character(c) && !is_decimal_digit(c));
        letter && characters.as_str() == "."
    }

    pub(super) fn starts_upper(&self) -> bool {
        self.text.starts_with(char::is_uppercase)
    }

    pub(super) fn starts_lower(&self) -> bool {
        self.text.starts_with(char::is_lowercase)
    }
}

/// `-`, then `.` or `,`, both optional, a digit, then digits, commas, periods and hyphens.
fn is_number(word: &str) -> bool {
    let word = word.strip_prefix('-').unwrap_or(word);
    let word = word.strip_prefix(['.', ',']).unwrap_or(word);
    word.starts_with(is_decimal_digit)
        && word.chars().all(|c| is_decimal_digit(c) || matches!(c, ',' | '.' | '-'))
}

/// The words of a stretch of text, line by line.
pub(super) fn tokens<'a>(text: &'a str, punkt: &'a Punkt) -> impl Iterator<Item = Token<'a>> {
    let lines = text.split('\n').filter(|line| !line.chars().all(is_space));
    lines.flat_map(Cutter::new).map(|word| Token::new(word, punkt))
}

/// Splits a line into runs of hyphens or periods, words up to what cannot be inside one, and single characters.
struct Cutter<'a> {
    rest: &'a str,
}

impl<'a> Cutter<'a> {
    fn new(line: &'a str) -> Self {
        Cutter { rest: line }
    }
}

impl<'a> Iterator for Cutter<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        self.rest = self.rest.trim_start();
        let first = self.rest.chars().next()?;
        let end = match run_of_marks(self.rest) {
            0 if starts_word(first) => word_end(self.rest),
            0 => first.len_utf8(),
            run => run,
        };
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(word)
    }
}

fn starts_word(c: char) -> bool {
    !matches!(
        c,
        '(' | '"'
            | '`'
            | '{'
            | '['
            | ':'
            | ';'
            | '&'
            | '#'
            | '*'
            | '@'
            | ')'
            | '}'
            | ']'
            | '-'
            | ','
    )
}

/// Characters that are never part of a word that began before them.
pub(super) fn ends_word(c: char) -> bool {
    matches!(
        c,
        ')' | '"'
            | ';'
            | '}'
            | ']'
            | '*'
            | ':'
            | '@'
            | '\''
            | '('
            | '{'
            | '['
            | '?'
            | '!'
            | '‘'
            | '’'
            | '“'
            | '”'
            | '«'
            | '»'
    )
}

/// Bytes of the word at the start of `text`.
fn word_end(text: &str) -> usize {
    let ends = |text: &str| {
        text.chars().next().is_none_or(|c| c.is_whitespace() || ends_word(c))
            || run_of_marks(text) > 0
    };
    let found = text.char_indices().skip(1).map(|(at, _)| at).find(|&at| {
        let rest = &text[at..];
        ends(rest) || rest.strip_prefix(',').is_some_and(ends)
    });
    found.unwrap_or(text.len())
}

/// Bytes of two hyphens or more, two periods or more, or three periods or more with a space between each.
fn run_of_marks(text: &str) -> usize {
    for mark in ['-', '.'] {
        let run = text.len() - text.trim_start_matches(mark).len();
        if run >= 2 {
            return run;
        }
    }
    let (mut pairs, mut end, mut end_before) = (0, 0, 0);
    loop {
        let rest = &text[end..];
        let Some(after) = rest.strip_prefix('.') else { break };
        let Some(space) = after.chars().next().filter(|c| c.is_whitespace()) else {
            // A last period without a space behind it.
            return if pairs >= 2 { end + 1 } else { 0 };
        };
        end_before = end;
        end += 1 + space.len_utf8();
        pairs += 1;
    }
    // The last pair's own period closes the run.
    if pairs >= 3 { end_before + 1 } else { 0 }
}
