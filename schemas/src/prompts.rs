//! `prompts.parquet`: the tokenized prompts of a classification set, so that the trainer needs no tokenizer.

use std::{path::Path, sync::Arc};

use arrow::{
    array::{ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray, UInt8Builder, UInt32Array},
    datatypes::{DataType, Field, Schema, UInt32Type},
};

use crate::{
    error::{Error, Result},
    file::FileDigest,
    shard::{TextBlock, TokenBuilders, layout, list_builder},
    table,
    text::TokenizedText,
    vocabulary,
};

/// Name of the file in a classification set's folder.
pub const PROMPTS: &str = "prompts.parquet";

/// One prompt: a template filled with a class name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    /// Class that it describes, an index as in the `label` column.
    pub class: u32,
    /// Name of the class.
    pub class_name: String,
    /// The template, with `{}` or `{c}` where the name goes.
    pub template: String,
    /// The filled template.
    pub prompt: String,
    /// Was this class kept out of the training captions? `None` where nobody says.
    pub held_out: Option<bool>,
    /// One entry for each of the set's token columns.
    pub tokens: Vec<TokenizedText>,
    /// Penn tags of the words.
    pub pos: Vec<u8>,
}

/// The prompts of a set, with one token column ready to be borrowed.
#[derive(Clone, Debug)]
pub struct Prompts {
    /// Class of each prompt.
    pub class: Vec<u32>,
    /// Class name of each prompt.
    pub class_name: Vec<String>,
    /// Template of each prompt.
    pub template: Vec<String>,
    /// Text of each prompt.
    pub prompt: Vec<String>,
    /// Held-out mark of each prompt.
    pub held_out: Vec<Option<bool>>,
    /// Tokens, words and tags of each prompt.
    pub texts: TextBlock,
}

/// Writes the prompts of a data set, whole or not at all. `token_columns` name the entries of [`Prompt::tokens`].
///
/// # Errors
/// [`Error::Io`]; [`Error::Row`] where a prompt has another number of token columns.
pub fn write(dataset: &Path, token_columns: &[String], prompts: &[Prompt]) -> Result<FileDigest> {
    let path = dataset.join(PROMPTS);
    let mut tokens: Vec<TokenBuilders> =
        token_columns.iter().map(|_| TokenBuilders::new()).collect();
    let mut pos = list_builder(UInt8Builder::new(), DataType::UInt8);
    for prompt in prompts {
        if prompt.tokens.len() != tokens.len() {
            let detail = format!("{} token columns", prompt.tokens.len());
            return Err(Error::Row { key: prompt.prompt.clone(), detail });
        }
        tokens.iter_mut().zip(&prompt.tokens).for_each(|(builder, text)| builder.append(text));
        pos.values().append_slice(&prompt.pos);
        pos.append(true);
    }
    let text = |of: fn(&Prompt) -> &str| {
        Arc::new(prompts.iter().map(|prompt| Some(of(prompt))).collect::<StringArray>()) as ArrayRef
    };
    let classes: UInt32Array = prompts.iter().map(|prompt| Some(prompt.class)).collect();
    let held_out: BooleanArray = prompts.iter().map(|prompt| prompt.held_out).collect();
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(classes),
        text(|prompt| &prompt.class_name),
        text(|prompt| &prompt.template),
        text(|prompt| &prompt.prompt),
        Arc::new(held_out),
    ];
    columns.extend(tokens.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef));
    columns.push(Arc::new(pos.finish()));
    let batch = RecordBatch::try_new(Arc::new(schema(token_columns)), columns)
        .map_err(|error| Error::corrupt(&path, error))?;
    table::write(&path, PROMPTS, &batch)
}

