//! What a unit was made from, by content.

use serde::{Deserialize, Serialize};

/// A file that a unit was made from: the input itself, or one that lies beside it and is read with it.
///
/// Nothing of it says where the file lay or when it was written, so that entries are the same wherever a unit is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputFile {
    /// Its name without the folder.
    pub file: String,
    /// Length in bytes.
    pub bytes: u64,
    /// BLAKE3 of the whole in lower-case hexadecimal, as `b3sum` prints it. (Of a folder of images: over names, classes
    /// and contents.)
    pub blake3: String,
    /// BLAKE3 of some of it, where comparing the whole each time would take long. (Of a folder of images: over names,
    /// classes and lengths.)
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampled_blake3: Option<String>,
}

impl InputFile {
    /// One digest of all files of a unit, as the manifest holds it.
    pub fn digest_of(files: &[InputFile]) -> String {
        let text = serde_json::to_string(files).expect("strings and numbers always become JSON");
        blake3::hash(text.as_bytes()).to_hex().to_string()
    }
}
