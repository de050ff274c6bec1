//! The word rules of the Penn Treebank as NLTK's `NLTKWordTokenizer` has them.
//!
//! The original is some thirty regular expressions, applied one after the other to the whole sentence; each puts spaces
//! around what is to become a word, and the result is split at white space. Later rules see the spaces of earlier ones,
//! so the order is part of the definition and is kept; each rule is a pass that runs only where a character that it
//! needs occurs.

mod contractions;
mod periods;
mod quotes;

use super::sentences::sentences_by_rule;
use super::word_list::Words;
use crate::characters::{is_decimal_digit, is_space};

/// Splits sentences into words; owns the buffers of the passes.
#[derive(Default)]
pub struct Treebank {
    /// The sentence after the passes so far.
    text: String,
    /// The output of the current pass.
    next: String,
}

/// Which of the characters that rules need occur in a sentence.
#[derive(Default)]
struct Occurring {
    /// Bit `c` for each ASCII character `c`.
    ascii: u128,
    /// A character whose UTF-8 starts with the first byte of `«` or of `“` and dashes.
    wide: bool,
    /// `nn`, `mm` or `tt`: every contraction without an apostrophe has one (cannot, gimme, gonna, gotta, lemme, wanna).
    doubled_letter: bool,
}

impl Occurring {
    fn of(text: &str) -> Self {
        let mut occurring = Occurring::default();
        let mut previous = 0u8;
        for &byte in text.as_bytes() {
            if byte.is_ascii() {
                occurring.ascii |= 1 << byte;
                let letter = byte.to_ascii_lowercase();
                occurring.doubled_letter |=
                    letter == previous && matches!(letter, b'n' | b'm' | b't');
                previous = letter;
            } else {
                occurring.wide |= byte == 0xC2 || byte == 0xE2;
                previous = 0;
            }
        }
        occurring
    }

    fn any(&self, characters: &str) -> bool {
        characters.bytes().any(|byte| self.ascii >> byte & 1 == 1)
    }
}

impl Treebank {
    /// Appends the words of one sentence.
    ///
    /// ```
    /// use clipa_text::words::{Treebank, Words};
    /// let mut words = Words::default();
    /// Treebank::default().words("\"Don't\", she said (twice).", &mut words);
    /// let words: Vec<_> = words.iter().collect();
    /// assert_eq!(words, ["``", "Do", "n't", "''", ",", "she", "said", "(", "twice", ")", "."]);
    /// ```
    pub fn words(&mut self, sentence: &str, words: &mut Words) {
        let occurring = Occurring::of(sentence);
        self.text.clear();
        self.text.push_str(sentence);
        self.opening_quotes(&occurring);
        self.punctuation(&occurring);
        if occurring.any("[](){}<>") {
            self.pad(|c| matches!(c, ']' | '[' | '(' | ')' | '{' | '}' | '<' | '>'));
        }
        if occurring.any("-") {
            self.replace("--", " -- ");
        }
        self.closing_quotes(&occurring);
        if occurring.doubled_letter || occurring.any("'") {
            self.pass(contractions::split_words);
            self.pass(contractions::split_after_space);
        }
        self.text.split(is_space).filter(|word| !word.is_empty()).for_each(|word| words.push(word));
    }

    /// Appends the words of a whole caption, its sentences split by [`sentences_by_rule`].
    pub fn caption_words(&mut self, caption: &str, words: &mut Words) {
        sentences_by_rule(caption).for_each(|sentence| self.words(sentence, words));
    }

    fn opening_quotes(&mut self, occurring: &Occurring) {
        if occurring.wide || occurring.any("`") {
            self.pass(quotes::pad_opening);
        }
        if self.text.starts_with('"') {
            self.text.replace_range(..1, "``");
        }
        if occurring.any("`\"") {
            self.replace("``", " `` ");
        }
        if occurring.any("\"'") {
            self.pass(quotes::open_after_bracket_or_space);
        }
        if occurring.any("'") {
            self.pass(quotes::split_leading_apostrophe);
        }
    }

