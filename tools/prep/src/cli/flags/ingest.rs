//! Flags that every ingest has.

use std::{num::NonZeroUsize, path::PathBuf};

use clap::Args;
use clipa_schemas::image_column::ImageColumn;

use crate::{
    image::{DEFAULT_JPEG_QUALITY, DEFAULT_MAX_ASPECT},
    ingest::repairs::repair_named,
};
use clipa_talk::threads::thread_count;
use clipa_text::TaggerChoice;

/// What `laion ingest` and `classes ingest` share.
#[derive(Debug, Args)]
pub struct IngestFlags {
    /// Folder of the data set, new or to be continued
    #[arg(long, value_name = "DIR")]
    pub output: PathBuf,
    /// An image column, SIDE:ENCODING; may be given several times
    ///
    /// rgb8-square: SIDE×SIDE raw pixels, the fastest to train from. rgb8: raw, short side SIDE, aspect kept, for
    /// random crops that never up-sample (SIDE = 1.58 × the training size). jpeg: as rgb8, encoded; the source's own
    /// bytes where nothing had to be repaired. [default: 112:rgb8-square 256:jpeg]
    #[arg(long = "image", value_name = "SIDE:ENCODING")]
    pub images: Vec<ImageColumn>,
    /// Choose the image columns that a training recipe reads, by the recipe's name or TOML file
    #[arg(long = "for", value_name = "RECIPE", conflicts_with = "images")]
    pub recipe: Option<String>,
    /// Threads; output does not depend on it [default: all cores]
    #[arg(long, value_parser = thread_count)]
    pub threads: Option<NonZeroUsize>,
    /// Part-of-speech tagger: perceptron, nltk:DIR, bert:DIR or none
    ///
    /// Change it to compare with the original (nltk:DIR reads NLTK's JSON weights), for a network's tags (bert:DIR reads
    /// config.json, vocab.txt and the weights; only in a program built with the feature bert, and much slower),
    /// or for captions in another language (a BERT for it, or none: the syntax mask is then not available).
    #[arg(long, default_value_t, value_name = "TAGGER")]
    pub tagger: TaggerChoice,
    /// Store BERT WordPiece tokens too, with this vocabulary (vocab.txt of bert-base-uncased)
    ///
    /// For models of CLIPA v2; costs about as much disk as CLIP's tokens.
    #[arg(long, value_name = "FILE")]
    pub bert_vocab: Option<PathBuf>,
    /// Aspect ratio (long side over short side) above which images are cropped to their centre
    #[arg(long, default_value_t = DEFAULT_MAX_ASPECT, value_name = "RATIO")]
    pub max_aspect: f64,
    /// Quality of JPEGs that have to be encoded
    #[arg(long, default_value_t = DEFAULT_JPEG_QUALITY, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub jpeg_quality: u8,
    /// Largest image that is decoded, in megapixels
    #[arg(long, default_value_t = 67, value_name = "MEGAPIXELS")]
    pub max_megapixels: u32,
    /// Reject samples that need this repair, instead of making it; names as the report has them, commas between
    ///
    /// Change it where a repair costs too much: grey images to keep colours true, alpha for what was put over white.
    #[arg(long, value_name = "REPAIR", value_delimiter = ',', value_parser = repair_named)]
    pub refuse: Vec<&'static str>,
    /// Gone; refused with the command that has taken its place
    #[arg(long, hide = true, value_name = "WHAT", num_args = 0..=1, default_missing_value = "report", value_parser = moved_to_dedup)]
    pub dedup: Option<String>,
    /// Print the report as JSON on stdout
    #[arg(long)]
    pub json: bool,
}

/// Refuses `--dedup`, whatever its value.
fn moved_to_dedup(_: &str) -> Result<String, String> {
    Err("ingest takes no duplicates out\nhint: do it when all inputs are done: clipa-prep dedup DATASET --remove".to_owned())
}
