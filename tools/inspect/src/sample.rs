//! One sample as it is stored, and what the text reductions leave of its caption.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray},
    datatypes::{DataType, Float64Type, UInt32Type, UInt64Type},
};
use clipa_schemas::{
    file::hex,
    image_column::ImageColumn,
    manifest::{Kind, Manifest},
    penn::PennTag,
    prompts,
    reduction::text::{TextReduction, reduce},
    shard::ShardReader,
    text::StoredText,
    vocabulary,
};
use serde::Serialize;

use super::{
    InspectError,
    dataset::{Dataset, Position},
    detokenizer::Detokenizer,
    pixels::{PixelReader, Pixels},
};

/// Everything that is stored of a sample.
#[derive(Debug, Serialize)]
pub struct SampleView {
    /// Number in the data set.
    pub index: u64,
    /// File of the shard in the data set's folder.
    pub shard: String,
    /// Row group in the shard.
    pub row_group: usize,
    /// Row in the row group.
    pub row: usize,
    /// The input that it came from.
    pub source: String,
    /// The columns with one plain value, in file order; those without a value are left out.
    pub fields: serde_json::Map<String, serde_json::Value>,
    /// Name of its class, in a classification set.
    pub class: Option<String>,
    /// All captions, where there are several; the first one is also the field `caption`.
    pub captions: Vec<CaptionView>,
    /// The stored images.
    pub images: Vec<ImageView>,
    /// The token columns.
    pub texts: Vec<TextView>,
}

/// One of several captions.
#[derive(Debug, Serialize)]
pub struct CaptionView {
    /// As found.
    pub text: String,
    /// Where it comes from, `txt` or `json:caption`; empty where that is not known.
    pub source: String,
}

/// One stored image.
#[derive(Clone, Debug, Serialize)]
pub struct ImageView {
    /// Side and encoding.
    pub column: ImageColumn,
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
    /// Bytes stored.
    pub bytes: usize,
}

/// The caption in one token column.
#[derive(Debug, Serialize)]
pub struct TextView {
    /// Name of the column.
    pub column: String,
    /// Tokens of the whole caption, without special ones.
    pub tokens: usize,
    /// The caption's words.
    pub words: Vec<WordView>,
    /// Tokens of a row that a model reads.
    pub context_length: usize,
    /// What each reduction makes of the caption.
    pub reductions: Vec<ReductionView>,
}

/// One word of a caption.
#[derive(Debug, Serialize)]
pub struct WordView {
    /// Its pieces; empty where cleaning left nothing of it.
    pub text: String,
    /// Penn tag, empty where there is none.
    pub tag: &'static str,
}

/// What a reduction makes of a caption.
#[derive(Debug, Serialize)]
pub struct ReductionView {
    /// Name of the reduction.
    pub name: &'static str,
    /// Tokens kept, without special ones; absent where the reduction is not possible.
    pub kept: Option<usize>,
    /// The row as text, or why there is none.
    pub text: String,
}

/// How the reductions are shown.
#[derive(Clone, Copy, Debug)]
pub struct ReductionOptions {
    /// Tokens of a row, special ones included.
    pub context_length: usize,
    /// Seed of the random ones.
    pub seed: u64,
}

impl SampleView {
    /// Reads a sample.
    ///
    /// # Errors
    /// A shard that cannot be read, or ids without a word in their vocabulary.
    pub fn read(
        dataset: &Dataset,
        position: Position,
        options: ReductionOptions,
    ) -> Result<SampleView, InspectError> {
        let (shard, reader) = open(dataset, position)?;
        let Position { index, row_group, row, unit } = position;
        let images = stored_images(&reader, position)?;
        let texts = dataset
            .manifest
            .tokens
            .iter()
            .map(|column| {
                let vocabulary = vocabulary::read(&dataset.folder, column)?.map(Arc::new);
                let block = reader.texts_of(row_group, column)?.with_vocabulary(vocabulary);
                text_view(column, block.get(row), options)
            })
            .collect::<Result<Vec<_>, InspectError>>()?;
        let fields = fields(&reader, position, &plain_columns(&reader))?;
        Ok(SampleView {
            index,
            shard,
            row_group,
            row,
            source: dataset.units[unit].source.path.clone(),
            class: class_name(dataset, fields.get("label"))?,
            captions: stored_captions(&reader, position)?,
            fields,
            images,
            texts,
        })
    }

