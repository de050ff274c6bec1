//! Files as PyTorch writes them, made by hand: pickles instruction by instruction, and archives that store their members.

use std::path::Path;

/// A pickle under construction.
#[derive(Clone, Debug, Default)]
pub struct Pickle {
    bytes: Vec<u8>,
}

/// A tensor of f32 that is a storage of its own, contiguous unless `stride` says otherwise.
#[derive(Clone, Debug)]
pub struct TorchTensor {
    /// Its name in the state dict.
    pub name: String,
    /// Sides.
    pub shape: Vec<i64>,
    /// Its numbers, as they lie in the storage.
    pub values: Vec<f32>,
}

impl Pickle {
    /// A pickle of protocol 2, which is PyTorch's.
    pub fn new() -> Self {
        Self::default().raw(b"\x80\x02")
    }

    /// Instructions as they are.
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// A string.
    pub fn text(self, text: &str) -> Self {
        let length = u32::try_from(text.len()).expect("a short text").to_le_bytes();
        self.raw(b"X").raw(&length).raw(text.as_bytes())
    }

    /// A whole number.
    pub fn int(self, number: i64) -> Self {
        match i32::try_from(number) {
            Ok(number) => self.raw(b"J").raw(&number.to_le_bytes()),
            Err(_) => self.raw(b"\x8a\x08").raw(&number.to_le_bytes()),
        }
    }

    /// A function or class by its name.
    pub fn global(self, module: &str, name: &str) -> Self {
        self.raw(b"c").raw(module.as_bytes()).raw(b"\n").raw(name.as_bytes()).raw(b"\n")
    }

    /// A tuple of whole numbers.
    pub fn ints(self, numbers: &[i64]) -> Self {
        numbers.iter().fold(self.raw(b"("), |pickle, &number| pickle.int(number)).raw(b"t")
    }

    /// A view of the storage `key`, which holds `count` numbers of a class such as `FloatStorage`.
    pub fn tensor(
        self,
        (class, key, count): (&str, &str, i64),
        offset: i64,
        size: &[i64],
        stride: &[i64],
    ) -> Self {
        self.global("torch._utils", "_rebuild_tensor_v2")
            .raw(b"((")
            .text("storage")
            .global("torch", class)
            .text(key)
            .text("cpu")
            .int(count)
            .raw(b"tQ")
            .int(offset)
            .ints(size)
            .ints(stride)
            .raw(b"\x89")
            .global("collections", "OrderedDict")
            .raw(b")RtR")
    }

    /// The bytes, with the last instruction.
    pub fn end(self) -> Vec<u8> {
        self.raw(b".").bytes
    }
}

/// Numbers between neighbours of a contiguous tensor.
fn strides(shape: &[i64]) -> Vec<i64> {
    (0..shape.len()).map(|side| shape[side + 1..].iter().product()).collect()
}

