//! Checks of a model's files before they are read.

use std::fs;
use std::path::Path;

use clipa_text::tagger::TaggerError;

/// Where to get the files.
const HINT: &str = "the folder needs config.json, vocab.txt and the weights as model.safetensors or rust_model.ot, for \
                    example those of the model mobilebert-finetuned-pos";

/// The error of a folder without this file.
pub(super) fn missing(what: &'static str, directory: &Path) -> TaggerError {
    TaggerError::Missing { what, directory: directory.to_owned(), hint: HINT }
}

/// Refuses a file of more than `most` bytes.
pub(super) fn check_size(path: &Path, most: u64) -> Result<(), TaggerError> {
    let metadata = fs::metadata(path).map_err(|source| TaggerError::read(path, source))?;
    let bytes = metadata.len();
    if bytes <= most {
        return Ok(());
    }
    Err(TaggerError::format(path, format!("{bytes} bytes, more than {most}")))
}
