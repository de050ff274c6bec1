//! PyTorch's files: a zip archive with a pickle that names storages, and the storages beside it.

use std::path::{Path, PathBuf};

use clipa_talk::printable;
use tch::{Kind, Tensor};

use super::{
    archive::Archive,
    error::ExchangeError,
    pickle::{self, Element, Id, PickleError, Pickled, StoredTensor, Value},
};

/// The first bytes of what PyTorch wrote before 1.6: a protocol and a magic number of ten bytes.
const OLD: [u8; 14] =
    [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
/// Where training programs keep the state dict within their checkpoint: open_clip's, and others'.
const STATE_DICTS: [&str; 3] = ["state_dict", "model_state_dict", "model"];
/// Longest name of a function or class that a message shows, in characters.
const SHOWN: usize = 120;

/// A file of PyTorch's whose pickle was read.
#[derive(Debug)]
pub(super) struct TorchFile {
    path: PathBuf,
    archive: Archive,
    /// Name of the archive's folder, with its slash.
    folder: String,
    pickled: Pickled,
    /// Name and place of the state dict's tensors, in its order.
    tensors: Vec<(String, StoredTensor)>,
    /// What of the state dict is no tensor.
    others: Vec<String>,
    /// The storage that was read last: neighbours often share one.
    last: Option<(String, Vec<u8>)>,
}

impl TorchFile {
    /// Opens a file and reads its pickle, nothing of which is executed.
    ///
    /// # Errors
    /// [`ExchangeError::Foreign`] for a pickle that asks for more than tensors; [`ExchangeError::Damaged`];
    /// [`ExchangeError::Unsupported`] for TorchScript and for files without a state dict.
    pub(super) fn open(path: &Path) -> Result<TorchFile, ExchangeError> {
        if !Archive::is_one(path)? {
            return Err(not_an_archive(path)?);
        }
        let archive = Archive::open(path)?;
        let pickles: Vec<&str> = archive
            .names()
            .filter(|name| *name == "data.pkl" || name.ends_with("/data.pkl"))
            .collect();
        let [name] = pickles[..] else {
            let detail = format!("an archive with {} data.pkl, not one", pickles.len());
            return Err(ExchangeError::damaged(path, detail));
        };
        let folder = name.trim_end_matches("data.pkl").to_owned();
        if archive.names().any(|name| {
            name.strip_prefix(&folder)
                .is_some_and(|name| name == "constants.pkl" || name.starts_with("code/"))
        }) {
            return Err(ExchangeError::unsupported(
                path,
                "a TorchScript program, which holds code and not only weights",
                Some(
                    "load it with PyTorch (torch.jit.load) where you trust it, and save its state_dict(); OpenAI's weights \
                     are also published in open_clip's form",
                ),
            ));
        }
        let order = format!("{folder}byteorder");
        if archive.bytes_of(&order).is_some() && archive.read(&order, 16)? != b"little" {
            return Err(ExchangeError::damaged(path, "its numbers are not little-endian"));
        }
        let bytes = archive.read(&format!("{folder}data.pkl"), pickle::MAX_BYTES)?;
        let pickled = pickle::load(&bytes).map_err(|error| told(path, error))?;
        let mut file = TorchFile {
            path: path.into(),
            archive,
            folder,
            pickled,
            tensors: Vec::new(),
            others: Vec::new(),
            last: None,
        };
        file.find_tensors()?;
        Ok(file)
    }

    /// Name and place of every tensor of the state dict, in its order.
    pub(super) fn tensors(&self) -> &[(String, StoredTensor)] {
        &self.tensors
    }

    /// What of the state dict is no tensor, by name and kind.
    pub(super) fn others(&self) -> &[String] {
        &self.others
    }

    /// The pickle.
    pub(super) fn pickled(&self) -> &Pickled {
        &self.pickled
    }

    /// Reads a tensor as f32 on the CPU, whatever its strides.
    ///
    /// # Errors
    /// [`ExchangeError::Damaged`] where its storage is not there, too short, or not what was written; a kind that no weight has.
    pub(super) fn read(
        &mut self,
        name: &str,
        tensor: &StoredTensor,
    ) -> Result<Tensor, ExchangeError> {
        let shown = printable(name).into_owned();
        let element = tensor.storage.element;
        if !matches!(element, Element::Double | Element::Float | Element::Half | Element::BFloat16)
        {
            let detail = format!("tensor {shown} is of type {:?}", element.kind());
            return Err(ExchangeError::damaged(&self.path, detail));
        }
        let first = tensor.offset * element.bytes();
        let end = first + tensor.span() * element.bytes();
        let expected = tensor.storage.count.saturating_mul(element.bytes());
        let kind = element.kind();
        self.keep_storage(&tensor.storage.key)?;
        let bytes = self.last.as_ref().map_or(&[][..], |(_, bytes)| bytes);
        let Some(part) =
            bytes.get(first as usize..end as usize).filter(|_| bytes.len() as u64 >= expected)
        else {
            let detail =
                format!("the storage of {shown} has {} bytes, not {expected}", bytes.len());
            return Err(ExchangeError::damaged(&self.path, detail));
        };
        if tensor.count() == 0 {
            return Ok(Tensor::zeros(&tensor.size, (Kind::Float, tch::Device::Cpu)));
        }
        let line = Tensor::f_from_data_size(part, &[tensor.span() as i64], kind);
        let read = line.and_then(|line| line.f_as_strided(&tensor.size, &tensor.stride, 0));
        match read {
            Ok(read) => Ok(read.to_kind(Kind::Float).contiguous()),
            Err(error) => {
                Err(ExchangeError::damaged(&self.path, format!("tensor {shown}: {error}")))
            }
        }
    }

    fn keep_storage(&mut self, key: &str) -> Result<(), ExchangeError> {
        if self.last.as_ref().is_none_or(|(last, _)| last != key) {
            let name = format!("{}data/{key}", self.folder);
            // Dropped first: two large ones need not be there at once.
            self.last = None;
            let bytes = self.archive.read(&name, u64::MAX)?;
            self.last = Some((key.to_owned(), bytes));
        }
        Ok(())
    }

    fn find_tensors(&mut self) -> Result<(), ExchangeError> {
        let (pickled, root) = (&self.pickled, self.pickled.root());
        let nested = STATE_DICTS.iter().find_map(|key| pickled.get(root, key));
        let dict = nested.filter(|&id| pickled.items(id).is_some()).unwrap_or(root);
        let items = pickled.items(dict).unwrap_or_default();
        let mut tensors: Vec<(String, StoredTensor)> = Vec::new();
        for &(key, value) in items {
            let name = match pickled.value(key) {
                Value::Text(name) => name.clone(),
                other => format!("({})", other.kind()),
            };
            match pickled.tensor(value) {
                Some(tensor) => tensors.push((name, tensor.clone())),
                None => self.others.push(format!(
                    "{} ({})",
                    printable(&name),
                    pickled.value(value).kind()
                )),
            }
        }
        if tensors.is_empty() {
            let what = pickled.value(root).kind();
            return Err(ExchangeError::unsupported(
                &self.path,
                format!("it holds {what} without a state dict, a dictionary of tensors"),
                Some(
                    "weights are expected as torch.save(model.state_dict(), ...) or open_clip's training write them",
                ),
            ));
        }
        // As in Python, what is set again counts as it was set last.
        let mut places = std::collections::HashMap::new();
        for (place, (name, _)) in tensors.iter().enumerate() {
            places.insert(name.clone(), place);
        }
        let mut place = 0;
        tensors.retain(|(name, _)| {
            place += 1;
            places[name] == place - 1
        });
        self.tensors = tensors;
        Ok(())
    }
}

/// A value's number, where it is a whole one or a tensor of one number.
pub(super) fn scalar(file: &mut TorchFile, id: Id) -> Result<Option<f64>, ExchangeError> {
    match file.pickled.value(id).clone() {
        Value::Int(number) => Ok(Some(number as f64)),
        Value::Float(number) => Ok(Some(number)),
        Value::Tensor(tensor) if tensor.count() == 1 => {
            let read = file.read("step", &tensor)?;
            Ok(Some(read.reshape([-1]).double_value(&[0])))
        }
        _ => Ok(None),
    }
}

fn told(path: &Path, error: PickleError) -> ExchangeError {
    let shown = |text: String| {
        let text: String = text.chars().take(SHOWN).collect();
        printable(&text).into_owned()
    };
    match error {
        PickleError::Foreign(asked) => {
            ExchangeError::Foreign { path: path.into(), asked: shown(asked) }
        }
        PickleError::Damaged(detail) => ExchangeError::damaged(path, shown(detail)),
    }
}

/// Why a file is not read that is no archive.
fn not_an_archive(path: &Path) -> Result<ExchangeError, ExchangeError> {
    use std::io::Read;
    let mut first = Vec::new();
    let file = std::fs::File::open(path).map_err(ExchangeError::io(path))?;
    file.take(OLD.len() as u64).read_to_end(&mut first).map_err(ExchangeError::io(path))?;
    if first == OLD {
        return Ok(ExchangeError::unsupported(
            path,
            "written by PyTorch before version 1.6, without an archive",
            Some("load it with any newer PyTorch where you trust it, and save it again"),
        ));
    }
    Ok(ExchangeError::damaged(path, "neither safetensors nor an archive as torch.save writes it"))
}