    fn punctuation(&mut self, occurring: &Occurring) {
        if occurring.any(".") {
            periods::split_final_period(&mut self.text, periods::Closers::WithQuotesAndSpaces);
        }
        if occurring.any(":,") {
            self.pass(split_colons_and_commas);
        }
        if occurring.any(".") {
            self.pass(periods::pad_ellipses);
        }
        if occurring.any(";@#$%&") {
            self.pad(|c| matches!(c, ';' | '@' | '#' | '$' | '%' | '&'));
        }
        if occurring.wide {
            self.pad(|c| matches!(c, '\u{2012}'..='\u{2015}'));
        }
        if occurring.any(".") {
            periods::split_final_period(&mut self.text, periods::Closers::Plain);
        }
        if occurring.any("?!") {
            self.pad(|c| matches!(c, '?' | '!'));
        }
        if occurring.any("'") {
            self.pass(quotes::split_apostrophe_before_space);
        }
        if occurring.any("*") {
            self.pad(|c| c == '*');
        }
    }

    fn closing_quotes(&mut self, occurring: &Occurring) {
        // The rules from here on look for spaces around words, at the ends too.
        self.text.insert(0, ' ');
        self.text.push(' ');
        if occurring.wide {
            self.pad(|c| matches!(c, '»' | '”' | '’'));
        }
        if occurring.any("'") {
            self.replace("''", " '' ");
        }
        if occurring.any("\"") {
            self.replace("\"", " '' ");
        }
        if occurring.any("'\"") {
            self.pass(quotes::collapse_spaces);
            self.pass(|text, out| quotes::split_clitics(text, &quotes::SHORT_CLITICS, out));
            self.pass(|text, out| quotes::split_clitics(text, &quotes::LONG_CLITICS, out));
        }
    }

    /// Runs a pass over the text and makes its output the text.
    fn pass(&mut self, pass: impl FnOnce(&str, &mut String)) {
        self.next.clear();
        pass(&self.text, &mut self.next);
        std::mem::swap(&mut self.text, &mut self.next);
    }

    /// Puts a space on both sides of each such character.
    fn pad(&mut self, wanted: impl Fn(char) -> bool) {
        self.pass(|text, out| {
            for c in text.chars() {
                if wanted(c) {
                    out.extend([' ', c, ' ']);
                } else {
                    out.push(c);
                }
            }
        });
    }

    fn replace(&mut self, pattern: &str, replacement: &str) {
        self.pass(|text, out| {
            let mut parts = text.split(pattern);
            out.extend(parts.next());
            for part in parts {
                out.push_str(replacement);
                out.push_str(part);
            }
        });
    }
}

