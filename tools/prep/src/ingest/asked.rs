//! What filters and lists ask of a sample's metadata.

use super::options::Filter;

/// A question: which flag asks for which column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// The flag.
    pub(super) flag: &'static str,
    /// The metadata's column, or `md5`.
    pub(super) column: &'static str,
}

impl Filter {
    /// All that the filters and lists ask for.
    pub(super) fn asked(&self) -> Vec<Asked> {
        let mut all = Vec::new();
        let mut ask = |is_on: bool, flag, column| {
            if is_on {
                all.push(Asked { flag, column });
            }
        };
        for (list, flag) in [(&self.deny, "--deny"), (&self.allow, "--allow")] {
            let Some(list) = list else { continue };
            ask(list.url_entries() > 0, flag, "url");
            ask(list.sha256_entries() > 0, flag, "sha256");
            ask(list.md5_entries() > 0, flag, "md5");
        }
        ask(self.min_similarity.is_some(), "--min-similarity", "similarity");
        ask(self.max_punsafe.is_some(), "--max-punsafe", "punsafe");
        ask(self.max_pwatermark.is_some(), "--max-pwatermark", "pwatermark");
        ask(!self.languages.is_empty(), "--language", "language");
        ask(!self.drop_nsfw.is_empty(), "--drop-nsfw", "nsfw");
        for (is_on, flag) in [
            (self.min_side.is_some(), "--min-side"),
            (self.min_area.is_some(), "--min-area"),
            (self.max_aspect.is_some(), "--drop-aspect"),
        ] {
            ask(is_on, flag, "original_width");
            ask(is_on, flag, "original_height");
        }
        all
    }
}
