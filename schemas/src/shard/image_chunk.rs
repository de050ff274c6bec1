//! An image column of the row group under construction, kept in the form in which it lies in the file.
//!
//! Arrow's writer copies each value three times on its way; here a value is copied once, into what becomes the column
//! chunk's only page (PLAIN, uncompressed, without levels). The crate `parquet` writes the metadata around it.

use std::io::{Chain, Read};

use bytes::Bytes;
use parquet::{
    basic::{Compression, Encoding},
    column::writer::ColumnCloseResult,
    errors::{ParquetError, Result},
    file::{
        metadata::{ColumnChunkMetaData, OffsetIndexBuilder},
        reader::{ChunkReader, Length},
    },
    schema::types::ColumnDescPtr,
};

/// Values of one image column, PLAIN-encoded.
pub(super) struct ImageChunk {
    /// Fixed length, or before each value its length in four bytes.
    body: Vec<u8>,
    /// Bytes of each value, where all are alike.
    fixed_bytes: Option<usize>,
    values: usize,
}

impl ImageChunk {
    /// An empty column that fills `buffer`.
    pub(super) fn new(fixed_bytes: Option<usize>, mut buffer: Vec<u8>) -> ImageChunk {
        buffer.clear();
        ImageChunk { body: buffer, fixed_bytes, values: 0 }
    }

    /// What is wrong with a value of this length, if anything is.
    pub(super) fn misfit(&self, length: usize) -> Option<String> {
        match self.fixed_bytes {
            Some(bytes) if length != bytes => {
                Some(format!("an image of {length} bytes, not {bytes}"))
            }
            _ if u32::try_from(length).is_err() => Some(format!("an image of {length} bytes")),
            _ => None,
        }
    }

    /// Appends a value that [fits](ImageChunk::misfit).
    pub(super) fn append(&mut self, value: &[u8]) {
        if self.fixed_bytes.is_none() {
            self.body.extend_from_slice(&(value.len() as u32).to_le_bytes());
        }
        self.body.extend_from_slice(value);
        self.values += 1;
    }

    /// Empties the column; its memory is kept.
    pub(super) fn clear(&mut self) {
        self.body.clear();
        self.values = 0;
    }

    /// The memory, for another column.
    pub(super) fn into_buffer(self) -> Vec<u8> {
        self.body
    }

    /// The column chunk as `SerializedRowGroupWriter::append_column` takes it, offsets counted from its start.
    pub(super) fn finished(
        &self,
        column: ColumnDescPtr,
    ) -> Result<(FinishedChunk<'_>, ColumnCloseResult)> {
        let page_bytes = i32::try_from(self.body.len())
            .map_err(|_| ParquetError::General("a page of more than 2 GiB".to_owned()))?;
        let header = page_header(page_bytes, self.values as i32);
        let chunk_bytes = header.len() as i64 + i64::from(page_bytes);
        let values = self.values as i64;
        let value_bytes = self.fixed_bytes.is_none().then(|| i64::from(page_bytes) - 4 * values);
        let metadata = ColumnChunkMetaData::builder(column)
            .set_compression(Compression::UNCOMPRESSED)
            .set_encodings(vec![Encoding::PLAIN, Encoding::RLE])
            .set_num_values(values)
            .set_total_compressed_size(chunk_bytes)
            .set_total_uncompressed_size(chunk_bytes)
            .set_data_page_offset(0)
            .set_unencoded_byte_array_data_bytes(value_bytes)
            .build()?;
        let mut offsets = OffsetIndexBuilder::new();
        offsets.append_row_count(values);
        offsets.append_offset_and_size(0, chunk_bytes as i32);
        offsets.append_unencoded_byte_array_data_bytes(value_bytes);
        let close = ColumnCloseResult {
            bytes_written: chunk_bytes as u64,
            rows_written: self.values as u64,
            metadata,
            bloom_filter: None,
            column_index: None,
            offset_index: Some(offsets.build()),
        };
        Ok((FinishedChunk { header, body: &self.body }, close))
    }
}

/// Header and body of the one page of a column chunk.
pub(super) struct FinishedChunk<'a> {
    header: Vec<u8>,
    body: &'a [u8],
}

impl Length for FinishedChunk<'_> {
    fn len(&self) -> u64 {
        (self.header.len() + self.body.len()) as u64
    }
}

impl<'a> ChunkReader for FinishedChunk<'a> {
    type T = Chain<std::io::Cursor<Vec<u8>>, &'a [u8]>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        if start != 0 {
            return Err(ParquetError::General(format!(
                "a chunk is read from its start, not {start}"
            )));
        }
        Ok(std::io::Cursor::new(self.header.clone()).chain(self.body))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let mut bytes = Vec::new();
        self.get_read(start)?.take(length as u64).read_to_end(&mut bytes)?;
        Ok(bytes.into())
    }
}

/// `PageHeader` of an uncompressed PLAIN data page without levels, in Thrift's compact protocol.
///
/// Source: parquet-format's `parquet.thrift` (PageHeader, DataPageHeader).
fn page_header(page_bytes: i32, values: i32) -> Vec<u8> {
    const DATA_PAGE: i32 = 0;
    let (plain, rle) = (Encoding::PLAIN as i32, Encoding::RLE as i32);
    let mut header = ThriftStruct::default();
    header.i32_field(1, DATA_PAGE);
    header.i32_field(2, page_bytes);
    header.i32_field(3, page_bytes);
    header.begin_struct_field(5);
    header.i32_field(1, values);
    header.i32_field(2, plain);
    header.i32_field(3, rle);
    header.i32_field(4, rle);
    header.end_struct();
    header.end_struct();
    header.bytes
}

/// A struct in Thrift's compact protocol: fields with the distance to the one before, zigzag varints.
#[derive(Default)]
struct ThriftStruct {
    bytes: Vec<u8>,
    last_field: u8,
}

impl ThriftStruct {
    const I32: u8 = 5;
    const STRUCT: u8 = 12;
    const STOP: u8 = 0;

    fn field(&mut self, id: u8, kind: u8) {
        self.bytes.push((id - self.last_field) << 4 | kind);
        self.last_field = id;
    }

    fn i32_field(&mut self, id: u8, value: i32) {
        self.field(id, Self::I32);
        let mut rest = ((value << 1) ^ (value >> 31)) as u32;
        while rest >= 0x80 {
            self.bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.bytes.push(rest as u8);
    }

    /// Fields until [`ThriftStruct::end_struct`] belong to the inner struct; no field may follow it.
    fn begin_struct_field(&mut self, id: u8) {
        self.field(id, Self::STRUCT);
        self.last_field = 0;
    }

    fn end_struct(&mut self) {
        self.bytes.push(Self::STOP);
    }
}
