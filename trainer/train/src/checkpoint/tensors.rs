//! Named tensors in a safetensors file, written tensor by tensor and read with every size checked.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    io::Write,
    path::Path,
};

use clipa_schemas::file::{AtomicFile, FileDigest};
use safetensors::{
    Dtype, SafeTensors,
    tensor::{Metadata, TensorInfo},
};
use tch::{Kind, Tensor};

use super::{CheckpointError, state};

/// Greatest file that is read, in bytes; bigG's optimizer state in f32 has 20 GB.
pub const MAX_FILE_BYTES: u64 = 64 << 30;

/// A header's length is a multiple of this, so that tensors lie aligned.
const HEADER_ALIGNMENT: usize = 8;

/// Writes f32 tensors under their names, whole or not at all, with the permissions that the umask leaves; returns length
/// and checksum. One tensor at a time is copied from the device, not all.
///
/// The bytes are those of the crate `safetensors`, which would write them into a file that only its owner may read.
///
/// # Errors
/// [`CheckpointError::Io`].
pub fn write(
    path: &Path,
    mut tensors: Vec<(String, Tensor)>,
) -> Result<FileDigest, CheckpointError> {
    tensors.sort_by(|(one, _), (other, _)| one.cmp(other));
    let header = header(&tensors)
        .map_err(|detail| CheckpointError::Damaged { path: path.into(), detail })?;
    let mut file = AtomicFile::create(path)?;
    let mut append = |bytes: &[u8]| file.write_all(bytes).map_err(CheckpointError::io(path));
    append(&(header.len() as u64).to_le_bytes())?;
    append(&header)?;
    for (_, tensor) in tensors {
        append(&f32_bytes(&tensor))?;
    }
    Ok(file.commit(path.file_name().unwrap_or_default().to_string_lossy())?)
}

/// Names, shapes and places of the tensors, which follow in this order.
fn header(tensors: &[(String, Tensor)]) -> Result<Vec<u8>, String> {
    let mut end = 0;
    let place = |(name, tensor): &(String, Tensor)| {
        let start = end;
        end += tensor.numel() * size_of::<f32>();
        let shape = tensor.size().iter().map(|&side| side as usize).collect();
        (name.clone(), TensorInfo { dtype: Dtype::F32, shape, data_offsets: (start, end) })
    };
    // What Hugging Face's and open_clip's readers ask for.
    let about = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let metadata = Metadata::new(Some(about), tensors.iter().map(place).collect());
    let metadata = metadata.map_err(|error| error.to_string())?;
    let mut header = serde_json::to_vec(&metadata).map_err(|error| error.to_string())?;
    header.resize(header.len().next_multiple_of(HEADER_ALIGNMENT), b' ');
    Ok(header)
}

fn f32_bytes(tensor: &Tensor) -> Vec<u8> {
    let count = tensor.numel();
    let mut bytes = vec![0; count * size_of::<f32>()];
    let tensor = tensor.detach().to_device(tch::Device::Cpu).to_kind(Kind::Float).contiguous();
    tensor.copy_data_u8(&mut bytes, count);
    bytes
}

/// Reads all tensors as f32 on the CPU; f16, bf16 and f64 are converted.
///
/// # Errors
/// [`CheckpointError::Io`], [`CheckpointError::Damaged`] where the file is cut, longer than its header says, holds
/// a type that no weight has, or is part of a checkpoint and not what was written with it.
pub fn read(path: &Path) -> Result<BTreeMap<String, Tensor>, CheckpointError> {
    let damaged = |detail: String| CheckpointError::Damaged { path: path.into(), detail };
    let length = fs::metadata(path).map_err(CheckpointError::io(path))?.len();
    if length > MAX_FILE_BYTES {
        return Err(damaged(format!("{length} bytes are more than the limit of {MAX_FILE_BYTES}")));
    }
    let bytes = fs::read(path).map_err(CheckpointError::io(path))?;
    state::check_digest(path, &bytes)?;
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

#[cfg(test)]
mod tests {
    use safetensors::tensor::TensorView;

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

    /// Other programs read what the crate writes; ours must be the same to the byte.
    #[test]
    fn the_bytes_are_those_of_the_crate_safetensors() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        let digest = write(&path, some_tensors()).unwrap();
        let bytes: Vec<(String, Vec<usize>, Vec<u8>)> = some_tensors()
            .iter()
            .map(|(name, tensor)| {
                let shape = tensor.size().iter().map(|&side| side as usize).collect();
                (name.clone(), shape, f32_bytes(tensor))
            })
            .collect();
        let views = bytes.iter().map(|(name, shape, bytes)| {
            (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
        });
        let about = HashMap::from([("format".to_owned(), "pt".to_owned())]);
        let expected = safetensors::serialize(views, Some(about)).unwrap();
        assert_eq!(fs::read(&path).unwrap(), expected);
        assert_eq!((digest.file.as_str(), digest.bytes), ("a.safetensors", expected.len() as u64));
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
