//! `clipa-prep laion ingest`.

use std::{
    num::NonZeroUsize,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use clipa_schemas::{image_column::ImageColumn, manifest::Kind};

use crate::{
    archive::inputs,
    image::{DEFAULT_JPEG_QUALITY, DEFAULT_MAX_ASPECT, DecodeLimits},
    ingest::{
        self, dry_run,
        options::{Dedup, Filter, IngestOptions},
        pipeline::Input,
        repairs::repair_named,
    },
    lists::List,
};
use clipa_talk::{Outcome, Printer};
use clipa_text::{TaggerChoice, TextConfig};

/// Set by Ctrl-C: the line stops after the samples in hand.
static STOP: AtomicBool = AtomicBool::new(false);

/// `clipa-prep laion`: what reads LAION's and img2dataset's output.
#[derive(Debug, Subcommand)]
pub enum LaionCommand {
    /// Turn WebDataset tars into Parquet shards
    ///
    /// Reads tars as img2dataset writes them (KEY.jpg, KEY.txt, KEY.json) and writes DIR/dataset.json, DIR/shards and
    /// DIR/rejects. Run it again to continue after an interruption: finished tars are skipped, and the result is
    /// byte for byte that of an undisturbed run.
    #[command(after_help = INGEST_EXAMPLES)]
    Ingest(IngestArgs),
}

const INGEST_EXAMPLES: &str = "\
Examples:
  clipa-prep laion ingest laion400m-data/*.tar --output laion-112 --image 112:rgb8-square
  clipa-prep laion ingest 'laion400m-data/{00000..00099}.tar' --output laion --for b16-i50-t16 --dry-run";

/// Options of `clipa-prep laion ingest`.
#[derive(Debug, Args)]
pub struct IngestArgs {
    /// Tars, folders of tars, globs, or brace lists such as 'data/{00000..00010}.tar'
    #[arg(required = true, value_name = "INPUT")]
    pub inputs: Vec<String>,
    /// Say what would be written, how large and how long, from a few samples of each tar; write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Options that every ingest has
    #[command(flatten)]
    pub common: CommonArgs,
    /// Filters
    #[command(flatten)]
    pub filter: FilterArgs,
}

/// What `laion ingest` and `classes ingest` share.
#[derive(Debug, Args)]
pub struct CommonArgs {
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
    #[arg(long)]
    pub threads: Option<NonZeroUsize>,
    /// Part-of-speech tagger: perceptron, nltk:DIR, bert:DIR or none
    ///
    /// Change it to compare with the original (nltk:DIR reads NLTK's JSON weights), for a network's tags (bert:DIR reads
    /// config.json, vocab.txt and the weights; only in a program built with the feature bert, and much slower),
    /// or for captions in another language (a BERT for it, or none: the syntax mask is then not available).
    #[arg(long, default_value = "perceptron", value_name = "TAGGER")]
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
    /// What to do with images that an earlier sample has too, byte for byte
    ///
    /// Looked for when all inputs are done; costs 24 bytes of memory and 32 bytes of reading for each row. The first in
    /// the order of the inputs stays.
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    pub dedup: Dedup,
    /// Print the report as JSON on stdout
    #[arg(long)]
    pub json: bool,
}

/// Samples that are left out on request. They are counted and kept in DIR/rejects.
#[derive(Debug, Args)]
#[command(next_help_heading = "Filters (nothing is left out by default)")]
pub struct FilterArgs {
    /// Cut off the white borders of img2dataset's `border` mode
    #[arg(long)]
    pub unpad: bool,
    /// Keep only what this list names by URL or hash; may be given several times, or be a glob in quotes
    ///
    /// Text, one a line (# for comments): URL, SHA-256 or MD5 in hexadecimal, key:KEY; or Parquet with a column url,
    /// sha256, md5, hash or image_hash, such as LAION's metadata. Costs 16 bytes of memory for each entry.
    #[arg(long, value_name = "FILE")]
    pub allow: Vec<PathBuf>,
    /// Leave out what this list names; of that not even URL and caption are kept
    ///
    /// A list as for --allow. Where both name a sample, it is left out.
    #[arg(long, value_name = "FILE")]
    pub deny: Vec<PathBuf>,
    /// Keep these languages, commas between (en,de); samples without one stay
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub language: Vec<String>,
    /// Leave out images with fewer pixels, width times height
    #[arg(long, value_name = "PX")]
    pub min_area: Option<u64>,
    /// Leave out images with a shorter side below this, in pixels
    #[arg(long, value_name = "PX")]
    pub min_side: Option<u32>,
    /// Leave out images with long side over short side above this
    #[arg(long, value_name = "RATIO")]
    pub drop_aspect: Option<f64>,
    /// Leave out captions with fewer words
    #[arg(long, value_name = "N")]
    pub min_words: Option<u32>,
    /// Leave out captions with more words
    #[arg(long, value_name = "N")]
    pub max_words: Option<u32>,
    /// Leave out captions with fewer characters
    #[arg(long, value_name = "N")]
    pub min_chars: Option<u32>,
    /// Leave out captions with more characters
    #[arg(long, value_name = "N")]
    pub max_chars: Option<u32>,
    /// Leave out pairs with a similarity below this; pairs without one stay
    #[arg(long, value_name = "X")]
    pub min_similarity: Option<f64>,
    /// Leave out images more likely unsafe than this; images without the figure stay
    #[arg(long, value_name = "X")]
    pub max_punsafe: Option<f64>,
    /// Leave out images more likely watermarked than this; images without the figure stay
    #[arg(long, value_name = "X")]
    pub max_pwatermark: Option<f64>,
    /// Leave out images with this NSFW verdict (NSFW, UNSURE); may be given several times
    #[arg(long, value_name = "VERDICT")]
    pub drop_nsfw: Vec<String>,
}

/// Runs a command.
///
/// # Errors
/// The run could not do its job.
pub fn run(command: LaionCommand, printer: &Printer) -> Result<Outcome> {
    let LaionCommand::Ingest(args) = command;
    let inputs = inputs::expand(&args.inputs)?.into_iter().map(Input::Tar).collect();
    let mut options = args.common.options(Kind::Pairs)?;
    options.unpad = args.filter.unpad;
    options.filter = args.filter.filter()?;
    if args.dry_run {
        let estimate = dry_run::estimate(inputs, &options, args.common.threads())?;
        estimate.tell(printer);
        if args.common.json {
            printer.json(&estimate)?;
        }
        let is_fine = estimate.unreadable.is_empty() && estimate.problems.is_empty();
        return Ok(if is_fine { Outcome::Fine } else { Outcome::Problems });
    }
    ingest(inputs, &options, &args.common, printer)
}

/// Ingests and reports; Ctrl-C stops it in good order.
///
/// # Errors
/// The output cannot be used or written.
pub fn ingest(
    inputs: Vec<Input>,
    options: &IngestOptions,
    common: &CommonArgs,
    printer: &Printer,
) -> Result<Outcome> {
    ctrlc::set_handler(|| STOP.store(true, Ordering::Relaxed)).context("cannot catch Ctrl-C")?;
    let report = ingest::ingest(inputs, &common.output, options, common.threads(), printer, &STOP)?;
    report.tell(printer);
    if common.json {
        printer.json(&report)?;
    }
    printer.hint(&report.next);
    Ok(if report.is_fine() { Outcome::Fine } else { Outcome::Problems })
}

impl CommonArgs {
    /// The number of threads.
    pub fn threads(&self) -> usize {
        self.threads.map_or_else(clipa_pool::cores, NonZeroUsize::get)
    }

    /// The options as far as every ingest has them.
    ///
    /// # Errors
    /// The recipe is unknown, or two image columns have the same side.
    pub fn options(&self, kind: Kind) -> Result<IngestOptions> {
        let mut images = match &self.recipe {
            Some(recipe) => crate::recipe::image_columns(recipe)?,
            None if self.images.is_empty() => default_images(kind),
            None => self.images.clone(),
        };
        images.sort_by_key(|column| column.side);
        if let Some(pair) = images.windows(2).find(|pair| pair[0].side == pair[1].side) {
            anyhow::bail!(
                "two image columns of side {}: {} and {}",
                pair[0].side,
                pair[0],
                pair[1]
            );
        }
        anyhow::ensure!(self.max_aspect >= 1.0, "--max-aspect {} is below 1", self.max_aspect);
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
            dedup: self.dedup,
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

impl FilterArgs {
    /// The filters, with their lists read.
    ///
    /// # Errors
    /// A list cannot be read.
    fn filter(self) -> Result<Filter> {
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
        })
    }
}

fn list(files: &[PathBuf]) -> Result<Option<Arc<List>>> {
    if files.is_empty() {
        return Ok(None);
    }
    Ok(Some(Arc::new(List::read(files)?)))
}
