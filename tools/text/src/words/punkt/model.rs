//! A trained Punkt model: the tables of a language, as NLTK's `punkt_tab` files have them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clipa_schemas::file::hex;
use rustc_hash::{FxHashMap, FxHashSet};
use sha2::{Digest, Sha256};

/// A trained Punkt model.
#[derive(Default)]
pub struct Punkt {
    pub(super) abbreviations: FxHashSet<String>,
    /// A word without its period, and the word after it.
    pub(super) collocations: FxHashSet<(String, String)>,
    pub(super) sentence_starters: FxHashSet<String>,
    /// How a word was written in training: bits of [`Written`].
    pub(super) written: FxHashMap<String, u32>,
    pub(super) hash: String,
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
pub(super) struct Written;

impl Written {
    pub(super) const INSIDE_UPPER: u32 = 1 << 2;
    pub(super) const START_LOWER: u32 = 1 << 4;
    pub(super) const UPPER: u32 = 1 << 1 | 1 << 2 | 1 << 3;
    pub(super) const LOWER: u32 = 1 << 4 | 1 << 5 | 1 << 6;
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
        punkt.hash = hex(&digest.finalize());
        Ok(punkt)
    }

    /// SHA-256 of the four files, one after the other.
    pub fn hash(&self) -> &str {
        &self.hash
    }
}
