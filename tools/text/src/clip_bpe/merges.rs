//! CLIP's merge table, recovered from the vocabulary inside the crate `instant-clip-tokenizer`.

use clipa_schemas::file::hex;
use instant_clip_tokenizer::{Token, Tokenizer};
use sha2::{Digest, Sha256};

use super::merge::Merger;
use super::pairs::Pairs;
use super::symbols::{
    END_OF_TEXT, FIRST_MERGE, MERGES_END, START_OF_TEXT, WORD_FINAL, byte_symbol,
};

/// CLIP's vocabulary: which pairs of symbols merge, and the text of every id.
pub struct Merges {
    pairs: Pairs,
    /// Bytes of every id below the special ones, one after the other, and where each ends.
    bytes: Vec<u8>,
    ends: Vec<u32>,
    /// Whether each id ends a piece.
    word_final: Vec<bool>,
    hash: String,
}

/// The vocabulary inside `instant-clip-tokenizer` is not CLIP's.
#[derive(Debug, thiserror::Error)]
#[error("token {id} of the CLIP vocabulary cannot be decoded by the crate instant-clip-tokenizer")]
pub struct VocabularyError {
    /// The first token that does not fit.
    pub id: u16,
}

impl Merges {
    /// Reads CLIP's table through the crate's public interface (about 0.1 s, once a process).
    ///
    /// The crate returns the text of every id, but not the pair that merges into it. The pair follows: every merge is built from
    /// earlier ones, so the text of id `t`, encoded with the merges before `t` only, ends as exactly two symbols, and
    /// those are the pair. (A merge after `t` could not take part: its result would have an id above `t`, and whatever
    /// contains it an even higher one.)
    pub fn of_clip() -> Result<Merges, VocabularyError> {
        let tokenizer = Tokenizer::new();
        let mut merges = Merges {
            pairs: Pairs::new(),
            bytes: Vec::new(),
            ends: Vec::new(),
            word_final: Vec::new(),
            hash: String::new(),
        };
        for id in 0..FIRST_MERGE {
            merges.push_text(&[merges.pairs.byte(id % WORD_FINAL)], id >= WORD_FINAL);
        }
        let (mut merger, mut symbols) = (Merger::default(), Vec::new());
        let mut digest = Sha256::new();
        for id in FIRST_MERGE..MERGES_END {
            let (bytes, word_final) = token_text(&tokenizer, id).ok_or(VocabularyError { id })?;
            symbols.clear();
            merger.merge_bytes(&bytes, word_final, &merges.pairs, &mut symbols);
            let &[left, right] = symbols.as_slice() else { return Err(VocabularyError { id }) };
            if !merges.pairs.insert(left, right, id) {
                return Err(VocabularyError { id });
            }
            merges.push_text(&bytes, word_final);
            digest.update(left.to_le_bytes());
            digest.update(right.to_le_bytes());
        }
        merges.hash = hex(&digest.finalize());
        Ok(merges)
    }

    /// SHA-256 of the pairs in the order of their ids, as little-endian `u16`s.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    fn push_text(&mut self, bytes: &[u8], word_final: bool) {
        self.bytes.extend_from_slice(bytes);
        self.ends.push(self.bytes.len() as u32);
        self.word_final.push(word_final);
    }

    /// The text of these ids: a space after each piece but the last, U+FFFD for what is not UTF-8, `<start_of_text>` and
    /// `<end_of_text>` by name, nothing for numbers that are no ids.
    ///
    /// ```
    /// use clipa_text::clip_bpe::Merges;
    /// let merges = Merges::of_clip().unwrap();
    /// assert_eq!(merges.decode(&[320, 1125, 539, 320, 1929, 269]), "a photo of a dog .");
    /// assert_eq!(merges.piece(1929), "dog");
    /// ```
    pub fn decode(&self, ids: &[u16]) -> String {
        let mut bytes = Vec::new();
        for &id in ids {
            match id {
                START_OF_TEXT => bytes.extend(b"<start_of_text> "),
                END_OF_TEXT => bytes.extend(b"<end_of_text> "),
                id => {
                    bytes.extend(self.bytes_of(id));
                    if self.word_final.get(usize::from(id)).is_some_and(|&ends| ends) {
                        bytes.push(b' ');
                    }
                }
            }
        }
        bytes.truncate(bytes.trim_ascii_end().len());
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Whether this id is the last piece of a word. The special tokens are words of their own.
    pub fn ends_word(&self, id: u16) -> bool {
        self.word_final.get(usize::from(id)).is_none_or(|&ends| ends)
    }

    /// The text of one id, without the end-of-piece mark; U+FFFD where a character is only begun or continued.
    pub fn piece(&self, id: u16) -> String {
        self.decode(&[id])
    }

    fn bytes_of(&self, id: u16) -> &[u8] {
        let Some(&end) = self.ends.get(usize::from(id)) else { return &[] };
        let start = if id == 0 { 0 } else { self.ends[usize::from(id) - 1] };
        &self.bytes[start as usize..end as usize]
    }

    /// Which pairs of symbols merge.
    #[inline]
    pub(super) fn pairs(&self) -> &Pairs {
        &self.pairs
    }
}

/// The bytes of a token, and whether it ends a piece. The crate decodes to text with U+FFFD for what is not UTF-8 by
/// itself, so a token that starts or ends inside a character is decoded between bytes that complete it. Tokens that
/// hold a real U+FFFD exist; the surroundings with the fewest are the ones that complete it.
fn token_text(tokenizer: &Tokenizer, id: u16) -> Option<(Vec<u8>, bool)> {
    const LEADS: [&[u8]; 8] = [
        b"",
        &[0xC3],
        &[0xE1],
        &[0xE1, 0x81],
        &[0xF1],
        &[0xF1, 0x81],
        &[0xF1, 0x81, 0x81],
        &[0xE0],
    ];
    const TAILS: [&[u8]; 6] = [b"", &[0x81], &[0xA1], &[0x91], &[0xA1, 0x81], &[0x91, 0x81, 0x81]];
    let mut best: Option<(usize, Vec<u8>)> = None;
    for (lead, tail) in LEADS.iter().flat_map(|lead| TAILS.iter().map(move |tail| (*lead, *tail))) {
        let bytes = |bytes: &'static [u8]| bytes.iter().map(|&byte| byte_symbol(byte));
        let ids = bytes(lead).chain([id]).chain(bytes(tail));
        let tokens: Option<Vec<_>> = ids.map(|id| Token::from_u16(id, tokenizer)).collect();
        let text = tokenizer.decode(tokens?);
        let unknown = text.matches(char::REPLACEMENT_CHARACTER).count();
        let inner = text.as_bytes().strip_prefix(lead).and_then(|text| text.strip_suffix(tail));
        if let Some(inner) = inner
            && best.as_ref().is_none_or(|(fewest, _)| unknown < *fewest)
        {
            best = Some((unknown, inner.to_vec()));
        }
        if unknown == 0 {
            break;
        }
    }
    let (_, mut bytes) = best?;
    // The crate writes the end of a piece as a space; no token holds a real one.
    let word_final = bytes.last() == Some(&b' ');
    bytes.truncate(bytes.len() - usize::from(word_final));
    Some((bytes, word_final))
}
