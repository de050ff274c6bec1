//! BERT's WordPiece as files that Hugging Face's `tokenizers` loads, with the rows that a model was trained with.
//!
//! open_clip reads a BERT tokenizer from the folder of the weights (`local-dir:`), and cuts, pads and strips as the files say. CLIPA's
//! rows have no `[SEP]`, so the template that is written has none; open_clip's own dialect has one, and strips it.

use std::{collections::HashMap, fs, path::Path};

use clipa_schemas::file;
use serde_json::{Map, Value, json};

use super::error::ExchangeError;

/// The vocabulary, one piece a line.
pub(super) const VOCABULARY: &str = "vocab.txt";
/// All files of a tokenizer that an import takes along.
pub(super) const FILES: [&str; 6] = [
    VOCABULARY,
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.json",
    "merges.txt",
];
/// Longest file of a tokenizer, in bytes.
pub(super) const MAX_FILE_BYTES: u64 = 64 << 20;
/// Pieces of `bert-base-uncased`.
const PIECES: usize = 30_522;
/// The special ones, by their ids.
const SPECIAL: [(usize, &str); 5] =
    [(0, "[PAD]"), (100, "[UNK]"), (101, "[CLS]"), (102, "[SEP]"), (103, "[MASK]")];

/// A vocabulary that was read and checked.
#[derive(Debug)]
pub(super) struct Vocabulary {
    pieces: Vec<String>,
}

impl Vocabulary {
    /// Reads `vocab.txt`.
    ///
    /// # Errors
    /// Another vocabulary than that of `bert-base-uncased`: ids would mean other pieces.
    pub(super) fn read(path: &Path) -> Result<Vocabulary, ExchangeError> {
        let bytes = fs::metadata(path).map_err(ExchangeError::io(path))?.len();
        if bytes > MAX_FILE_BYTES {
            return Err(ExchangeError::damaged(path, format!("{bytes} bytes are no vocabulary")));
        }
        let text = fs::read_to_string(path).map_err(ExchangeError::io(path))?;
        let pieces: Vec<String> = text.lines().map(str::to_owned).collect();
        let other = |detail: String| {
            let hint =
                "name vocab.txt of bert-base-uncased, the file that the data set was prepared with";
            ExchangeError::unsupported(path, detail, Some(hint))
        };
        if pieces.len() != PIECES {
            return Err(other(format!(
                "{} pieces, those of bert-base-uncased are {PIECES}",
                pieces.len()
            )));
        }
        for (id, piece) in SPECIAL {
            if pieces[id] != piece {
                let found = clipa_talk::printable(&pieces[id]).into_owned();
                return Err(other(format!("piece {id} is `{found}`, not {piece}")));
            }
        }
        let mut places = HashMap::new();
        for (id, piece) in pieces.iter().enumerate() {
            if let Some(first) = places.insert(piece, id) {
                return Err(other(format!("pieces {first} and {id} are the same")));
            }
        }
        Ok(Vocabulary { pieces })
    }

    /// Writes the tokenizer's files into a folder.
    ///
    /// # Errors
    /// The disk.
    pub(super) fn write(&self, folder: &Path, strip_sep_token: bool) -> Result<(), ExchangeError> {
        file::write_json(&folder.join("tokenizer.json"), &self.tokenizer(strip_sep_token))?;
        let config = json!({
            // Any other class would put its own template in the file's place.
            "tokenizer_class": "PreTrainedTokenizerFast",
            "pad_token": "[PAD]",
            "unk_token": "[UNK]",
            "cls_token": "[CLS]",
            "sep_token": "[SEP]",
            "mask_token": "[MASK]",
            "clean_up_tokenization_spaces": true,
            "model_max_length": 512,
        });
        file::write_json(&folder.join("tokenizer_config.json"), &config)?;
        super::folder::write_text(&folder.join(VOCABULARY), &(self.pieces.join("\n") + "\n"))
    }

