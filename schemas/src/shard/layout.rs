//! Names, types and storage settings of a shard's columns.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema};
use parquet::{
    basic::{Compression, Encoding, ZstdLevel},
    file::{
        metadata::KeyValue,
        properties::{EnabledStatistics, WriterProperties},
    },
    schema::types::ColumnPath,
};

use crate::{
    image_column::ImageColumn, manifest::SCHEMA_VERSION, metadata::Metadata, record::Record,
    sample::Sample,
};

/// Most rows of a row group.
pub const ROW_GROUP_ROWS: usize = 2048;

/// A row group is closed when its images reach this size: readers load or borrow a group at a time, and the hub
/// of Hugging Face refuses to show groups above 100 MB.
pub const ROW_GROUP_IMAGE_BYTES: usize = 64 << 20;

/// Tokens of one caption at most; what is longer is cut by the tokenizer, so that a row stays small.
pub const MAX_CAPTION_TOKENS: usize = 1 << 16;

const ZSTD_LEVEL: i32 = 3;

/// Where the sample's own columns stand, `key` first, `label` last; the metadata's columns take the other places.
const SAMPLE_PLACES: [usize; 7] = [0, 2, 3, 4, 5, 9, 16];
const _: () = assert!(SAMPLE_PLACES.len() == Sample::COLUMNS.len(), "a place for each column");

/// Joins what there is of each of the sample's and the metadata's columns in the order of the file.
pub(super) fn in_file_order<T>(sample: Vec<T>, metadata: Vec<T>) -> Vec<T> {
    let mut columns = metadata;
    for (place, column) in SAMPLE_PLACES.into_iter().zip(sample) {
        columns.insert(place, column);
    }
    columns
}

/// Which columns a shard has besides the fixed ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShardLayout {
    /// Image columns, in file order.
    pub images: Vec<ImageColumn>,
    /// Token columns (`clip_bpe`, `bert_wordpiece`), in file order.
    pub tokens: Vec<String>,
}

impl ShardLayout {
    /// The Arrow schema, images last.
    pub fn schema(&self) -> Schema {
        let required = |name: &str, kind| Field::new(name, kind, false);
        let mut fields = in_file_order(Sample::fields(), Metadata::fields());
        fields.extend(self.tokens.iter().map(|name| required(name, token_struct())));
        fields.push(required("pos", list_of(DataType::UInt8)));
        let several = |name: &str, kind| Field::new(several_name(name), kind, true);
        fields.extend(self.tokens.iter().map(|name| several(name, list_of(token_struct()))));
        fields.push(several("pos", list_of(list_of(DataType::UInt8))));
        for column in &self.images {
            match (column.fixed_bytes(), column.size_names()) {
                (Some(bytes), _) => {
                    fields.push(required(&column.name(), DataType::FixedSizeBinary(bytes as i32)));
                }
                (None, sizes) => {
                    let (width, height) = sizes.unwrap_or_default();
                    fields.push(required(&width, DataType::UInt16));
                    fields.push(required(&height, DataType::UInt16));
                    fields.push(required(&column.name(), DataType::Binary));
                }
            }
        }
        Schema::new(fields)
    }

    /// Settings of the Parquet writer; see the module's picture for why.
    pub(crate) fn writer_properties(&self) -> WriterProperties {
        let level = ZstdLevel::try_new(ZSTD_LEVEL).unwrap_or_default();
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_data_page_size_limit(1 << 30)
            .set_data_page_row_count_limit(usize::MAX)
            .set_key_value_metadata(Some(vec![
                KeyValue::new("clipa.schema_version".to_owned(), SCHEMA_VERSION.to_string()),
                KeyValue::new("clipa.images".to_owned(), self.images_text()),
            ]));
        for column in &self.images {
            let path = ColumnPath::new(vec![column.name()]);
            properties = properties
                .set_column_compression(path.clone(), Compression::UNCOMPRESSED)
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path.clone(), Encoding::PLAIN)
                .set_column_statistics_enabled(path, EnabledStatistics::None);
        }
        properties.build()
    }

    fn images_text(&self) -> String {
        self.images.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }

    /// The image columns that a shard's footer names.
    pub(crate) fn images_from_text(text: &str) -> Result<Vec<ImageColumn>, String> {
        text.split(',').filter(|part| !part.is_empty()).map(str::parse).collect()
    }
}

/// The column that has of every caption what `column` has of the first one.
pub(crate) fn several_name(column: &str) -> String {
    format!("captions_{column}")
}

pub(crate) fn token_struct() -> DataType {
    DataType::Struct(token_fields())
}

/// Fields of a token column: `tokens`, `word_tokens`, `word_lengths`.
pub(crate) fn token_fields() -> Fields {
    ["tokens", "word_tokens", "word_lengths"]
        .map(|name| Field::new(name, list_of(DataType::UInt16), false))
        .into_iter()
        .collect()
}

pub(crate) fn list_of(kind: DataType) -> DataType {
    DataType::List(Arc::new(item_field(kind)))
}

pub(crate) fn item_field(kind: DataType) -> Field {
    Field::new("item", kind, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Changing this list changes every shard: it needs another [`SCHEMA_VERSION`].
    #[test]
    fn the_fixed_columns_are_those_of_this_schema_version() {
        let schema = ShardLayout::default().schema();
        let found: Vec<String> = schema
            .fields()
            .iter()
            .map(|field| {
                let optional = if field.is_nullable() { "?" } else { "" };
                format!("{}: {}{optional}", field.name(), field.data_type())
            })
            .collect();
        let expected = [
            "key: Utf8",
            "url: Utf8?",
            "caption: Utf8",
            "captions: List(non-null Utf8)?",
            "caption_sources: List(non-null Utf8)?",
            "source_offset: UInt64",
            "original_width: UInt32?",
            "original_height: UInt32?",
            "sha256: FixedSizeBinary(32)?",
            "image_hash: FixedSizeBinary(32)",
            "similarity: Float64?",
            "punsafe: Float64?",
            "pwatermark: Float64?",
            "nsfw: Utf8?",
            "license: Utf8?",
            "language: Utf8?",
            "label: UInt32?",
            "pos: List(non-null UInt8)",
            "captions_pos: List(non-null List(non-null UInt8))?",
        ];
        assert_eq!((SCHEMA_VERSION, found), (2, expected.map(str::to_owned).to_vec()));
    }
}
