//! Tagged sentences from a file: `word TAB tag`, an empty line after each sentence, gzip or plain.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use clipa_schemas::penn::PennTag;
use flate2::read::MultiGzDecoder;

use super::sentence::Sentence;

/// A corpus that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CorpusError {
    /// The file cannot be read.
    #[error("cannot read the tagged sentences in {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line has no tab, or an unknown tag.
    #[error("{path}, line {line}: expected `word TAB Penn tag`, found {found:?}")]
    Line {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The line.
        found: String,
    },
    /// The file has no sentence.
    #[error("{path} holds no tagged sentence")]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

/// Reads all sentences of a file; gzip is recognized by its first bytes.
pub fn read_corpus(path: &Path) -> Result<Vec<Sentence>, CorpusError> {
    let cannot_read = |source| CorpusError::Read { path: path.to_owned(), source };
    let mut file = BufReader::new(File::open(path).map_err(cannot_read)?);
    let gzip = file.fill_buf().map_err(cannot_read)?.starts_with(&[0x1F, 0x8B]);
    let reader: Box<dyn Read> =
        if gzip { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let (mut sentences, mut sentence) = (Vec::new(), Sentence::default());
    for (index, line) in BufReader::new(reader).lines().enumerate() {
        let line = line.map_err(cannot_read)?;
        if line.trim().is_empty() {
            if !sentence.words.is_empty() {
                sentences.push(std::mem::take(&mut sentence));
            }
            continue;
        }
        let parts = line.trim_end().split_once('\t');
        let Some((word, tag)) = parts.and_then(|(word, tag)| Some((word, penn_tag(tag)?))) else {
            return Err(CorpusError::Line { path: path.to_owned(), line: index + 1, found: line });
        };
        sentence.push(bracket(word), tag);
    }
    if !sentence.words.is_empty() {
        sentences.push(sentence);
    }
    if sentences.is_empty() {
        Err(CorpusError::Empty { path: path.to_owned() })
    } else {
        Ok(sentences)
    }
}

/// The Penn tag of an English Web Treebank tag. That treebank has tags beyond the 45 of the Wall Street Journal:
///
/// | EWT | Penn | reason |
/// |---|---|---|
/// | `-LRB-`, `-RRB-` | `(`, `)` | the same under another name |
/// | `HYPH` | `:` | dashes are `:` in Penn |
/// | `NFP` | `:` | strings of punctuation, rules, emoticons |
/// | `ADD` | `NN` | mail and web addresses are names |
/// | `AFX` | `JJ` | a prefix written apart (`pre`, `anti`) |
/// | `GW` | `NN` | part of a word that was written apart |
/// | `XX` | `FW` | unintelligible |
pub fn penn_tag(tag: &str) -> Option<PennTag> {
    PennTag::from_name(match tag {
        "-LRB-" => "(",
        "-RRB-" => ")",
        "HYPH" | "NFP" => ":",
        "ADD" | "GW" => "NN",
        "AFX" => "JJ",
        "XX" => "FW",
        tag => tag,
    })
}

/// The bracket itself; treebanks write its name.
fn bracket(word: &str) -> &str {
    match word {
        "-LRB-" => "(",
        "-RRB-" => ")",
        "-LSB-" => "[",
        "-RSB-" => "]",
        "-LCB-" => "{",
        "-RCB-" => "}",
        word => word,
    }
}
