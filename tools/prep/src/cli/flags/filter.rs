//! Flags that leave samples out.

use std::path::PathBuf;

use clap::Args;

/// Samples that are left out on request. They are counted and kept in DIR/rejects.
#[derive(Debug, Args)]
#[command(next_help_heading = "Filters (nothing is left out by default)")]
pub struct FilterFlags {
    /// Cut off the white borders of img2dataset's `border` mode
    #[arg(long)]
    pub unpad: bool,
    /// Keep only what this list names by URL or hash; may be given several times, or be a glob in quotes
    ///
    /// Text, one a line (# for comments): URL, SHA-256 or MD5 in hexadecimal, key:KEY; or CSV, TSV or Parquet with a
    /// column url, sha256, md5, hash, image_hash or key, such as LAION's metadata. Costs 16 bytes of memory for each entry.
    #[arg(long, value_name = "FILE")]
    pub allow: Vec<PathBuf>,
    /// Leave out what this list names; of that not even URL and caption are kept
    ///
    /// A list as for --allow. Where both name a sample, it is left out.
    #[arg(long, value_name = "FILE")]
    pub deny: Vec<PathBuf>,
    /// Keep these languages, commas between (en,de)
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub language: Vec<String>,
    /// Leave out images with fewer pixels, width times height
    ///
    /// This and the next two measure the image on the web, by original_width and original_height of the metadata; where
    /// these are not there, the picture without its white bars.
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
    /// Leave out pairs with a similarity below this
    #[arg(long, value_name = "X")]
    pub min_similarity: Option<f64>,
    /// Leave out images more likely unsafe than this
    #[arg(long, value_name = "X")]
    pub max_punsafe: Option<f64>,
    /// Leave out images more likely watermarked than this
    #[arg(long, value_name = "X")]
    pub max_pwatermark: Option<f64>,
    /// Leave out images with this NSFW verdict (NSFW, UNSURE); may be given several times
    #[arg(long, value_name = "VERDICT")]
    pub drop_nsfw: Vec<String>,
    /// Leave out samples without a value that a filter above, or a list, asks for (similarity, punsafe, url, ...)
    ///
    /// As DataComp's filters do, for which null passes no threshold. Without this flag they stay, and the report counts
    /// them. A value or .json that is there and cannot be read always costs the sample.
    #[arg(long)]
    pub drop_missing: bool,
}
