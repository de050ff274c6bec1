//! A file with weights, whichever program wrote it: names and shapes first, numbers one tensor at a time.

use std::{
    collections::BTreeMap,
    fs,
    path::{Component, Path, PathBuf},
};

use serde::Deserialize;
use tch::Tensor;

use super::{error::ExchangeError, torch_file::TorchFile};
use crate::checkpoint::{SafeFile, names};

/// Longest list of files, in bytes.
const MAX_INDEX_BYTES: u64 = 16 << 20;
/// What Hugging Face's models hold beside parameters.
const POSITION_IDS: &str = "embeddings.position_ids";
/// Names that a message shows.
const SHOWN: usize = 4;

/// Weights whose names and shapes were read.
#[derive(Debug)]
pub(super) struct Opened {
    path: PathBuf,
    reader: Reader,
    named: Vec<Named>,
    /// What was left out because it is no parameter.
    pub(super) left_out: Vec<String>,
}

/// A tensor by its canonical name.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) stored: String,
    pub(super) shape: Vec<i64>,
}

#[derive(Debug)]
enum Reader {
    /// One file or several, each tensor in one.
    Safe(Vec<SafeFile>),
    Torch(Box<TorchFile>),
}

/// `*.safetensors.index.json`
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Opened {
    /// Opens a safetensors file, a list of several, or a file of PyTorch's.
    ///
    /// # Errors
    /// A damaged file, a pickle that asks for more than tensors, two tensors of one name.
    pub(super) fn open(path: &Path) -> Result<Opened, ExchangeError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let reader = if name.ends_with(".index.json") {
            Reader::Safe(shards(path)?)
        } else if name.ends_with(".safetensors") {
            Reader::Safe(vec![SafeFile::open(path)?])
        } else {
            Reader::Torch(Box::new(TorchFile::open(path)?))
        };
        let mut opened =
            Opened { path: path.into(), reader, named: Vec::new(), left_out: Vec::new() };
        opened.name()?;
        Ok(opened)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The tensors, a state dict's in its order.
    pub(super) fn named(&self) -> &[Named] {
        &self.named
    }

    /// Reads a tensor as f32 on the CPU.
    ///
    /// # Errors
    /// A damaged file.
    pub(super) fn tensor(&mut self, named: &Named) -> Result<Tensor, ExchangeError> {
        match &mut self.reader {
            Reader::Safe(files) => {
                let holds = |file: &&SafeFile| file.shapes().contains_key(&named.stored);
                match files.iter().find(holds) {
                    Some(file) => Ok(file.tensor(&named.stored)?),
                    None => Err(ExchangeError::damaged(&self.path, "a tensor is gone")),
                }
            }
            Reader::Torch(file) => {
                let place = file.tensors().iter().find(|(name, _)| *name == named.stored);
                match place.cloned() {
                    Some((name, tensor)) => file.read(&name, &tensor),
                    None => Err(ExchangeError::damaged(&self.path, "a tensor is gone")),
                }
            }
        }
    }

    /// Reads all tensors.
    ///
    /// # Errors
    /// A damaged file.
    pub(super) fn tensors(&mut self) -> Result<BTreeMap<String, Tensor>, ExchangeError> {
        let named = self.named.clone();
        named.iter().map(|named| Ok((named.name.clone(), self.tensor(named)?))).collect()
    }

    /// The file of PyTorch's that it is.
    pub(super) fn torch(&mut self) -> Option<&mut TorchFile> {
        match &mut self.reader {
            Reader::Torch(file) => Some(file),
            Reader::Safe(_) => None,
        }
    }

    fn name(&mut self) -> Result<(), ExchangeError> {
        let stored: Vec<(String, Vec<i64>)> = match &self.reader {
            Reader::Safe(files) => files.iter().flat_map(SafeFile::shapes).collect(),
            Reader::Torch(file) => {
                self.left_out.extend(file.others().iter().cloned());
                let shape = |(name, tensor): &(String, super::pickle::StoredTensor)| {
                    (name.clone(), tensor.size.clone())
                };
                file.tensors().iter().map(shape).collect()
            }
        };
        let mut seen = std::collections::HashSet::new();
        for (stored, shape) in stored {
            let Some(name) = names::canonical(&stored).filter(|name| !name.ends_with(POSITION_IDS))
            else {
                self.left_out.push(stored);
                continue;
            };
            if !seen.insert(name.clone()) {
                let detail = format!("{} is in it twice", clipa_talk::printable(&name));
                return Err(ExchangeError::damaged(&self.path, detail));
            }
            self.named.push(Named { name, stored, shape });
        }
        Ok(())
    }
}

/// The files that a list names, each of which must be there with what the list says of it.
fn shards(path: &Path) -> Result<Vec<SafeFile>, ExchangeError> {
    let damaged = |detail: String| ExchangeError::damaged(path, detail);
    let bytes = fs::metadata(path).map_err(ExchangeError::io(path))?.len();
    if bytes > MAX_INDEX_BYTES {
        return Err(damaged(format!("{bytes} bytes, the limit is {MAX_INDEX_BYTES}")));
    }
    let text = fs::read(path).map_err(ExchangeError::io(path))?;
    let index: Index = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
    let mut wanted: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (tensor, file) in &index.weight_map {
        wanted.entry(file).or_default().push(tensor);
    }
    let mut files = Vec::new();
    for (file, tensors) in wanted {
        let shown = clipa_talk::printable(file);
        // A list from elsewhere names files beside it, and none in other folders.
        let mut parts = Path::new(file).components();
        if !matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) {
            return Err(damaged(format!("`{shown}` is no file beside it")));
        }
        let place = path.with_file_name(file);
        if !place.is_file() {
            return Err(damaged(format!(
                "{shown} is not there, and {} of its tensors are",
                tensors.len()
            )));
        }
        let opened = SafeFile::open(&place)?;
        let shapes = opened.shapes();
        let missing: Vec<&str> =
            tensors.into_iter().filter(|tensor| !shapes.contains_key(*tensor)).collect();
        if let Some(first) = missing.first() {
            let count = missing.len();
            return Err(damaged(format!(
                "{shown} lacks {count} tensors that the list says it has, {}",
                clipa_talk::printable(first)
            )));
        }
        let not_listed = shapes.keys().filter(|name| !index.weight_map.contains_key(*name));
        let not_listed: Vec<&String> = not_listed.take(SHOWN).collect();
        if !not_listed.is_empty() {
            return Err(damaged(format!(
                "{shown} holds tensors that the list does not name: {not_listed:?}"
            )));
        }
        files.push(opened);
    }
    Ok(files)
}