    /// A plain value as text, where the sample has it.
    pub fn field(&self, name: &str) -> Option<String> {
        self.fields.get(name).map(|value| match value {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        })
    }
}

/// The pixels of one stored image of a sample.
///
/// # Errors
/// A shard that cannot be read, or an image that contradicts its columns.
pub fn read_pixels(
    dataset: &Dataset,
    position: Position,
    column: ImageColumn,
) -> Result<Pixels, InspectError> {
    let (_, reader) = open(dataset, position)?;
    let mut pixels = PixelReader::new().map_err(|source| InspectError::Codec { source })?;
    pixels_of(&reader, position, column, &mut pixels)
}

/// Key, caption and the pixels of every stored image of a sample.
pub(super) fn read_picture(
    dataset: &Dataset,
    position: Position,
    pixels: &mut PixelReader,
) -> Result<(String, String, Vec<Pixels>), InspectError> {
    let (_, reader) = open(dataset, position)?;
    let fields = fields(&reader, position, &["key", "caption"])?;
    let text = |name: &str| {
        fields.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned()
    };
    let images = reader.images().iter().map(|&column| pixels_of(&reader, position, column, pixels));
    let images = images.collect::<Result<_, _>>()?;
    Ok((text("key"), text("caption"), images))
}

fn pixels_of(
    reader: &ShardReader,
    position: Position,
    column: ImageColumn,
    pixels: &mut PixelReader,
) -> Result<Pixels, InspectError> {
    let block = reader.images_of(position.row_group, column)?;
    pixels.read(block.get(position.row), column.encoding).map_err(|source| InspectError::Image {
        shard: reader.path().to_owned(),
        index: position.index,
        column: column.name(),
        source,
    })
}

/// The name of a label, as the prompts of a classification set have it.
fn class_name(
    dataset: &Dataset,
    label: Option<&serde_json::Value>,
) -> Result<Option<String>, InspectError> {
    let Manifest { kind, tokens, .. } = &dataset.manifest;
    let label = label.filter(|_| *kind == Kind::Classes).and_then(serde_json::Value::as_u64);
    let (Some(label), Some(column)) = (label, tokens.first()) else { return Ok(None) };
    let prompts = prompts::read(&dataset.folder, column)?;
    let place = prompts.class.iter().position(|&class| u64::from(class) == label);
    Ok(place.map(|place| prompts.class_name[place].clone()))
}

fn open(dataset: &Dataset, position: Position) -> Result<(String, ShardReader), InspectError> {
    let shard = dataset.units[position.unit].shard.as_ref();
    let shard = shard.ok_or_else(|| InspectError::Empty { folder: dataset.folder.clone() })?;
    let reader = dataset.reader(shard)?;
    let groups = reader.row_groups();
    if position.row_group >= groups || position.row >= reader.row_group_rows(position.row_group) {
        let detail = format!(
            "its entry says that there is a row {} in row group {}, but there is none",
            position.row, position.row_group
        );
        let path = reader.path().to_owned();
        return Err(clipa_schemas::Error::Corrupt { path, detail }.into());
    }
    Ok((shard.file.file.clone(), reader))
}

fn stored_captions(
    reader: &ShardReader,
    position: Position,
) -> Result<Vec<CaptionView>, InspectError> {
    let batch = reader.columns(position.row_group, &["captions", "caption_sources"])?;
    let texts = |name: &str| -> Vec<String> {
        let list = batch.column_by_name(name).and_then(|column| column.as_list_opt::<i32>());
        let list = list.filter(|list| list.is_valid(position.row));
        let texts = list.map(|list| list.value(position.row));
        let texts = texts.as_ref().and_then(|texts| texts.as_string_opt::<i32>());
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        texts.map(|texts| texts.iter().map(text).collect()).unwrap_or_default()
    };
    let sources = texts("caption_sources").into_iter().chain(std::iter::repeat(String::new()));
    let captions = texts("captions").into_iter().zip(sources);
    Ok(captions.map(|(text, source)| CaptionView { text, source }).collect())
}

