//! What a clipa data set is on disk, and pure functions over it.
//!
//! ```text
//! DATASET/
//!   dataset.json            manifest: configuration, units, totals        [manifest]
//!   shards/00000.parquet    rows: key, caption, tokens, tags, images      [shard]
//!   shards/00000.json       its entry and ledger, the commit mark         [ledger]
//!   rejects/00000.parquet   what did not become a row, and why            [rejects]
//!   vocabulary.parquet      tags of the tokenizers' vocabularies          [vocabulary]
//!   prompts.parquet         tokenized prompts, in a classification set    [prompts]
//! ```
//!
//! This crate knows no codec, tokenizer, torch, network or terminal. The preparing tools and the trainer meet only
//! through the files that it describes, and [`reduction`] stands here so that the inspector shows exactly what
//! the model reads.
//!
//! ```
//! use clipa_schemas::{sample::{Sample, StoredImage}, shard::*};
//! # fn main() -> clipa_schemas::Result<()> {
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("00000.parquet");
//! let layout = ShardLayout { images: vec!["2:rgb8-square".parse().unwrap()], tokens: vec![] };
//! let mut writer = ShardWriter::create(&path, &layout)?;
//! let image = StoredImage { width: 2, height: 2, bytes: vec![128; 12] };
//! writer.append(&Sample { key: "000000000".into(), images: vec![image], ..Sample::default() })?;
//! writer.finish("shards/00000.parquet")?;
//!
//! let reader = ShardReader::open(&path)?;
//! let images = reader.images_of(0, reader.images()[0])?; // borrowed from the mapped file
//! assert_eq!(images.get(0).bytes, [128; 12]);
//! # Ok(())
//! # }
//! ```

mod batches;
pub mod embeddings;
pub mod error;
pub mod file;
pub mod image_column;
pub mod input_file;
pub mod ledger;
mod long_table;
pub mod manifest;
pub mod members;
pub mod metadata;
pub mod penn;
pub mod predictions;
pub mod prompts;
pub mod random;
mod record;
pub mod reduction;
pub mod rejects;
pub mod sample;
pub mod shard;
pub mod short_sides;
mod table;
pub mod temporary;
pub mod text;
pub mod vocabulary;

pub use error::{Error, Result};
