//! What was loaded for a window: row groups whose images are borrowed and whose small columns are decoded.

use std::{path::PathBuf, sync::Arc};

use arrow::{
    array::{Array, AsArray, UInt32Array},
    datatypes::UInt32Type,
};
use clipa_schemas::{
    image_column::ImageEncoding,
    shard::{CaptionBlock, ImageBlock, ShardReader, TextBlock},
    text::StoredText,
};

use super::{
    choice::{Choice, Chosen},
    columns::Columns,
    error::StreamError,
    painter::StoredPixels,
};

/// One row group.
pub(super) struct Group {
    path: PathBuf,
    /// Its first row in the shard.
    first_row: u64,
    /// Its first row in the data set.
    first_of_dataset: u64,
    encoding: ImageEncoding,
    images: ImageBlock,
    texts: Texts,
    labels: Option<UInt32Array>,
}

/// The captions that were read.
enum Texts {
    None,
    /// The first of each row.
    First(Box<TextBlock>),
    /// All of them.
    All(Box<CaptionBlock>),
}

/// Some row groups, their rows numbered through.
pub(super) struct Window {
    groups: Vec<Arc<Group>>,
    /// The row after the last one of each group.
    ends: Vec<u32>,
}

/// A row of a group.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    group: &'a Group,
    row: usize,
}

impl Group {
    /// Borrows and decodes the columns of one row group.
    pub(super) fn read(
        reader: &ShardReader,
        row_group: usize,
        first_row: u64,
        first_of_dataset: u64,
        columns: &Columns,
    ) -> Result<Group, StreamError> {
        let vocabulary = || columns.vocabulary.clone();
        let texts = match &columns.tokens {
            Some(name) if columns.several => {
                let captions = reader.captions_of(row_group, name)?;
                Texts::All(Box::new(captions.with_vocabulary(vocabulary())))
            }
            Some(name) => Texts::First(Box::new(
                reader.texts_of(row_group, name)?.with_vocabulary(vocabulary()),
            )),
            None => Texts::None,
        };
        let labels = match columns.label {
            true => Some(labels_of(reader, row_group)?),
            false => None,
        };
        Ok(Group {
            path: reader.path().to_owned(),
            first_row,
            first_of_dataset,
            encoding: columns.image.encoding,
            images: reader.images_of(row_group, columns.image)?,
            texts,
            labels,
        })
    }

    /// How many rows it has.
    pub(super) fn rows(&self) -> usize {
        self.images.rows()
    }
}

fn labels_of(reader: &ShardReader, row_group: usize) -> Result<UInt32Array, StreamError> {
    let batch = reader.columns(row_group, &["label"])?;
    let labels =
        batch.column_by_name("label").and_then(|column| column.as_primitive_opt::<UInt32Type>());
    labels.cloned().ok_or_else(|| StreamError::ShardChanged {
        path: reader.path().to_owned(),
        detail: "column `label` has another type".to_owned(),
    })
}

impl Window {
    /// A window over these row groups.
    pub(super) fn new(groups: Vec<Arc<Group>>) -> Window {
        let sum = |end: &mut u32, group: &Arc<Group>| {
            *end += group.rows() as u32;
            Some(*end)
        };
        let ends = groups.iter().scan(0, sum).collect();
        Window { groups, ends }
    }

    /// The row of this number.
    pub(super) fn row(&self, row: u32) -> Row<'_> {
        let group = self.ends.partition_point(|&end| end <= row);
        let before = if group == 0 { 0 } else { self.ends[group - 1] };
        Row { group: &self.groups[group], row: (row - before) as usize }
    }
}

impl<'a> Row<'a> {
    /// The stored image; its bytes lie in the shard's mapping.
    pub(super) fn image(self) -> StoredPixels<'a> {
        let image = self.group.images.get(self.row);
        StoredPixels {
            bytes: image.bytes,
            encoding: self.group.encoding,
            width: image.width,
            height: image.height,
        }
    }

    /// The stored caption that is chosen in an epoch, where captions are read.
    pub(super) fn text(self, choice: &Choice, epoch: u64) -> Option<Chosen<'a>> {
        match &self.group.texts {
            Texts::None => None,
            Texts::First(texts) => Some(Chosen { text: texts.get(self.row), is_fallback: false }),
            Texts::All(all) => {
                let row = self.group.first_of_dataset + self.row as u64;
                Some(choice.of(&all.captions(self.row), epoch, row))
            }
        }
    }

    /// All stored captions, the first one first; none where captions are not read.
    pub(super) fn texts(self) -> Vec<StoredText<'a>> {
        match &self.group.texts {
            Texts::None => Vec::new(),
            Texts::First(texts) => vec![texts.get(self.row)],
            Texts::All(all) => {
                let captions = all.captions(self.row);
                captions.iter().collect()
            }
        }
    }

    /// The class, where classes are read; `Some(None)` where this row has none.
    pub(super) fn label(self) -> Option<Option<u32>> {
        let labels = self.group.labels.as_ref()?;
        Some(labels.is_valid(self.row).then(|| labels.value(self.row)))
    }

    /// An error about this row.
    pub(super) fn error(self, detail: impl ToString) -> StreamError {
        StreamError::Row {
            path: self.group.path.clone(),
            row: self.group.first_row + self.row as u64,
            detail: detail.to_string(),
        }
    }
}
