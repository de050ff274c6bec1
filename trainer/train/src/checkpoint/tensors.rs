//! Named tensors in a safetensors file, written tensor by tensor and read with every size checked.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    fs::{self, File},
    path::Path,
};

use safetensors::{Dtype, SafeTensors, View, serialize_to_file, tensor::SafeTensorError};
use tch::{Kind, Tensor};

use super::CheckpointError;

/// Greatest file that is read, in bytes; bigG's optimizer state in f32 has 20 GB.
pub const MAX_FILE_BYTES: u64 = 64 << 30;

/// Writes f32 tensors under their names and makes the file durable.
///
/// # Errors
/// [`CheckpointError::Io`].
pub fn write(path: &Path, tensors: Vec<(String, Tensor)>) -> Result<(), CheckpointError> {
    let views = tensors.into_iter().map(|(name, tensor)| (name, F32View::new(tensor)));
    // What Hugging Face's and open_clip's readers ask for.
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    serialize_to_file(views, Some(metadata), path).map_err(|error| match error {
        SafeTensorError::IoError(source) => CheckpointError::Io { path: path.into(), source },
        other => CheckpointError::Damaged { path: path.into(), detail: other.to_string() },
    })?;
    File::open(path).and_then(|file| file.sync_all()).map_err(CheckpointError::io(path))
}

/// Reads all tensors as f32 on the CPU; f16, bf16 and f64 are converted.
///
/// # Errors
/// [`CheckpointError::Io`], [`CheckpointError::Damaged`] where the file is cut, longer than its header says, or holds
/// a type that no weight has.
pub fn read(path: &Path) -> Result<BTreeMap<String, Tensor>, CheckpointError> {
    let damaged = |detail: String| CheckpointError::Damaged { path: path.into(), detail };
    let length = fs::metadata(path).map_err(CheckpointError::io(path))?.len();
    if length > MAX_FILE_BYTES {
        return Err(damaged(format!("{length} bytes are more than the limit of {MAX_FILE_BYTES}")));
    }
    let bytes = fs::read(path).map_err(CheckpointError::io(path))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| damaged(error.to_string()))?;
    let mut tensors = BTreeMap::new();
    for (name, view) in file.iter() {
        let kind = match view.dtype() {
            Dtype::F32 => Kind::Float,
            Dtype::F16 => Kind::Half,
            Dtype::BF16 => Kind::BFloat16,
            Dtype::F64 => Kind::Double,
            other => return Err(damaged(format!("tensor {name} is of type {other:?}"))),
        };
        let shape: Vec<i64> = view.shape().iter().map(|&side| side as i64).collect();
        let tensor = Tensor::f_from_data_size(view.data(), &shape, kind)
            .map_err(|error| damaged(format!("tensor {name}: {error}")))?;
        tensors.insert(name.to_owned(), tensor.to_kind(Kind::Float));
    }
    Ok(tensors)
}

/// An f32 tensor whose bytes are fetched when they are written, so that one tensor is in memory twice, not all.
struct F32View {
    tensor: Tensor,
    shape: Vec<usize>,
}

impl F32View {
    fn new(tensor: Tensor) -> F32View {
        let shape = tensor.size().iter().map(|&side| side as usize).collect();
        F32View { tensor: tensor.detach(), shape }
    }
}

impl View for F32View {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let count = self.tensor.numel();
        let mut bytes = vec![0; count * size_of::<f32>()];
        let tensor = self.tensor.to_device(tch::Device::Cpu).to_kind(Kind::Float).contiguous();
        tensor.copy_data_u8(&mut bytes, count);
        Cow::Owned(bytes)
    }

    fn data_len(&self) -> usize {
        self.tensor.numel() * size_of::<f32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some_tensors() -> Vec<(String, Tensor)> {
        let matrix = Tensor::from_slice(&[1f32, 2., 3., 4., 5., 6.]).view([2, 3]);
        vec![
            ("transposed".to_owned(), matrix.tr()),
            ("scale".to_owned(), Tensor::from_slice(&[2.5f32]).squeeze()),
        ]
    }

    #[test]
    fn tensors_survive_the_disk_whatever_their_strides() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        write(&path, some_tensors()).unwrap();
        let read = read(&path).unwrap();
        assert_eq!(read["transposed"].size(), [3, 2]);
        assert_eq!(read["transposed"].double_value(&[2, 0]), 3.0);
        assert_eq!((read["scale"].size(), read["scale"].double_value(&[])), (vec![], 2.5));
    }

    #[test]
    fn equal_tensors_give_equal_files() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = |name: &str| {
            let path = folder.path().join(name);
            write(&path, some_tensors()).unwrap();
            fs::read(&path).unwrap()
        };
        assert_eq!(bytes("a"), bytes("b"));
    }

    #[test]
    fn a_cut_file_is_an_error_at_every_length() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        write(&path, some_tensors()).unwrap();
        let whole = fs::read(&path).unwrap();
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(matches!(read(&path), Err(CheckpointError::Damaged { .. })), "{length}");
        }
    }
}
