//! Sentence ends as Punkt finds them (Kiss and Strunk 2006, "Unsupervised Multilingual Sentence Boundary Detection"), the
//! way NLTK's `PunktTokenizer` applies a trained model.
//!
//! The tables (abbreviations, collocations, frequent sentence starters, how words are written at starts and inside) are
//! NLTK's `punkt_tab` files; they are read from a directory and not part of clipa.

mod boundaries;
mod tokens;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustc_hash::{FxHashMap, FxHashSet};
use sha2::{Digest, Sha256};

pub use boundaries::Sentences;

/// A trained Punkt model.
#[derive(Default)]
pub struct Punkt {
    abbreviations: FxHashSet<String>,
    /// A word without its period, and the word after it.
    collocations: FxHashSet<(String, String)>,
    sentence_starters: FxHashSet<String>,
    /// How a word was seen: bits of [`Written`].
    written: FxHashMap<String, u32>,
    hash: String,
}

/// Punkt tables that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PunktError {
    /// A file is missing or unreadable.
    #[error("cannot read the Punkt table {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line is not what it should be.
    #[error("{path}, line {line}: not a row of a Punkt table")]
    Line {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
}

/// NLTK's flags for where and how a word was written in training.
struct Written;

impl Written {
    const INSIDE_UPPER: u32 = 1 << 2;
    const START_LOWER: u32 = 1 << 4;
    const UPPER: u32 = 1 << 1 | 1 << 2 | 1 << 3;
    const LOWER: u32 = 1 << 4 | 1 << 5 | 1 << 6;
}

impl Punkt {
    /// Reads the four tables of one language (`abbrev_types.txt`, `collocations.tab`, `sent_starters.txt`,
    /// `ortho_context.tab`) from a directory.
    pub fn open(directory: &Path) -> Result<Punkt, PunktError> {
        let mut punkt = Punkt::default();
        let mut digest = Sha256::new();
        let mut rows = |name: &str, row: &mut dyn FnMut(&str) -> Option<()>| {
            let path = directory.join(name);
            let text = match fs::read_to_string(&path) {
                Ok(text) => text,
                Err(source) => return Err(PunktError::Read { path, source }),
            };
            digest.update(text.as_bytes());
            for (index, line) in text.split_terminator('\n').enumerate() {
                if row(line).is_none() {
                    return Err(PunktError::Line { path, line: index + 1 });
                }
            }
            Ok(())
        };
        rows("abbrev_types.txt", &mut |line| {
            punkt.abbreviations.insert(line.to_owned());
            Some(())
        })?;
        rows("collocations.tab", &mut |line| {
            let (first, second) = line.split_once('\t')?;
            punkt.collocations.insert((first.to_owned(), second.to_owned()));
            Some(())
        })?;
        rows("sent_starters.txt", &mut |line| {
            punkt.sentence_starters.insert(line.to_owned());
            Some(())
        })?;
        rows("ortho_context.tab", &mut |line| {
            let (word, flags) = line.split_once('\t')?;
            punkt.written.insert(word.to_owned(), flags.parse().ok()?);
            Some(())
        })?;
        punkt.hash = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(punkt)
    }

    /// SHA-256 of the four files, one after the other.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The sentences of `text`, from first to last; white space between sentences belongs to none.
    pub fn sentences<'a>(&'a self, text: &'a str) -> Sentences<'a> {
        Sentences::new(self, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small model in place of NLTK's: the rules are tested here, the tables in `tests` over the shared data.
    fn model() -> Punkt {
        let set = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        Punkt {
            abbreviations: set(&["mr", "vol", "s.p.a"]),
            collocations: [("j".to_owned(), "bach".to_owned())].into_iter().collect(),
            sentence_starters: set(&["the"]),
            written: [("it".to_owned(), 2 | 16), ("dogs".to_owned(), 32 | 64)]
                .into_iter()
                .collect(),
            hash: String::new(),
        }
    }

    fn sentences(text: &str) -> Vec<&str> {
        // The model lives as long as the test program.
        Box::leak(Box::new(model())).sentences(text).collect()
    }

    /// Expected sentences from NLTK 3.10.4 with the same small tables.
    #[test]
    fn as_nltk_cuts() {
        for (text, expected) in CASES {
            assert_eq!(sentences(text).join("|"), *expected, "{text}");
        }
    }

    #[rustfmt::skip]
    const CASES: &[(&str, &str)] = &[
        ("Hello there. It is. dogs run. Dogs run.", "Hello there.|It is.|dogs run.|Dogs run."),
        ("Mr. Smith vs. J. Bach. The end.", "Mr. Smith vs.|J. Bach.|The end."),
        ("Vol. 8 is out. vol. The next", "Vol. 8 is out.|vol.|The next"),
        ("He said \"Hi.\" Then (left.) He went.", "He said \"Hi.\"|Then (left.)|He went."),
        ("What?! Really... Yes. no. 3. It 4. dogs", "What?!|Really... Yes.|no.|3.|It 4. dogs"),
        (". . . a. . . . b .. c ...The", ".|.|.|a. .|.|.|b .. c ...The"),
        ("No space.after dot.\" x", "No space.after dot.\"|x"),
        ("A. B. C. It is", "A. B. C.|It is"),
        ("x.)--y. \u{201c}Quoted.\u{201d}  next\nline. end.  ", "x.)--y.|\u{201c}Quoted.\u{201d}|next\nline.|end."),
        ("S.p.A. It-vol. X", "S.p.A. It-vol. X"),
        ("!!! ??? ...", "!|!!|?|??|..."),
        ("a.'\n\n b.\" \n", "a.'|b.\""),
        ("", ""),
        ("   ", ""),
        ("10. dogs 1,000.5. It -5. x", "10. dogs 1,000.5.|It -5. x"),
        ("Wait.. . It", "Wait.. .|It"),
        ("e.g. it. i.e. The U.S. The", "e.g.|it.|i.e.|The U.S.|The"),
        ("a!b? c ! It . x", "a!b?|c !|It .|x"),
        ("'Tis. ' It.'' x", "'Tis. '|It.''|x"),
        ("Cut.\u{a0}It. \u{2003}dogs", "Cut.\u{a0}It.|dogs"),
    ];
}
