//! BERT's WordPiece, uncased: ids identical to Hugging Face's `bert-base-uncased`, without `[CLS]` and `[SEP]`.
//!
//! The second tokenizer of CLIPA: the v2 models read it. Text is cleaned with [`crate::clean::CleanMode::Whitespace`] first.
//! The crate `tokenizers` would bring some thirty crates for the hundred lines below.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clipa_schemas::file::sha256_hex;
use rustc_hash::FxHashMap;
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use crate::characters::is_punctuation;

/// Longest word in characters; a longer one is unknown as a whole.
const WORD_CHARS_MAX: usize = 100;
/// Most entries of a vocabulary: ids are stored in 16 bits.
const VOCABULARY_MAX: usize = 1 << 16;
/// Special tokens, which are recognized where a caption spells them.
const SPECIALS: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
/// Folders of the Hugging Face cache that have the vocabulary, newest name first.
const CACHE_FOLDERS: [&str; 2] =
    ["models--google-bert--bert-base-uncased", "models--bert-base-uncased"];

/// A vocabulary that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WordPieceError {
    /// The file cannot be read.
    #[error("cannot read the WordPiece vocabulary {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not a vocabulary.
    #[error(
        "{path} is not a WordPiece vocabulary: {reason}\nhint: give bert-base-uncased's vocab.txt"
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// A vocabulary: pieces by their text, in the order of their ids.
#[derive(Debug)]
pub struct WordPiece {
    ids: FxHashMap<Box<str>, u16>,
    unknown: u16,
    /// Longest piece in bytes, without `##`.
    piece_bytes_max: usize,
    hash: String,
}

/// What a worker keeps between texts.
#[derive(Default)]
pub struct WordPieceBuffers {
    normalized: String,
    key: String,
}

impl WordPiece {
    /// Reads `vocab.txt`: one piece a line, its id the number of the line from 0.
    pub fn open(path: &Path) -> Result<WordPiece, WordPieceError> {
        let bytes = fs::read(path)
            .map_err(|source| WordPieceError::Read { path: path.to_owned(), source })?;
        let wrong = |reason: String| WordPieceError::Format { path: path.to_owned(), reason };
        let text = std::str::from_utf8(&bytes).map_err(|_| wrong("it is not UTF-8".to_owned()))?;
        let mut ids: FxHashMap<Box<str>, u16> = FxHashMap::default();
        for (index, piece) in text.lines().enumerate() {
            if index == VOCABULARY_MAX {
                return Err(wrong(format!("it has more than {VOCABULARY_MAX} pieces")));
            }
            ids.insert(piece.trim_end().into(), index as u16);
        }
        let unknown = *ids.get("[UNK]").ok_or_else(|| wrong("it has no [UNK]".to_owned()))?;
        let piece_bytes_max =
            ids.keys().map(|piece| piece.trim_start_matches("##").len()).max().unwrap_or(0);
        Ok(WordPiece { ids, unknown, piece_bytes_max, hash: sha256_hex(&bytes) })
    }

    /// The vocabulary of `bert-base-uncased` in the Hugging Face cache of this user, if it is there: below
    /// `HF_HUB_CACHE`, `HF_HOME/hub` or `~/.cache/huggingface/hub`.
    pub fn in_cache() -> Option<PathBuf> {
        let variable = |name| std::env::var_os(name).map(PathBuf::from);
        let hub = variable("HF_HUB_CACHE")
            .or_else(|| Some(variable("HF_HOME")?.join("hub")))
            .or_else(|| Some(variable("HOME")?.join(".cache/huggingface/hub")))?;
        CACHE_FOLDERS.iter().find_map(|folder| {
            let snapshots = fs::read_dir(hub.join(folder).join("snapshots")).ok()?;
            let mut found: Vec<PathBuf> = snapshots
                .filter_map(|snapshot| Some(snapshot.ok()?.path().join("vocab.txt")))
                .filter(|vocabulary| vocabulary.is_file())
                .collect();
            found.sort();
            found.pop()
        })
    }

    /// The id of a piece, where there is one.
    pub fn id(&self, piece: &str) -> Option<u16> {
        self.ids.get(piece).copied()
    }

    /// The text of every id; empty where the file repeats a piece.
    pub fn pieces(&self) -> Vec<String> {
        let ids = self.ids.values().max().map_or(0, |&last| usize::from(last) + 1);
        let mut pieces = vec![String::new(); ids];
        self.ids.iter().for_each(|(piece, &id)| pieces[usize::from(id)] = piece.to_string());
        pieces
    }

    /// SHA-256 of the file.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Appends the ids of `text`; time grows linearly with it.
    pub fn encode(&self, text: &str, buffers: &mut WordPieceBuffers, ids: &mut Vec<u16>) {
        let mut rest = text;
        while let Some((at, special)) = first_special(rest) {
            self.encode_plain(&rest[..at], buffers, ids);
            ids.push(self.ids.get(special).copied().unwrap_or(self.unknown));
            rest = &rest[at + special.len()..];
        }
        self.encode_plain(rest, buffers, ids);
    }

    fn encode_plain(&self, text: &str, buffers: &mut WordPieceBuffers, ids: &mut Vec<u16>) {
        let WordPieceBuffers { normalized, key } = buffers;
        normalized.clear();
        normalize(text, normalized);
        for run in normalized.split(char::is_whitespace).filter(|run| !run.is_empty()) {
            let mut rest = run;
            while let Some(c) = rest.chars().next() {
                let end = match rest.find(is_punctuation) {
                    Some(0) => c.len_utf8(),
                    Some(end) => end,
                    None => rest.len(),
                };
                self.encode_word(&rest[..end], key, ids);
                rest = &rest[end..];
            }
        }
    }

