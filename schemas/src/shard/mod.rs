//! One shard: a Parquet file whose image columns can be borrowed from the mapped file.
//!
//! ```text
//! row group 0                                    row group 1 ...             footer
//! ┌──────────────────────┬──────────┬─────────┐  ┌───────────────────────┐  ┌──────────┐
//! │ key url caption ...  │ image_64 │image_112│  │ ...                   │  │ offsets  │
//! │ zstd, dictionary     │ PLAIN, uncompressed│  │                       │  │ schema   │
//! └──────────────────────┴──────────┴─────────┘  └───────────────────────┘  └──────────┘
//!                         one page: [N, 64, 64, 3] as it lies in memory
//! ```
//!
//! [`ShardWriter`] appends [`crate::sample::Sample`]s, [`ShardReader`] maps the finished file. Layout and settings
//! were measured (docs: performance): a whole page of fixed-size images is one contiguous block, so that a
//! sample's bytes are a slice of the mapping and reading one column touches no byte of another.

mod builders;
mod caption_builders;
mod captions;
mod image_chunk;
pub mod layout;
mod mapping;
mod reader;
mod rows;
#[cfg(test)]
mod tests;
mod texts;
mod token_builders;
mod writer;

pub use builders::ShardBuffers;
pub use captions::{CaptionBlock, Captions};
pub use layout::ShardLayout;
pub use reader::{ImageBlock, ImageRef, ShardReader};
pub use rows::RowBlock;
pub use texts::TextBlock;
pub use writer::ShardWriter;

pub(crate) use token_builders::{TokenBuilders, list_builder};
pub(crate) use writer::write_error;
