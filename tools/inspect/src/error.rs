//! Why a data set cannot be shown.

use std::path::PathBuf;

use super::{canvas, pixels::PixelError};

/// Why a data set cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The data set cannot be read.
    #[error(transparent)]
    Dataset(#[from] clipa_schemas::Error),
    /// There are fewer samples.
    #[error("no sample {index}: {} holds {rows} (0 to {})", folder.display(), rows.saturating_sub(1))]
    NoSuchIndex {
        /// The data set.
        folder: PathBuf,
        /// The number that was asked for.
        index: u64,
        /// Samples in all.
        rows: u64,
    },
    /// No sample has this key.
    #[error("no sample of {} has the key `{key}`", folder.display())]
    NoSuchKey {
        /// The data set.
        folder: PathBuf,
        /// The key that was asked for.
        key: String,
    },
    /// The data set has no samples, so there is nothing to show.
    #[error("{} holds no samples", folder.display())]
    Empty {
        /// The data set.
        folder: PathBuf,
    },
    /// The data set stores no images.
    #[error("{} stores no images", folder.display())]
    NoImages {
        /// The data set.
        folder: PathBuf,
    },
    /// A stored image cannot be shown.
    #[error("{}, sample {index}, {column}: {source}", shard.display())]
    Image {
        /// The shard.
        shard: PathBuf,
        /// Number of the sample in the data set.
        index: u64,
        /// The image column.
        column: String,
        /// What is wrong.
        source: PixelError,
    },
    /// The image codec cannot be set up.
    #[error("the image codec cannot be set up: {source}")]
    Codec {
        /// What is wrong.
        source: PixelError,
    },
    /// The file that was to be written exists.
    #[error("{} exists already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be written.
    #[error("{} cannot be written: {source}", path.display())]
    Output {
        /// The file.
        path: PathBuf,
        /// Why.
        source: clipa_schemas::Error,
    },
    /// A PNG cannot be encoded.
    #[error("{}: {source}", path.display())]
    Png {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: image::ImageError,
    },
    /// A contact sheet would be too large.
    #[error("the sheet would have {width} x {height} pixels, more than {} million", canvas::MAX_PIXELS / 1_000_000)]
    SheetTooLarge {
        /// Pixels across.
        width: usize,
        /// Pixels down.
        height: usize,
    },
    /// A stored id that its vocabulary does not have.
    #[error("token ids of `{column}` cannot be turned into text: {id} is not in the vocabulary")]
    Token {
        /// The token column.
        column: String,
        /// The id.
        id: u16,
    },
}