    /// `tokenizer.json`: BERT's normaliser and greedy longest match, and the template of a row.
    fn tokenizer(&self, has_end: bool) -> Value {
        let special = |token: &str| json!({"SpecialToken": {"id": token, "type_id": 0}});
        let mut template = vec![special("[CLS]"), json!({"Sequence": {"id": "A", "type_id": 0}})];
        template.extend(has_end.then(|| special("[SEP]")));
        let mut pair = template.clone();
        pair.push(json!({"Sequence": {"id": "B", "type_id": 1}}));
        let described =
            |id: usize, token: &str| json!({"id": token, "ids": [id], "tokens": [token]});
        let added = SPECIAL.map(|(id, token)| {
            json!({
                "id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true,
            })
        });
        let ids = self.pieces.iter().enumerate();
        let vocabulary: Map<String, Value> =
            ids.map(|(id, piece)| (piece.clone(), json!(id))).collect();
        json!({
            "version": "1.0",
            "truncation": null,
            "padding": null,
            "added_tokens": added,
            "normalizer": {
                "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                "strip_accents": null, "lowercase": true,
            },
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": {
                "type": "TemplateProcessing",
                "single": template,
                "pair": pair,
                "special_tokens": {"[CLS]": described(101, "[CLS]"), "[SEP]": described(102, "[SEP]")},
            },
            "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
            "model": {
                "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100, "vocab": vocabulary,
            },
        })
    }
}

/// Does the tokenizer beside weights end its rows in `[SEP]`? `None` where nothing says so.
pub(super) fn ends_in_separator(folder: &Path) -> Option<bool> {
    let path = folder.join("tokenizer.json");
    let bytes = fs::metadata(&path).ok()?.len();
    if bytes > MAX_FILE_BYTES {
        return None;
    }
    let tokenizer: Value = serde_json::from_slice(&fs::read(&path).ok()?).ok()?;
    let single = tokenizer.get("post_processor")?.get("single")?.as_array()?;
    let is_end = |part: &Value| {
        part.get("SpecialToken").and_then(|token| token.get("id")).is_some_and(|id| id == "[SEP]")
    };
    Some(single.iter().any(is_end))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The special pieces in their places, and words that nobody has.
    fn text() -> String {
        let mut pieces: Vec<String> = (0..PIECES).map(|id| format!("piece{id}")).collect();
        for (id, piece) in SPECIAL {
            pieces[id] = piece.to_owned();
        }
        pieces.join("\n") + "\n"
    }

    #[test]
    fn a_row_ends_as_it_was_trained() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("given.txt");
        fs::write(&path, text()).unwrap();
        let vocabulary = Vocabulary::read(&path).unwrap();
        assert_eq!(ends_in_separator(folder.path()), None);
        for strip in [false, true] {
            vocabulary.write(folder.path(), strip).unwrap();
            assert_eq!(ends_in_separator(folder.path()), Some(strip));
        }
        assert_eq!(fs::read_to_string(folder.path().join(VOCABULARY)).unwrap(), text());
        let written = fs::read(folder.path().join("tokenizer.json")).unwrap();
        let written: Value = serde_json::from_slice(&written).unwrap();
        assert_eq!(written["model"]["vocab"]["piece30521"], 30_521);
        assert_eq!(written["model"]["vocab"].as_object().unwrap().len(), PIECES);
    }

    #[test]
    fn another_vocabulary_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("given.txt");
        for (changed, said) in [
            (text().replace("piece5\n", ""), "30521 pieces"),
            (text().replace("[CLS]", "piece101"), "piece 101 is `piece101`"),
            (text().replace("piece7\n", "piece6\n"), "pieces 6 and 7 are the same"),
        ] {
            fs::write(&path, changed).unwrap();
            let error = Vocabulary::read(&path).unwrap_err();
            assert!(error.to_string().contains(said), "{error}");
            assert!(error.hint().is_some());
        }
    }
}
