//! A table of predictions by key, as `clipa-train eval --predictions` writes it.
//!
//! | column | type | |
//! |---|---|---|
//! | `key` | string | the sample's key in the data set |
//! | `label` | uint32 | its class |
//! | `prediction` | uint32 | the class with the greatest cosine |
//! | `top5` | fixed_size_list of uint32 | the five (or all) classes with the greatest cosines, the best first |
//! | `top5_cosine` | fixed_size_list of float32 | their cosines with the image |
//!
//! Rows stand in the data set's order.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, StringArray, UInt32Array},
    datatypes::{DataType, Field, Float32Type, Schema, UInt32Type},
};

use crate::{
    error::Result,
    file::FileDigest,
    long_table::{LongTable, vector_type, vectors},
};

/// Some rows, one after the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PredictionRows {
    /// `[B]`.
    pub keys: Vec<String>,
    /// `[B]`.
    pub labels: Vec<u32>,
    /// `[B, K]`, the best class first.
    pub best: Vec<u32>,
    /// `[B, K]`.
    pub cosines: Vec<f32>,
}

/// Writes a table of predictions, whole or not at all.
pub struct PredictionWriter {
    table: LongTable,
    ranks: usize,
    path: PathBuf,
}

impl PredictionWriter {
    /// Begins a table with the best `ranks` classes of each sample, at least one. `about` says whose predictions these are.
    ///
    /// # Errors
    /// [`crate::Error::Io`], where something has the name already, too.
    pub fn create(path: &Path, ranks: usize, about: &[(&str, String)]) -> Result<PredictionWriter> {
        let ranks = ranks.max(1);
        let field = |name: &str, kind: DataType| Field::new(name, kind, false);
        let schema = Schema::new(vec![
            field("key", DataType::Utf8),
            field("label", DataType::UInt32),
            field("prediction", DataType::UInt32),
            field("top5", vector_type(DataType::UInt32, ranks)),
            field("top5_cosine", vector_type(DataType::Float32, ranks)),
        ]);
        let table = LongTable::create(path, Arc::new(schema), about)?;
        Ok(PredictionWriter { table, ranks, path: path.to_owned() })
    }

    /// Appends rows.
    ///
    /// # Errors
    /// [`crate::Error::Io`]; [`crate::Error::Corrupt`] where the columns have other lengths.
    pub fn append(&mut self, rows: PredictionRows) -> Result<()> {
        let first: UInt32Array =
            rows.best.chunks(self.ranks).map(|best| best[0]).collect::<Vec<_>>().into();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(rows.keys)),
            Arc::new(UInt32Array::from(rows.labels)),
            Arc::new(first),
            vectors::<UInt32Type>(&self.path, rows.best, self.ranks)?,
            vectors::<Float32Type>(&self.path, rows.cosines, self.ranks)?,
        ];
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
    use crate::table;

    #[test]
    fn the_best_class_is_a_column_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.parquet");
        let mut writer = PredictionWriter::create(&path, 3, &[]).unwrap();
        let rows = PredictionRows {
            keys: vec!["x".into(), "y".into()],
            labels: vec![2, 0],
            best: vec![2, 1, 0, 1, 0, 2],
            cosines: vec![0.5, 0.4, 0.3, 0.9, 0.8, 0.7],
        };
        writer.append(rows.clone()).unwrap();
        let uneven = PredictionRows { labels: vec![1], ..rows };
        assert!(writer.append(uneven).is_err());
        writer.finish().unwrap();
        let batch = table::read(&path).unwrap();
        let numbers = |name: &str| batch[name].as_primitive::<UInt32Type>().values().to_vec();
        assert_eq!((numbers("label"), numbers("prediction")), (vec![2, 0], vec![2, 1]));
        let top = batch["top5"].as_fixed_size_list().value(1);
        assert_eq!(top.as_primitive::<UInt32Type>().values(), &[1, 0, 2]);
    }
}
