//! Reading what a Parquet file of ours holds, damaged or not.

use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::{array::RecordBatch, error::ArrowError};

/// All batches of a reader. The Parquet reader takes some damaged pages for impossible, and panics: an error here.
///
/// # Errors
/// What is wrong with the file, in words.
pub(crate) fn all_batches(
    reader: impl Iterator<Item = std::result::Result<RecordBatch, ArrowError>>,
) -> std::result::Result<Vec<RecordBatch>, String> {
    let read = catch_unwind(AssertUnwindSafe(|| reader.collect::<std::result::Result<_, _>>()));
    let read = read.map_err(|_| "a damaged page".to_owned())?;
    read.map_err(|error: ArrowError| error.to_string())
}
