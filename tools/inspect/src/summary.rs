//! What a data set holds, in one page.

use std::collections::BTreeMap;

use clipa_schemas::{
    image_column::{ImageColumn, ImageEncoding},
    ledger::Ledger,
    manifest::Kind,
    short_sides::{ShortSides, SideSummary},
};
use parquet::file::metadata::ColumnChunkMetaData;
use serde::Serialize;

use super::{InspectError, dataset::Dataset};

/// Everything that `clipa-inspect summary` says.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// The folder.
    pub dataset: String,
    /// Pairs or classes.
    pub kind: Kind,
    /// Version of the format.
    pub schema_version: u32,
    /// Program that made it.
    pub created_by: String,
    /// Whether the run that makes it has ended.
    pub complete: bool,
    /// Finished inputs.
    pub units: u64,
    /// Samples stored.
    pub rows: u64,
    /// Found, accepted, rejected by reason, repaired by kind.
    pub ledger: Ledger,
    /// Bytes of all shards.
    pub shard_bytes: u64,
    /// Number of shards; units without an accepted sample have none.
    pub shards: u64,
    /// How the rows are grouped.
    pub row_groups: RowGroups,
    /// Every column, in file order.
    pub columns: Vec<Column>,
    /// How large the images of each image column are.
    pub image_sizes: Vec<SideSummary>,
    /// What it was made with.
    pub configuration: BTreeMap<String, String>,
}

/// Number and sizes of the row groups.
#[derive(Debug, Default, Serialize, PartialEq, Eq)]
pub struct RowGroups {
    /// In all shards.
    pub number: u64,
    /// Rows of the smallest.
    pub least_rows: u32,
    /// Rows of the largest.
    pub most_rows: u32,
}

/// One column over all shards.
#[derive(Debug, Serialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Bytes in the files, all shards together.
    pub bytes: u64,
    /// Bytes of its values before compression.
    pub uncompressed_bytes: u64,
    /// Compression of its pages.
    pub compression: String,
    /// How a reader gets at the values.
    pub access: Access,
    /// Side and encoding, of an image column.
    pub image: Option<ImageColumn>,
}

/// How a reader gets at the values of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// A row group is one block of the mapped file.
    BorrowedBlock,
    /// Each value is a slice of the mapped file.
    BorrowedValues,
    /// Unpacked into memory of its own.
    Decoded,
}

impl Summary {
    /// Reads the manifest and the footer of every shard.
    ///
    /// # Errors
    /// A shard that is missing, cut, or no shard.
    pub fn of(dataset: &Dataset) -> Result<Summary, InspectError> {
        let mut columns: Vec<Column> = Vec::new();
        for (_, shard) in dataset.shards() {
            let reader = dataset.reader(shard)?;
            for group in reader.parquet_metadata().row_groups() {
                for chunk in group.columns() {
                    add(&mut columns, chunk, reader.images());
                }
            }
        }
        let images = dataset.manifest.images.iter().map(|&column| {
            let shards = dataset.shards().map(|(_, shard)| shard);
            ShortSides::of(&dataset.folder, shards, column).map(|sides| sides.summary())
        });
        let image_sizes = images.collect::<Result<_, _>>()?;
        let groups = || dataset.shards().flat_map(|(_, shard)| shard.row_groups.iter().copied());
        let manifest = &dataset.manifest;
        Ok(Summary {
            dataset: dataset.folder.display().to_string(),
            kind: manifest.kind,
            schema_version: manifest.schema_version,
            created_by: manifest.created_by.clone(),
            complete: manifest.complete,
            units: dataset.units.len() as u64,
            rows: dataset.rows(),
            ledger: dataset.totals.clone(),
            shard_bytes: dataset.shards().map(|(_, shard)| shard.file.bytes).sum(),
            shards: dataset.shards().count() as u64,
            row_groups: RowGroups {
                number: groups().count() as u64,
                least_rows: groups().min().unwrap_or(0),
                most_rows: groups().max().unwrap_or(0),
            },
            columns,
            image_sizes,
            configuration: manifest.configuration.clone(),
        })
    }
}

/// Adds a chunk to its column; the leaves of a nested column count as one.
fn add(columns: &mut Vec<Column>, chunk: &ColumnChunkMetaData, images: &[ImageColumn]) {
    let name = chunk.column_path().parts().first().map_or("", String::as_str);
    let (bytes, uncompressed) = (chunk.compressed_size(), chunk.uncompressed_size());
    let (bytes, uncompressed) = (bytes.max(0) as u64, uncompressed.max(0) as u64);
    if let Some(column) = columns.iter_mut().find(|column| column.name == name) {
        column.bytes += bytes;
        column.uncompressed_bytes += uncompressed;
        return;
    }
    let image = images.iter().copied().find(|image| image.name() == name);
    let access = match image.map(|image| image.encoding) {
        Some(ImageEncoding::Rgb8Square) => Access::BorrowedBlock,
        Some(ImageEncoding::Rgb8 | ImageEncoding::Jpeg) => Access::BorrowedValues,
        None => Access::Decoded,
    };
    columns.push(Column {
        name: name.to_owned(),
        bytes,
        uncompressed_bytes: uncompressed,
        compression: compression_name(chunk).to_owned(),
        access,
        image,
    });
}

fn compression_name(chunk: &ColumnChunkMetaData) -> &'static str {
    match chunk.compression() {
        parquet::basic::Compression::UNCOMPRESSED => "none",
        parquet::basic::Compression::ZSTD(_) => "zstd",
        _ => "other",
    }
}