/// Reads the prompts of a data set, with the token column `tokens`.
///
/// # Errors
/// [`Error::NotADataset`] where the folder has no prompts, [`Error::MissingColumn`], [`Error::Corrupt`].
pub fn read(dataset: &Path, tokens: &str) -> Result<Prompts> {
    let path = dataset.join(PROMPTS);
    if !path.is_file() {
        let detail = "no prompts.parquet: zero-shot evaluation needs a set made by `clipa-prep classes ingest`";
        return Err(Error::NotADataset { path: dataset.into(), detail: detail.to_owned() });
    }
    let batch = table::read(&path)?;
    if batch.column_by_name(tokens).is_none() {
        let stored: Vec<String> =
            batch.schema().fields().iter().map(|field| field.name().clone()).collect();
        let stored = stored.join(", ");
        return Err(Error::MissingColumn { path, column: tokens.to_owned(), stored });
    }
    let wrong = |name: &str| Error::corrupt(&path, format!("column `{name}` has another type"));
    let text = |name: &str| -> Result<Vec<String>> {
        let column = batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
        let values = column.ok_or_else(|| wrong(name))?.iter();
        Ok(values.map(|value| value.unwrap_or_default().to_owned()).collect())
    };
    let class = batch.column_by_name("class").and_then(|column| column.as_primitive_opt());
    let class: &arrow::array::PrimitiveArray<UInt32Type> = class.ok_or_else(|| wrong("class"))?;
    // A class has a prompt at least; a greater number would ask for memory that no prompt needs.
    if let Some(class) = class.values().iter().find(|&&class| class as usize >= batch.num_rows()) {
        let detail = format!("class {class}, and only {} prompts", batch.num_rows());
        return Err(Error::corrupt(&path, detail));
    }
    let held_out = batch.column_by_name("held_out").and_then(|column| column.as_boolean_opt());
    let texts = TextBlock::from_batch(&batch, tokens).ok_or_else(|| wrong(tokens))?;
    let vocabulary = vocabulary::read(dataset, tokens)?.map(Arc::new);
    Ok(Prompts {
        class: class.values().to_vec(),
        class_name: text("class_name")?,
        template: text("template")?,
        prompt: text("prompt")?,
        held_out: held_out.ok_or_else(|| wrong("held_out"))?.iter().collect(),
        texts: texts.with_vocabulary(vocabulary),
    })
}

impl Prompts {
    /// Number of prompts.
    pub fn len(&self) -> usize {
        self.class.len()
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.class.is_empty()
    }

    /// Number of classes: the greatest class plus one.
    pub fn classes(&self) -> usize {
        self.class.iter().max().map_or(0, |&class| class as usize + 1)
    }
}

fn schema(token_columns: &[String]) -> Schema {
    let mut fields = vec![Field::new("class", DataType::UInt32, false)];
    fields.extend(
        ["class_name", "template", "prompt"].map(|name| Field::new(name, DataType::Utf8, false)),
    );
    fields.push(Field::new("held_out", DataType::Boolean, true));
    fields.extend(
        token_columns
            .iter()
            .map(|name| Field::new(name, DataType::Struct(layout::token_fields()), false)),
    );
    fields.push(Field::new("pos", layout::list_of(DataType::UInt8), false));
    Schema::new(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_survive_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let text = TokenizedText {
            tokens: vec![320, 1125],
            word_tokens: vec![320, 1125],
            word_lengths: vec![1, 1],
        };
        let prompt = Prompt {
            class: 0,
            class_name: "dog".into(),
            template: "a {}".into(),
            prompt: "a dog".into(),
            held_out: Some(true),
            tokens: vec![text.clone()],
            pos: vec![11, 20],
        };
        write(folder.path(), &["clip_bpe".to_owned()], std::slice::from_ref(&prompt)).unwrap();
        let read = read(folder.path(), "clip_bpe").unwrap();
        assert_eq!((read.len(), read.classes()), (1, 1));
        assert_eq!(read.texts.get(0), text.stored(&[11, 20]));
        assert_eq!(read.held_out, [Some(true)]);
        assert!(matches!(
            super::read(folder.path(), "bert_wordpiece"),
            Err(Error::MissingColumn { .. })
        ));
        let beyond = Prompt { class: 3, ..prompt };
        write(folder.path(), &["clip_bpe".to_owned()], &[beyond]).unwrap();
        let error = super::read(folder.path(), "clip_bpe").unwrap_err().to_string();
        assert!(error.contains("class 3, and only 1 prompts"), "{error}");
    }
}