/// `:` and `,` become words unless a digit follows. The character after one is passed over, so the second of two in a
/// row stays with what follows it; at the end of the sentence they always become words.
fn split_colons_and_commas(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.find([':', ',']) {
        out.push_str(&rest[..at]);
        let mark = &rest[at..=at];
        rest = &rest[at + 1..];
        let next = rest.chars().next();
        if next.is_some_and(is_decimal_digit) {
            out.push_str(mark);
            continue;
        }
        out.extend([" ", mark, " "]);
        let Some(next) = next else { continue };
        rest = &rest[next.len_utf8()..];
        // Python's `$` also matches before a last line break.
        if matches!(next, ':' | ',') && matches!(rest, "" | "\n") {
            out.extend([' ', next, ' ']);
        } else {
            out.push(next);
        }
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(sentence: &str) -> Vec<String> {
        let mut words = Words::default();
        Treebank::default().words(sentence, &mut words);
        words.iter().map(str::to_owned).collect()
    }

    /// Expected words from NLTK 3.10.4's `NLTKWordTokenizer`.
    #[test]
    fn words_are_those_of_nltk() {
        for (sentence, expected) in CASES {
            assert_eq!(words(sentence).join("|"), *expected, "{sentence}");
        }
    }

    #[rustfmt::skip]
    const CASES: &[(&str, &str)] = &[
        ("The quick brown fox isn't jumping over Mr. Smith's lazy dogs!", "The|quick|brown|fox|is|n't|jumping|over|Mr.|Smith|'s|lazy|dogs|!"),
        ("Men's Nike Air Max 90 - White/Black (Size 10.5) $129.99 at Foot Locker", "Men|'s|Nike|Air|Max|90|-|White/Black|(|Size|10.5|)|$|129.99|at|Foot|Locker"),
        ("“Curly” ‘quotes’ «here» „low“ it’s", "“|Curly|”|‘|quotes|’|«|here|»|„|low|“|it|’|s"),
        ("I cannot, gimme; wanna go? gonna. 'Tis 'twas d'ye more'n CANNOT gotta", "I|can|not|,|gim|me|;|wan|na|go|?|gon|na|.|'|Tis|'|twas|d|'ye|more|'n|CAN|NOT|got|ta"),
        ("wanna", "wan|na"),
        ("lemme! wanna", "lem|me|!|wan|na"),
        ("gimme'tis", "gim|me|'t|is"),
        ("a,,b ,5 10,000: x:, 3:45, end:,", "a|,|,b|,5|10,000|:|x|:|,|3:45|,|end|:|,"),
        (",", ","),
        ("::", ":|:"),
        (":,\n", ":|,"),
        ("wait... what.. no.", "wait|...|what|..|no|."),
        ("U.S.A.", "U.S.A|."),
        ("He said \"Hi.\"", "He|said|``|Hi|.|''"),
        ("(see fig. 3.)", "(|see|fig.|3|.|)"),
        ("end.''", "end|.|''"),
        ("\"Quoted\" text \"twice\"", "``|Quoted|''|text|``|twice|''"),
        ("''double'' single 'x' '90s rock 'n' roll 's 'll 're 'nope", "''|double|''|single|'|x|'|'|90s|rock|'n|'|roll|'s|'ll|'re|'|nope"),
        ("``tick`` `one` ```three```", "``|tick|``|`|one|`|``|`|three|``|`"),
        ("dogs' toys' ", "dogs|'|toys|'"),
        ("I'll you'LL They've N'T don't DON'T shouldn'T we're", "I|'ll|you|'LL|They|'ve|N'T|do|n't|DO|N'T|shouldn'T|we|'re"),
        ("em—dash en–dash -- double---triple", "em|—|dash|en|–|dash|--|double|--|-triple"),
        ("100% @user #tag & co; *star* 5*3", "100|%|@|user|#|tag|&|co|;|*|star|*|5|*|3"),
        ("<b>bold</b> [x] {y}", "<|b|>|bold|<|/b|>|[|x|]|{|y|}"),
        ("tab\tand\nnewline\u{a0}nbsp", "tab|and|newline|nbsp"),
        ("x .", "x|."),
        (". x", ".|x"),
        ("...", "..."),
        (".", "."),
        ("a.” ", "a|.|”"),
        ("a. ' ) ", "a|.|'|)"),
        ("ab.)\n) ", "ab.|)|)"),
        ("naïve 'ſ caNNOT café's", "naïve|'ſ|caN|NOT|café|'s"),
        ("can't 'can''t ''", "ca|n't|'|can|''|t|``"),
        ("", ""),
        ("O'Neil's 'été' 'tis", "O'Neil|'s|'|été|'|'|tis"),
        ("he 'd she's' 'S", "he|'d|she|'s|'|'S"),
        ("‘tis", "‘|tis"),
        ("a\u{1c}b", "a|b"),
        ("3' x 5' rug", "3|'|x|5|'|rug"),
        ("5'10\" tall", "5'10|''|tall"),
        ("Dogs!!! Cats??", "Dogs|!|!|!|Cats|?|?"),
        ("price:$5", "price|:|$|5"),
        ("e.g., this", "e.g.|,|this"),
        ("नमस\u{94d}त\u{947} 'x", "नमस\u{94d}त\u{947}|'|x"),
        ("x ' y", "x|'|y"),
        ("'' x", "''|x"),
        ("(\"a\")", "(|``|a|''|)"),
        ("a \"\" b", "a|``|''|b"),
        ("[''] <\"x\">", "[|``|]|<|``|x|''|>"),
        ("d'YE d'yes", "d|'YE|d'yes"),
        ("canNOTs cannot-x", "canNOTs|can|not|-x"),
        ("more'N more'n't", "more|'N|more|'n|'t"),
    ];
}
