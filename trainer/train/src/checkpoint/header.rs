//! The header of a safetensors file: names, kinds and shapes, without the numbers.

use std::{
    collections::BTreeMap,
    fs::File,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use safetensors::{Dtype, tensor::Metadata};
use tch::{Kind, Tensor};

use super::CheckpointError;

/// Longest header that is read, in bytes; bigG's with its moments has about 1 MB.
const MAX_HEADER_BYTES: u64 = 32 << 20;
/// Bytes that say how long the header is.
const LENGTH_BYTES: u64 = 8;

/// A safetensors file whose header was read.
#[derive(Debug)]
pub struct SafeFile {
    path: PathBuf,
    file: File,
    metadata: Metadata,
    /// Where the numbers begin.
    start: u64,
}

impl SafeFile {
    /// Opens a file and compares its length with what its header says.
    ///
    /// # Errors
    /// [`CheckpointError::Io`], [`CheckpointError::Damaged`].
    pub fn open(path: &Path) -> Result<SafeFile, CheckpointError> {
        let damaged = |detail: String| CheckpointError::Damaged { path: path.into(), detail };
        let file = File::open(path).map_err(CheckpointError::io(path))?;
        let length = file.metadata().map_err(CheckpointError::io(path))?.len();
        let mut first = [0; LENGTH_BYTES as usize];
        if length < LENGTH_BYTES {
            return Err(damaged(format!("{length} bytes")));
        }
        file.read_exact_at(&mut first, 0).map_err(CheckpointError::io(path))?;
        let bytes = u64::from_le_bytes(first);
        if bytes > MAX_HEADER_BYTES || bytes > length - LENGTH_BYTES {
            return Err(damaged(format!("its header would have {bytes} bytes")));
        }
        let mut header = vec![0; bytes as usize];
        file.read_exact_at(&mut header, LENGTH_BYTES).map_err(CheckpointError::io(path))?;
        let metadata: Metadata =
            serde_json::from_slice(&header).map_err(|error| damaged(error.to_string()))?;
        let start = LENGTH_BYTES + bytes;
        let says = start + metadata.data_len() as u64;
        if says != length {
            return Err(damaged(format!("{length} bytes, its header says {says}")));
        }
        Ok(SafeFile { path: path.into(), file, metadata, start })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Name and shape of every tensor.
    pub fn shapes(&self) -> BTreeMap<String, Vec<i64>> {
        let tensors = self.metadata.tensors().into_iter();
        let shape = |shape: &[usize]| shape.iter().map(|&side| side as i64).collect();
        tensors.map(|(name, info)| (name, shape(&info.shape))).collect()
    }

    /// Reads a tensor as f32 on the CPU.
    ///
    /// # Errors
    /// [`CheckpointError::Io`]; [`CheckpointError::Damaged`] for a name that is not in it and a kind that no weight has.
    pub fn tensor(&self, name: &str) -> Result<Tensor, CheckpointError> {
        let damaged = |detail: String| CheckpointError::Damaged { path: self.path.clone(), detail };
        let Some(info) = self.metadata.info(name) else {
            return Err(damaged(format!("tensor {name} is not in it")));
        };
        let kind = match info.dtype {
            Dtype::F32 => Kind::Float,
            Dtype::F16 => Kind::Half,
            Dtype::BF16 => Kind::BFloat16,
            Dtype::F64 => Kind::Double,
            other => return Err(damaged(format!("tensor {name} is of type {other:?}"))),
        };
        let (first, end) = info.data_offsets;
        let mut bytes = vec![0; end - first];
        let place = self.start + first as u64;
        self.file.read_exact_at(&mut bytes, place).map_err(CheckpointError::io(&self.path))?;
        let shape: Vec<i64> = info.shape.iter().map(|&side| side as i64).collect();
        let tensor = Tensor::f_from_data_size(&bytes, &shape, kind)
            .map_err(|error| damaged(format!("tensor {name}: {error}")))?;
        Ok(tensor.to_kind(Kind::Float))
    }
}
