//! Which columns of a shard a stage reads.

use std::{path::Path, sync::Arc};

use clipa_recipe::Captions;
use clipa_schemas::{
    image_column::ImageColumn,
    manifest::{Kind, Manifest},
    shard::CaptionBlock,
    vocabulary::{self, Vocabulary},
};

use super::{config::StreamConfig, error::StreamError};

/// Of the columns of captions, those of the first caption.
const FIRST_CAPTION_COLUMNS: usize = 2;

/// What is read of every row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    pub(super) image: ImageColumn,
    /// Name of the token column.
    pub(super) tokens: Option<String>,
    /// Are all captions read, or the first only?
    pub(super) several: bool,
    /// Does a sample show all of its captions, and not one of them?
    pub(super) every: bool,
    /// What the token column's ids are, where the text reduction asks for it.
    pub(super) vocabulary: Option<Arc<Vocabulary>>,
    /// Is the class read?
    pub(super) label: bool,
}

impl Columns {
    /// Their names in the shard.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names = vec![self.image.name()];
        names.extend(
            self.image.size_names().into_iter().flat_map(|(width, height)| [width, height]),
        );
        if let Some(tokens) = &self.tokens {
            let columns = CaptionBlock::columns(tokens);
            let read = if self.several { columns.len() } else { FIRST_CAPTION_COLUMNS };
            names.extend(columns.into_iter().take(read));
        }
        names.extend(self.label.then(|| "label".to_owned()));
        names
    }

    /// What training reads: images and captions.
    pub(super) fn of_pairs(
        dataset: &Path,
        manifest: &Manifest,
        config: &StreamConfig,
    ) -> Result<Columns, StreamError> {
        if !manifest.tokens.contains(&config.tokenizer) {
            return Err(StreamError::NoTokenColumn {
                path: dataset.to_owned(),
                wanted: config.tokenizer.clone(),
                stored: listed(&manifest.tokens),
            });
        }
        if let Some(digest) = &manifest.vocabulary
            && config.text.reads_vocabulary()
            && !config.trust_data
        {
            digest.verify(dataset)?;
        }
        let vocabulary = match config.text.reads_vocabulary() {
            true => vocabulary::read(dataset, &config.tokenizer)?.map(Arc::new),
            false => None,
        };
        if config.text.reads_words() && !manifest.tagged
            || config.text.reads_vocabulary() && vocabulary.is_none()
        {
            let reduction = config.text.to_string();
            return Err(StreamError::NoTags { path: dataset.to_owned(), reduction });
        }
        let image = image_column(dataset, manifest, config)?;
        Ok(Columns {
            image,
            tokens: Some(config.tokenizer.clone()),
            several: config.captions != Captions::First,
            every: false,
            vocabulary,
            label: false,
        })
    }

    /// What an evaluation reads: classes of a classification set, captions of pairs.
    pub(super) fn of_evaluation(
        dataset: &Path,
        manifest: &Manifest,
        config: &StreamConfig,
    ) -> Result<Columns, StreamError> {
        match manifest.kind {
            Kind::Pairs => Columns::of_pairs(dataset, manifest, config),
            Kind::Classes => {
                let image = image_column(dataset, manifest, config)?;
                Ok(Columns {
                    image,
                    tokens: None,
                    several: false,
                    every: false,
                    vocabulary: None,
                    label: true,
                })
            }
        }
    }

    /// The same columns with every caption of pairs.
    pub(super) fn with_every_caption(self) -> Columns {
        let has_captions = self.tokens.is_some();
        Columns { several: has_captions, every: has_captions, ..self }
    }
}

/// The image column of a stage: the one that is asked for, or the smallest of which no crop is enlarged, or the largest.
///
/// # Errors
/// [`StreamError::NoImageColumn`].
pub fn image_column(
    dataset: &Path,
    manifest: &Manifest,
    config: &StreamConfig,
) -> Result<ImageColumn, StreamError> {
    let mut stored = manifest.images.clone();
    stored.sort_by_key(|column| column.side);
    let chosen = match &config.image_column {
        Some(name) => {
            stored.iter().find(|column| *name == column.name() || *name == column.to_string())
        }
        None => stored
            .iter()
            .find(|column| column.side >= config.augment.wanted_side(config.image_size))
            .or(stored.last()),
    };
    chosen.copied().ok_or_else(|| StreamError::NoImageColumn {
        path: dataset.to_owned(),
        wanted: config.image_column.clone().unwrap_or_else(|| "image_*".to_owned()),
        stored: listed(&stored),
    })
}

fn listed(names: &[impl ToString]) -> String {
    if names.is_empty() {
        return "none at all".to_owned();
    }
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