fn stored_images(reader: &ShardReader, position: Position) -> Result<Vec<ImageView>, InspectError> {
    let view = |&column: &ImageColumn| {
        let block = reader.images_of(position.row_group, column)?;
        let image = block.get(position.row);
        let (width, height, bytes) = (image.width, image.height, image.bytes.len());
        Ok(ImageView { column, width, height, bytes })
    };
    reader.images().iter().map(view).collect()
}

/// Names of the columns that hold one plain value.
fn plain_columns(reader: &ShardReader) -> Vec<&str> {
    let plain = |kind: &DataType| {
        use DataType::{FixedSizeBinary, Float64, UInt32, UInt64, Utf8};
        matches!(kind, Utf8 | UInt32 | UInt64 | Float64 | FixedSizeBinary(_))
    };
    let is_image = |name: &str| reader.images().iter().any(|image| image.name() == name);
    let fields = reader.schema().fields().iter();
    fields
        .filter(|field| plain(field.data_type()) && !is_image(field.name()))
        .map(|field| field.name().as_str())
        .collect()
}

fn fields(
    reader: &ShardReader,
    position: Position,
    names: &[&str],
) -> Result<serde_json::Map<String, serde_json::Value>, InspectError> {
    let batch = reader.columns(position.row_group, names)?;
    let mut fields = serde_json::Map::new();
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        if let Some(value) = value(column, position.row) {
            fields.insert(field.name().clone(), value);
        }
    }
    Ok(fields)
}

fn value(column: &ArrayRef, row: usize) -> Option<serde_json::Value> {
    if column.is_null(row) {
        return None;
    }
    match column.data_type() {
        DataType::Utf8 => Some(column.as_string::<i32>().value(row).into()),
        DataType::UInt32 => Some(column.as_primitive::<UInt32Type>().value(row).into()),
        DataType::UInt64 => Some(column.as_primitive::<UInt64Type>().value(row).into()),
        DataType::Float64 => Some(column.as_primitive::<Float64Type>().value(row).into()),
        DataType::FixedSizeBinary(_) => Some(hex(column.as_fixed_size_binary().value(row)).into()),
        _ => None,
    }
}

fn text_view(
    column: &str,
    stored: StoredText<'_>,
    options: ReductionOptions,
) -> Result<TextView, InspectError> {
    let detokenizer = Detokenizer::of_column(column);
    let reductions = TextReduction::ALL
        .iter()
        .map(|&reduction| reduction_view(reduction, stored, &detokenizer, options))
        .collect::<Result<Vec<_>, InspectError>>()?;
    Ok(TextView {
        column: column.to_owned(),
        tokens: stored.tokens.len(),
        words: words(stored, &detokenizer)?,
        context_length: options.context_length,
        reductions,
    })
}

fn words(stored: StoredText<'_>, detokenizer: &Detokenizer) -> Result<Vec<WordView>, InspectError> {
    let mut rest = stored.word_tokens;
    let mut words = Vec::with_capacity(stored.word_lengths.len());
    for (word, &length) in stored.word_lengths.iter().enumerate() {
        let (ids, after) = rest.split_at(usize::from(length).min(rest.len()));
        rest = after;
        let tag = stored.pos.get(word).map_or("", |&tag| PennTag::from_byte(tag).name());
        words.push(WordView { text: detokenizer.word(ids)?, tag });
    }
    Ok(words)
}

fn reduction_view(
    reduction: TextReduction,
    stored: StoredText<'_>,
    detokenizer: &Detokenizer,
    options: ReductionOptions,
) -> Result<ReductionView, InspectError> {
    let name = reduction.name();
    let mut row = vec![0; options.context_length];
    if let Err(reason) = reduce(reduction, stored, detokenizer.specials(), options.seed, &mut row) {
        return Ok(ReductionView { name, kept: None, text: format!("({reason})") });
    }
    Ok(ReductionView { name, kept: Some(detokenizer.kept(&row)), text: detokenizer.row(&row)? })
}
