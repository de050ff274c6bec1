//! From flags to checked options: once, before anything is read or written.

use std::{num::NonZeroUsize, path::PathBuf, sync::Arc};

use anyhow::{Result, bail, ensure};
use clipa_schemas::{image_column::ImageColumn, manifest::Kind};

use super::flags::{FilterFlags, IngestFlags};
use crate::{
    image::DecodeLimits,
    ingest::options::{Filter, IngestOptions},
    lists::List,
};
use clipa_text::TextConfig;

/// The number of threads: all cores where none was named.
pub(super) fn threads(named: Option<NonZeroUsize>) -> usize {
    named.map_or_else(clipa_pool::cores, NonZeroUsize::get)
}

impl IngestFlags {
    /// The options as far as every ingest has them.
    ///
    /// # Errors
    /// The recipe is unknown, or two image columns have the same side.
    pub(super) fn options(&self, kind: Kind) -> Result<IngestOptions> {
        let mut images = match &self.recipe {
            Some(recipe) => crate::image_choice::image_columns(recipe)?,
            None if self.images.is_empty() => default_images(kind),
            None => self.images.clone(),
        };
        images.sort_by_key(|column| column.side);
        if let Some(pair) = images.windows(2).find(|pair| pair[0].side == pair[1].side) {
            bail!("two image columns of side {}: {} and {}", pair[0].side, pair[0], pair[1]);
        }
        ensure!(self.max_aspect >= 1.0, "--max-aspect {} is below 1", self.max_aspect);
        let limits = DecodeLimits {
            max_pixels: u64::from(self.max_megapixels) * 1_000_000,
            ..DecodeLimits::default()
        };
        let mut refused = self.refuse.clone();
        refused.sort_unstable();
        refused.dedup();
        Ok(IngestOptions {
            kind,
            classes: None,
            images,
            max_aspect: self.max_aspect,
            jpeg_quality: self.jpeg_quality,
            unpad: false,
            limits,
            filter: Filter::default(),
            refused,
            text: TextConfig { tagger: self.tagger.clone(), bert_vocab: self.bert_vocab.clone() },
        })
    }
}

fn default_images(kind: Kind) -> Vec<ImageColumn> {
    let columns: &[&str] = match kind {
        Kind::Pairs => &["112:rgb8-square", "256:jpeg"],
        Kind::Classes => &["256:jpeg"],
    };
    columns.iter().filter_map(|column| column.parse().ok()).collect()
}

impl FilterFlags {
    /// The filters, with their lists read.
    ///
    /// # Errors
    /// A list cannot be read.
    pub(super) fn filter(self) -> Result<Filter> {
        let mut languages: Vec<String> =
            self.language.iter().map(|code| code.trim().to_ascii_lowercase()).collect();
        languages.sort();
        languages.dedup();
        Ok(Filter {
            allow: list(&self.allow)?,
            deny: list(&self.deny)?,
            languages,
            min_area: self.min_area,
            min_side: self.min_side,
            max_aspect: self.drop_aspect,
            min_words: self.min_words,
            max_words: self.max_words,
            min_chars: self.min_chars,
            max_chars: self.max_chars,
            min_similarity: self.min_similarity,
            max_punsafe: self.max_punsafe,
            max_pwatermark: self.max_pwatermark,
            drop_nsfw: self.drop_nsfw,
            drop_missing: self.drop_missing,
        })
    }
}

fn list(files: &[PathBuf]) -> Result<Option<Arc<List>>> {
    if files.is_empty() {
        return Ok(None);
    }
    Ok(Some(Arc::new(List::read(files)?)))
}
