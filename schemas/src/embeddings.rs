//! A table of embeddings by key, as `clipa-train embed` writes it.
//!
//! | column | type | |
//! |---|---|---|
//! | `key` | string | the sample's key in the data set |
//! | `label` | uint32 | its class; classification sets only |
//! | `image_embedding` | fixed_size_list of float32 | of length one |
//! | `text_embedding` | fixed_size_list of float32 | its first caption's, of length one; sets with captions only |
//!
//! Rows stand in the data set's order. What the embeddings are of is in the file's metadata (`clipa.*`).

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, StringArray, UInt32Array},
    datatypes::{DataType, Field, Float32Type, Schema},
};

use crate::{
    error::Result,
    file::FileDigest,
    long_table::{LongTable, vector_type, vectors},
};

/// What a table of embeddings holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmbeddingColumns {
    /// Numbers of an embedding.
    pub width: usize,
    /// Are there captions?
    pub texts: bool,
    /// Are there classes?
    pub labels: bool,
}

/// Some rows, one after the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EmbeddingRows {
    /// `[B]`.
    pub keys: Vec<String>,
    /// `[B]`, where there are classes.
    pub labels: Vec<u32>,
    /// `[B, width]`.
    pub images: Vec<f32>,
    /// `[B, width]`, where there are captions.
    pub texts: Vec<f32>,
}

/// Writes a table of embeddings, whole or not at all.
pub struct EmbeddingWriter {
    table: LongTable,
    columns: EmbeddingColumns,
    path: PathBuf,
}

impl EmbeddingWriter {
    /// Begins a table. `about` says what the embeddings are of.
    ///
    /// # Errors
    /// [`crate::Error::Io`], where something has the name already, too.
    pub fn create(
        path: &Path,
        columns: EmbeddingColumns,
        about: &[(&str, String)],
    ) -> Result<EmbeddingWriter> {
        let vector = vector_type(DataType::Float32, columns.width);
        let field = |name: &str, kind: &DataType| Field::new(name, kind.clone(), false);
        let mut fields = vec![field("key", &DataType::Utf8)];
        fields.extend(columns.labels.then(|| field("label", &DataType::UInt32)));
        fields.push(field("image_embedding", &vector));
        fields.extend(columns.texts.then(|| field("text_embedding", &vector)));
        let table = LongTable::create(path, Arc::new(Schema::new(fields)), about)?;
        Ok(EmbeddingWriter { table, columns, path: path.to_owned() })
    }

    /// Appends rows.
    ///
    /// # Errors
    /// [`crate::Error::Io`]; [`crate::Error::Corrupt`] where the columns have other lengths.
    pub fn append(&mut self, rows: EmbeddingRows) -> Result<()> {
        let EmbeddingColumns { width, texts, labels } = self.columns;
        let mut columns: Vec<ArrayRef> = vec![Arc::new(StringArray::from(rows.keys))];
        if labels {
            columns.push(Arc::new(UInt32Array::from(rows.labels)));
        }
        columns.push(vectors::<Float32Type>(&self.path, rows.images, width)?);
        if texts {
            columns.push(vectors::<Float32Type>(&self.path, rows.texts, width)?);
        }
        self.table.append(columns)
    }

    /// Ends the table, which then has its name.
    ///
    /// # Errors
    /// [`crate::Error::Io`]; nothing is left then.
    pub fn finish(self) -> Result<FileDigest> {
        self.table.finish()
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;

    use super::*;
    use crate::{Error, table};

    fn rows(keys: &[&str], first: f32) -> EmbeddingRows {
        let numbers = |shift: f32| (0..2 * keys.len()).map(|n| first + shift + n as f32).collect();
        EmbeddingRows {
            keys: keys.iter().map(|&key| key.to_owned()).collect(),
            labels: vec![],
            images: numbers(0.0),
            texts: numbers(0.5),
        }
    }

    #[test]
    fn embeddings_are_lists_of_one_length_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("e.parquet");
        let columns = EmbeddingColumns { width: 2, texts: true, labels: false };
        let mut writer = EmbeddingWriter::create(&path, columns, &[("a", "b".into())]).unwrap();
        writer.append(rows(&["x", "y"], 0.0)).unwrap();
        writer.append(rows(&["z"], 10.0)).unwrap();
        assert!(!path.exists());
        writer.finish().unwrap();
        let batch = table::read(&path).unwrap();
        assert_eq!(batch.num_rows(), 3);
        let keys: Vec<&str> = batch["key"].as_string::<i32>().iter().flatten().collect();
        assert_eq!(keys, ["x", "y", "z"]);
        let of = |name: &str, row: usize| {
            let list = batch[name].as_fixed_size_list().value(row);
            list.as_primitive::<Float32Type>().values().to_vec()
        };
        assert_eq!(
            (of("image_embedding", 1), of("text_embedding", 2)),
            (vec![2.0, 3.0], vec![10.5, 11.5])
        );
        assert!(batch.column_by_name("label").is_none());
    }

    #[test]
    fn a_file_that_is_there_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("e.parquet");
        let columns = EmbeddingColumns { width: 2, texts: false, labels: false };
        std::fs::write(&path, b"mine").unwrap();
        let error = EmbeddingWriter::create(&path, columns, &[]).err().unwrap();
        assert!(matches!(&error, Error::Io { .. }) && error.to_string().contains("overwritten"));
        std::fs::remove_file(&path).unwrap();
        // One that came meanwhile stays as well.
        let mut writer = EmbeddingWriter::create(&path, columns, &[]).unwrap();
        writer.append(EmbeddingRows { texts: vec![], ..rows(&["x"], 0.0) }).unwrap();
        std::fs::write(&path, b"mine").unwrap();
        assert!(writer.finish().is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"mine");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
