//! Decides which periods, question marks and exclamation marks end a sentence.

use super::model::{Punkt, Written};
use super::tokens::{NUMBER, Token, ends_word, tokens};
use crate::characters::is_space;

/// The sentences of a text.
pub struct Sentences<'a> {
    text: &'a str,
    slices: Slices<'a>,
    /// The sentence that was found but not returned yet, because the next one may start with its closing quotes.
    pending: Option<(usize, usize)>,
}

impl<'a> Sentences<'a> {
    fn new(punkt: &'a Punkt, text: &'a str) -> Self {
        let candidates = Candidates { text, marks: Marks::new(text), pending: None };
        let mut slices = Slices { punkt, text, candidates, start: 0, done: false };
        let pending = slices.next();
        Sentences { text, slices, pending }
    }
}

impl<'a> Iterator for Sentences<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            let (start, end) = self.pending.take()?;
            let following = self.slices.next();
            self.pending = following;
            if let Some((next_start, next_end)) = following
                && let Some((closers, used)) =
                    closing_punctuation(&self.text[next_start..next_end.max(next_start)])
            {
                self.pending = Some((next_start + used, next_end));
                return Some(&self.text[start..next_start + closers]);
            }
            if end > start {
                return Some(&self.text[start..end]);
            }
        }
    }
}

/// Closing quotes and brackets at the start of a sentence, which belong to the one before: their bytes, and the bytes up to
/// where this sentence then starts.
fn closing_punctuation(text: &str) -> Option<(usize, usize)> {
    let closer =
        |c: char| matches!(c, '"' | '\'' | ')' | ']' | '}' | '‘' | '’' | '“' | '”' | '«' | '»');
    let mut closers = 0;
    for c in text.chars() {
        if !closer(c) {
            return None;
        }
        closers += c.len_utf8();
        let rest = &text[closers..];
        let after = rest.trim_start();
        if after.len() < rest.len() || rest.is_empty() || rest.starts_with("--") {
            return Some((closers, text.len() - after.len()));
        }
    }
    None
}

/// A mark that may end a sentence.
#[derive(Clone, Copy)]
struct Mark {
    /// Its position; it is one byte long.
    at: usize,
    /// Where the word behind the white space after it begins, if that is what follows.
    next_word: Option<usize>,
    /// End of what follows: one closing character, or white space and a word.
    after: usize,
}

/// Finds the marks of a text.
struct Marks<'a> {
    text: &'a str,
    from: usize,
}

impl<'a> Marks<'a> {
    fn new(text: &'a str) -> Self {
        Marks { text, from: 0 }
    }
}

impl Iterator for Marks<'_> {
    type Item = Mark;

    fn next(&mut self) -> Option<Mark> {
        loop {
            let at = self.from + self.text[self.from..].find(['.', '?', '!'])?;
            self.from = at + 1;
            let rest = &self.text[at + 1..];
            let Some(c) = rest.chars().next() else { continue };
            if ends_word(c) {
                return Some(Mark { at, next_word: None, after: at + 1 + c.len_utf8() });
            }
            let word = rest.trim_start();
            if word.len() < rest.len() && !word.is_empty() {
                let start = self.text.len() - word.len();
                let length = word.find(char::is_whitespace).unwrap_or(word.len());
                return Some(Mark { at, next_word: Some(start), after: start + length });
            }
        }
    }
}

/// The marks that are not followed by another one within the same word, each with the start of its word.
struct Candidates<'a> {
    text: &'a str,
    marks: Marks<'a>,
    pending: Option<(Mark, usize)>,
}

impl Iterator for Candidates<'_> {
    type Item = (Mark, usize);

    /// As in the original, the word before a mark is searched only after the previous mark; where there is no white space
    /// in between, or only at the first position, it is the word of that mark.
    fn next(&mut self) -> Option<(Mark, usize)> {
        loop {
            let Some(mark) = self.marks.next() else { return self.pending.take() };
            let (from, word) = self.pending.map_or((0, 0), |(previous, word)| (previous.at, word));
            let ascii_space = |byte: u8| matches!(byte, b' ' | b'\t'..=b'\r');
            let start = match self.text[from..mark.at].bytes().rposition(ascii_space) {
                Some(space) if space > 0 => from + space + 1,
                _ => word,
            };
            let previous = self.pending.replace((mark, start));
            if let Some(found) = previous.filter(|(previous, _)| previous.at <= start) {
                return Some(found);
            }
        }
    }
}

/// The stretches between sentence ends.
struct Slices<'a> {
    punkt: &'a Punkt,
    text: &'a str,
    candidates: Candidates<'a>,
    start: usize,
    done: bool,
}

impl Iterator for Slices<'_> {
    type Item = (usize, usize);

    fn next(&mut self) -> Option<(usize, usize)> {
        let start = self.start;
        for (mark, word) in self.candidates.by_ref() {
            if self.punkt.has_end(&self.text[word..mark.after]) {
                self.start = mark.next_word.unwrap_or(mark.at + 1);
                return Some((start, mark.at + 1));
            }
        }
        let last = !std::mem::replace(&mut self.done, true);
        last.then(|| (start, self.text.trim_end_matches(is_space).len()))
    }
}

impl Punkt {
    /// The sentences of `text`, from first to last; white space between sentences belongs to none.
    pub fn sentences<'a>(&'a self, text: &'a str) -> Sentences<'a> {
        Sentences::new(self, text)
    }

    /// Whether a word of this stretch, other than the last, ends a sentence.
    fn has_end(&self, stretch: &str) -> bool {
        let mut all = tokens(stretch, self).peekable();
        while let Some(mut token) = all.next() {
            let Some(next) = all.peek() else { return false };
            self.decide(&mut token, next);
            if token.ends_sentence {
                return true;
            }
        }
        false
    }

    /// Decides about a word with a period by the word after it (Punkt's second pass).
    fn decide(&self, token: &mut Token<'_>, next: &Token<'_>) {
        if !token.text.ends_with('.') {
            return;
        }
        let kind = token.kind_without_period().to_owned();
        let next_kind = next.kind_without_end();
        let initial = token.is_initial();
        if self.collocations.contains(&(kind.clone(), next_kind.to_owned())) {
            token.ends_sentence = false;
            token.abbreviation = true;
            return;
        }
        let starts = self.starts_sentence(next);
        let starter = next.starts_upper() && self.sentence_starters.contains(next_kind);
        if (token.abbreviation || token.ellipsis) && !initial && (starts == Some(true) || starter) {
            token.ends_sentence = true;
            return;
        }
        if initial || kind == NUMBER {
            let never_lower =
                self.written.get(next_kind).is_none_or(|flags| flags & Written::LOWER == 0);
            let name_after_initial =
                starts.is_none() && initial && next.starts_upper() && never_lower;
            if starts == Some(false) || name_after_initial {
                token.ends_sentence = false;
                token.abbreviation = true;
            }
        }
    }

    /// Whether a word starts a sentence, by its case; `None` where that decides nothing.
    fn starts_sentence(&self, token: &Token<'_>) -> Option<bool> {
        if matches!(token.text, ";" | ":" | "," | "." | "!" | "?") {
            return Some(false);
        }
        let flags = self.written.get(token.kind_without_end()).copied().unwrap_or_default();
        if token.starts_upper() && flags & Written::LOWER != 0 && flags & Written::INSIDE_UPPER == 0
        {
            return Some(true);
        }
        let unseen = flags & Written::UPPER != 0 || flags & Written::START_LOWER == 0;
        if token.starts_lower() && unseen { Some(false) } else { None }
    }
}
