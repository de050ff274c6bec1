//! Token ids back to text, so that a person sees what a model reads.

use clipa_schemas::reduction::text::Specials;
use instant_clip_tokenizer::{Token, Tokenizer};

use super::InspectError;

/// Stands between the pieces of a word.
pub const JOINT: char = '·';

/// Turns the ids of one token column into text.
pub struct Detokenizer {
    column: String,
    vocabulary: Vocabulary,
    specials: Specials,
}

enum Vocabulary {
    Clip(Box<Tokenizer>),
    /// A vocabulary that this program does not carry: ids are shown as numbers.
    Numbers,
}

impl Detokenizer {
    /// The vocabulary of a token column.
    pub fn of_column(column: &str) -> Detokenizer {
        let (vocabulary, specials) = match column {
            "clip_bpe" => (Vocabulary::Clip(Box::default()), Specials::CLIP_BPE),
            _ => (Vocabulary::Numbers, Specials::BERT_CLIPA),
        };
        Detokenizer { column: column.to_owned(), vocabulary, specials }
    }

    /// The special tokens that go with the vocabulary.
    pub fn specials(&self) -> Specials {
        self.specials
    }

    /// The text of some ids: words divided by spaces, the pieces of a word by [`JOINT`].
    ///
    /// # Errors
    /// [`InspectError::Token`] for an id that the vocabulary does not have.
    pub fn text(&self, ids: &[u16]) -> Result<String, InspectError> {
        let tokenizer = match &self.vocabulary {
            Vocabulary::Clip(tokenizer) => tokenizer,
            Vocabulary::Numbers => {
                let numbers: Vec<String> = ids.iter().map(|id| format!("#{id}")).collect();
                return Ok(numbers.join(" "));
            }
        };
        let unknown = |id| InspectError::Token { column: self.column.clone(), id };
        let mut tokens = Vec::with_capacity(ids.len());
        for &id in ids {
            tokens.push(Token::from_u16(id, tokenizer).ok_or_else(|| unknown(id))?);
        }
        let mut words = Vec::new();
        let mut start = 0;
        for end in 1..=tokens.len() {
            let last = tokens[end - 1];
            let ends_word =
                tokenizer.decode([last]).ends_with(' ') || self.is_special(last.to_u16());
            if ends_word || end == tokens.len() {
                words.push(self.joined(tokenizer, &tokens[start..end]));
                start = end;
            }
        }
        Ok(words.join(" "))
    }

    /// The text of one word of the tagger's tokenizer, all its pieces divided by [`JOINT`].
    ///
    /// # Errors
    /// As [`Detokenizer::text`].
    pub fn word(&self, ids: &[u16]) -> Result<String, InspectError> {
        Ok(self.text(ids)?.replace(' ', &JOINT.to_string()))
    }

    /// A row as the model reads it, without padding: the kept ids with the special ones around.
    ///
    /// # Errors
    /// As [`Detokenizer::text`].
    pub fn row(&self, row: &[u16]) -> Result<String, InspectError> {
        let kept = self.kept(row);
        let inner = self.text(&row[1..1 + kept])?;
        let space = if inner.is_empty() { "" } else { " " };
        let end = if self.specials.end.is_some() { " <end>" } else { "" };
        Ok(format!("<start>{space}{inner}{end}"))
    }

    /// Tokens of a row between the special ones.
    pub fn kept(&self, row: &[u16]) -> usize {
        let inner = row.get(1..).unwrap_or_default();
        let end = match self.specials.end {
            Some(end) => inner.iter().rposition(|&id| id == end),
            None => inner.iter().rposition(|&id| id != self.specials.pad).map(|last| last + 1),
        };
        end.unwrap_or(0)
    }

    fn is_special(&self, id: u16) -> bool {
        id == self.specials.start || Some(id) == self.specials.end
    }

    /// Pieces up to one that ends a word. Those that cut a character in two are shown undivided.
    fn joined(&self, tokenizer: &Tokenizer, tokens: &[Token]) -> String {
        if let [token] = tokens
            && self.is_special(token.to_u16())
        {
            let name = if token.to_u16() == self.specials.start { "<start>" } else { "<end>" };
            return name.to_owned();
        }
        let pieces: Vec<String> =
            tokens.iter().map(|&token| tokenizer.decode([token]).trim_end().to_owned()).collect();
        if pieces.iter().any(|piece| piece.contains(char::REPLACEMENT_CHARACTER)) {
            return tokenizer.decode(tokens.iter().copied()).trim_end().to_owned();
        }
        pieces.join(&JOINT.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clip_ids_become_words_and_pieces() {
        let clip = Detokenizer::of_column("clip_bpe");
        // Rows of open_clip, as in CLIPA's golden captions.
        assert_eq!(clip.text(&[320, 1125, 539, 320, 1929, 269]).unwrap(), "a photo of a dog .");
        let row = [49406, 3712, 2866, 3240, 1982, 269, 2915, 49407];
        assert_eq!(clip.row(&row).unwrap(), "<start> quick brown fox mr . smith <end>");
        assert_eq!(clip.row(&[49406, 320, 49407, 0, 0]).unwrap(), "<start> a <end>");
        assert_eq!(clip.kept(&[49406, 49407, 0, 0]), 0);
        assert_eq!(clip.word(&[1982, 269]).unwrap(), "mr·.");
        let tokenizer = Tokenizer::new();
        let mut tokens = Vec::new();
        tokenizer.encode("hypercheckered 北京市 😀", &mut tokens);
        let ids: Vec<u16> = tokens.into_iter().map(Token::to_u16).collect();
        let text = clip.text(&ids).unwrap();
        assert!(text.contains(JOINT), "{text}");
        assert_eq!(text.replace(JOINT, ""), "hypercheckered 北京市 😀");
        assert!(matches!(clip.text(&[50_000]), Err(InspectError::Token { id: 50_000, .. })));
    }

    #[test]
    fn ids_of_another_vocabulary_are_numbers() {
        let bert = Detokenizer::of_column("bert_wordpiece");
        assert_eq!(bert.row(&[101, 2003, 7, 0, 0]).unwrap(), "<start> #2003 #7");
        assert_eq!(bert.kept(&[101, 0, 0]), 0);
    }
}