fn little_endian(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// The state dict of a module, an `OrderedDict` with the attribute `_metadata`; storages are numbered from `first` on.
pub fn state_dict(pickle: Pickle, tensors: &[TorchTensor], first: usize) -> Pickle {
    let pickle = pickle.global("collections", "OrderedDict").raw(b")R(");
    let pickle = tensors.iter().enumerate().fold(pickle, |pickle, (place, tensor)| {
        let count = tensor.values.len() as i64;
        let key = (first + place).to_string();
        pickle.text(&tensor.name).tensor(
            ("FloatStorage", &key, count),
            0,
            &tensor.shape,
            &strides(&tensor.shape),
        )
    });
    pickle.raw(b"u}").text("_metadata").global("collections", "OrderedDict").raw(b")Rsb")
}

/// Writes an archive as `torch.save` does, with this pickle and these storages.
pub fn write_archive(path: &Path, pickle: &[u8], storages: &[Vec<u8>]) {
    let mut members = vec![("archive/data.pkl".to_owned(), pickle.to_vec())];
    members.push(("archive/byteorder".to_owned(), b"little".to_vec()));
    members.extend(
        storages
            .iter()
            .enumerate()
            .map(|(key, bytes)| (format!("archive/data/{key}"), bytes.clone())),
    );
    members.push(("archive/version".to_owned(), b"3\n".to_vec()));
    std::fs::write(path, zip(&members)).expect("an archive can be written");
}

/// Writes a checkpoint as open_clip's training does: epoch, name, state dict, and the optimizer's two groups of parameters, which are
/// named by their places in `tensors`; every moment is its parameter's values times 2 and 3.
pub fn write_checkpoint(path: &Path, tensors: &[TorchTensor], groups: [&[usize]; 2], steps: u32) {
    let mut storages: Vec<Vec<u8>> =
        tensors.iter().map(|tensor| little_endian(&tensor.values)).collect();
    let pickle = Pickle::new().raw(b"}(").text("epoch").int(1).text("name").text("a run");
    let mut pickle = state_dict(pickle.text("state_dict"), tensors, 0);
    pickle = pickle.text("optimizer").raw(b"}(").text("state").raw(b"}(");
    let order: Vec<usize> = groups.concat();
    for (number, &place) in order.iter().enumerate() {
        let tensor = &tensors[place];
        pickle = pickle.int(number as i64).raw(b"}(").text("step");
        let key = storages.len().to_string();
        storages.push(little_endian(&[steps as f32]));
        pickle = pickle.tensor(("FloatStorage", &key, 1), 0, &[], &[]);
        for (name, factor) in [("exp_avg", 2.0), ("exp_avg_sq", 3.0)] {
            let key = storages.len().to_string();
            let values: Vec<f32> = tensor.values.iter().map(|value| value * factor).collect();
            storages.push(little_endian(&values));
            let count = values.len() as i64;
            pickle = pickle.text(name).tensor(
                ("FloatStorage", &key, count),
                0,
                &tensor.shape,
                &strides(&tensor.shape),
            );
        }
        pickle = pickle.raw(b"u");
    }
    pickle = pickle.raw(b"u").text("param_groups").raw(b"](");
    let mut first = 0;
    for group in groups {
        let numbers: Vec<i64> = (first..first + group.len() as i64).collect();
        first += group.len() as i64;
        pickle = pickle.raw(b"}(").text("lr").raw(b"G").raw(&1e-3f64.to_be_bytes()).text("params");
        pickle = numbers.iter().fold(pickle.raw(b"]("), |pickle, &number| pickle.int(number));
        pickle = pickle.raw(b"eu");
    }
    write_archive(path, &pickle.raw(b"euu").end(), &storages);
}

/// An archive whose members are stored as they are.
fn zip(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in members {
        let mut common = Vec::new();
        common.extend([20, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        common.extend(crc32(content).to_le_bytes());
        let length = u32::try_from(content.len()).expect("a small member").to_le_bytes();
        common.extend([length, length].concat());
        common.extend(u16::try_from(name.len()).expect("a short name").to_le_bytes());
        common.extend([0, 0]);
        let place = u32::try_from(bytes.len()).expect("a small archive").to_le_bytes();
        bytes.extend(b"PK\x03\x04");
        bytes.extend(&common);
        bytes.extend(name.as_bytes());
        bytes.extend(content);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend(place);
        directory.extend(name.as_bytes());
    }
    let count = u16::try_from(members.len()).expect("few members").to_le_bytes();
    let start = u32::try_from(bytes.len()).expect("a small archive").to_le_bytes();
    let length = u32::try_from(directory.len()).expect("a small list").to_le_bytes();
    bytes.extend(directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend([count, count].concat());
    bytes.extend([length, start].concat());
    bytes.extend([0, 0]);
    bytes
}

/// CRC-32 bit by bit, as the standard defines it.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |state: u32| if state & 1 == 1 { state >> 1 ^ 0xEDB8_8320 } else { state >> 1 };
    !bytes
        .iter()
        .fold(u32::MAX, |state, &byte| (0..8).fold(state ^ u32::from(byte), |state, _| step(state)))
}