    /// The longest pieces from left to right, or one unknown where some part has none.
    fn encode_word(&self, word: &str, key: &mut String, ids: &mut Vec<u16>) {
        let start = ids.len();
        if word.chars().count() > WORD_CHARS_MAX {
            ids.push(self.unknown);
            return;
        }
        let mut rest = word;
        while !rest.is_empty() {
            let longest = rest.len().min(self.piece_bytes_max);
            let ends = (1..=longest).rev().filter(|&end| rest.is_char_boundary(end));
            let found = ends.into_iter().find_map(|end| {
                if rest.len() == word.len() {
                    return Some((*self.ids.get(&rest[..end])?, end));
                }
                key.clear();
                key.push_str("##");
                key.push_str(&rest[..end]);
                Some((*self.ids.get(key.as_str())?, end))
            });
            let Some((id, end)) = found else {
                ids.truncate(start);
                ids.push(self.unknown);
                return;
            };
            ids.push(id);
            rest = &rest[end..];
        }
    }
}

/// The first special token that the text spells, and where.
fn first_special(text: &str) -> Option<(usize, &'static str)> {
    let starts = text.match_indices('[').map(|(at, _)| at);
    starts.into_iter().find_map(|at| {
        let special = SPECIALS.iter().find(|special| text[at..].starts_with(**special))?;
        Some((at, *special))
    })
}

/// Drops control characters and accents, puts spaces around Chinese characters, and lowers the case.
fn normalize(text: &str, out: &mut String) {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        out.extend(text.bytes().map(|byte| char::from(byte.to_ascii_lowercase())));
        return;
    }
    let mut spaced = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\t' | '\n' | '\r') || c.is_whitespace() {
            spaced.push(' ');
        } else if is_chinese(c) {
            spaced.extend([' ', c, ' ']);
        } else if c != char::REPLACEMENT_CHARACTER && !is_control(c) {
            spaced.push(c);
        }
    }
    let accent = |c: &char| c.general_category() == GeneralCategory::NonspacingMark;
    out.extend(spaced.nfd().filter(|c| !accent(c)).flat_map(char::to_lowercase));
}

fn is_control(c: char) -> bool {
    matches!(
        c.general_category(),
        GeneralCategory::Control | GeneralCategory::Format | GeneralCategory::PrivateUse
    )
}

/// The blocks of CJK ideographs; not kana, not Hangul, which are written with spaces or in runs.
fn is_chinese(c: char) -> bool {
    matches!(
        u32::from(c),
        0x4E00..=0x9FFF
            | 0x3400..=0x4DBF
            | 0x20000..=0x2A6DF
            | 0x2A700..=0x2B73F
            | 0x2B740..=0x2B81F
            | 0x2B820..=0x2CEAF
            | 0xF900..=0xFAFF
            | 0x2F800..=0x2FA1F
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared_data::shared_data;

    fn vocabulary(pieces: &str) -> WordPiece {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), pieces).unwrap();
        WordPiece::open(file.path()).unwrap()
    }

    fn encode(vocabulary: &WordPiece, text: &str) -> Vec<u16> {
        let mut ids = Vec::new();
        vocabulary.encode(text, &mut WordPieceBuffers::default(), &mut ids);
        ids
    }

    #[test]
    fn the_longest_pieces_win_and_a_word_without_pieces_is_unknown() {
        let small = vocabulary("[PAD]\n[UNK]\n[SEP]\nun\n##aff\n##able\naffable\n,\n京\ne\n##a\n");
        assert_eq!(encode(&small, "Unaffable,affable"), [3, 4, 5, 7, 6]);
        assert_eq!(
            encode(&small, "unaffx 京京 É\u{0}\u{ad} x[SEP]un [sep]"),
            [1, 8, 8, 9, 1, 2, 3, 1, 1, 1]
        );
        assert_eq!(
            encode(&small, &format!("e{} e{}", "a".repeat(99), "a".repeat(100)))[99..],
            [10, 1]
        );
        assert!(encode(&small, " \n").is_empty());
    }

    #[test]
    fn a_file_that_is_no_vocabulary_is_an_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "a\nb\n").unwrap();
        assert!(matches!(WordPiece::open(file.path()), Err(WordPieceError::Format { .. })));
        fs::write(file.path(), b"[UNK]\n\xff\n").unwrap();
        assert!(matches!(WordPiece::open(file.path()), Err(WordPieceError::Format { .. })));
        assert!(matches!(WordPiece::open(Path::new("no/such")), Err(WordPieceError::Read { .. })));
    }

    /// Rows of open_clip 3.3.0 with bert-base-uncased (facts of CLIPA, 3.6), `[CLS]` and padding left out.
    #[test]
    fn ids_are_those_of_open_clip() {
        let Some(data) = shared_data() else { return };
        let bert = WordPiece::open(&data.join("metadata/bert-base-uncased-vocab.txt")).unwrap();
        assert_eq!(encode(&bert, "a photo of a dog"), [1037, 6302, 1997, 1037, 3899]);
        let expected =
            [7668, 15743, 1010, 27133, 8883, 999, 28130, 10476, 1059, 1013, 8154, 1035, 1058, 2475];
        assert_eq!(encode(&bert, "Café naïve, ADIDAS! sneakers 2019 w/ logo_v2"), expected);
        assert_eq!(encode(&bert, "very long caption"), [2200, 2146, 14408, 3258]);
    }
}
