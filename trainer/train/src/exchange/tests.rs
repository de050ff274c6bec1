//! Archives with tensors made by hand: what is read, what is refused, and that no flipped bit becomes another number.

use std::{collections::BTreeMap, fs, path::Path};

use clipa_tests::{Pickle, TorchTensor, state_dict, write_archive};
use tch::Tensor;

use super::{error::ExchangeError, opened::Opened};

fn tensor(name: &str, shape: &[i64]) -> TorchTensor {
    let count = shape.iter().product::<i64>();
    let values = (0..count).map(|at| at as f32 * 0.25 - 1.0).collect();
    TorchTensor { name: name.to_owned(), shape: shape.to_vec(), values }
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// An archive of two tensors, wrapped as distributed training wraps them.
fn archive(path: &Path) {
    let tensors =
        [tensor("module.visual.proj", &[2, 3]), tensor("module.text.ln_final.bias", &[3])];
    let pickle = state_dict(Pickle::new(), &tensors, 0).end();
    let storages = tensors.map(|tensor| bytes(&tensor.values));
    write_archive(path, &pickle, &storages);
}

fn read(path: &Path) -> Result<BTreeMap<String, Vec<f32>>, ExchangeError> {
    let flat = |tensor: Tensor| Vec::<f32>::try_from(tensor.reshape([-1])).unwrap();
    let tensors = Opened::open(path)?.tensors()?;
    Ok(tensors.into_iter().map(|(name, tensor)| (name, flat(tensor))).collect())
}

#[test]
fn a_state_dict_is_read_under_its_canonical_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pt");
    archive(&path);
    let read = read(&path).unwrap();
    assert_eq!(read["visual.proj"], [-1.0, -0.75, -0.5, -0.25, 0.0, 0.25]);
    assert_eq!(read["ln_final.bias"], [-1.0, -0.75, -0.5]);
    assert_eq!(read.len(), 2);
}

#[test]
fn views_kinds_and_shared_storages_become_what_they_show() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pt");
    let view = |pickle: Pickle,
                name: &str,
                class: &str,
                key: &str,
                count,
                offset,
                size: &[i64],
                stride: &[i64]| {
        pickle.text(name).tensor((class, key, count), offset, size, stride)
    };
    let mut pickle = Pickle::new().raw(b"}(");
    pickle = view(pickle, "whole", "FloatStorage", "0", 6, 0, &[2, 3], &[3, 1]);
    pickle = view(pickle, "transposed", "FloatStorage", "0", 6, 0, &[3, 2], &[1, 3]);
    pickle = view(pickle, "column", "FloatStorage", "0", 6, 1, &[2], &[3]);
    pickle = view(pickle, "half", "HalfStorage", "1", 2, 0, &[2], &[1]);
    pickle = view(pickle, "bfloat", "BFloat16Storage", "2", 2, 0, &[2], &[1]);
    pickle = view(pickle, "double", "DoubleStorage", "3", 1, 0, &[], &[]);
    pickle = view(pickle, "empty", "FloatStorage", "0", 6, 0, &[0, 4], &[4, 1]);
    let storages = [
        bytes(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
        [0x3c00u16, 0xc000].iter().flat_map(|half| half.to_le_bytes()).collect(),
        [0x3f80u16, 0xc000].iter().flat_map(|half| half.to_le_bytes()).collect(),
        (-0.5f64).to_le_bytes().to_vec(),
    ];
    write_archive(&path, &pickle.raw(b"u").end(), &storages);
    let read = read(&path).unwrap();
    for (name, expected) in [
        ("whole", &[1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0][..]),
        ("transposed", &[1.0, 4.0, 2.0, 5.0, 3.0, 6.0]),
        ("column", &[2.0, 5.0]),
        ("half", &[1.0, -2.0]),
        ("bfloat", &[1.0, -2.0]),
        ("double", &[-0.5]),
        ("empty", &[]),
    ] {
        assert_eq!(read[name], expected, "{name}");
    }
}

#[test]
fn what_is_no_state_dict_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pt");
    let message = |pickle: Pickle, storages: &[Vec<u8>]| {
        write_archive(&path, &pickle.end(), storages);
        read(&path).unwrap_err().to_string()
    };
    let error = message(Pickle::new().raw(b"}").text("epoch").int(1).raw(b"s"), &[]);
    assert!(error.contains("a dictionary without a state dict"), "{error}");
    let integers = Pickle::new().raw(b"}").text("w").tensor(("LongStorage", "0", 1), 0, &[1], &[1]);
    let error = message(integers.raw(b"s"), &[vec![0; 8]]);
    assert!(error.contains("tensor w is of type Int64"), "{error}");
    let one = || Pickle::new().raw(b"}").text("w").tensor(("FloatStorage", "0", 4), 0, &[4], &[1]);
    let error = message(one().raw(b"s"), &[vec![0; 12]]);
    assert!(error.contains("the storage of w has 12 bytes, not 16"), "{error}");
    let error = message(one().raw(b"s"), &[]);
    assert!(error.contains("archive/data/0 is not in it"), "{error}");
    fs::write(&path, b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02").unwrap();
    assert!(read(&path).unwrap_err().to_string().contains("before version 1.6"));
    fs::write(&path, b"<!DOCTYPE html>").unwrap();
    assert!(read(&path).unwrap_err().to_string().contains("neither safetensors nor an archive"));
}

#[test]
fn an_archive_that_is_cut_anywhere_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pt");
    archive(&path);
    let whole = fs::read(&path).unwrap();
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(read(&path).is_err(), "{length}");
    }
}

#[test]
fn a_flipped_bit_of_an_archive_is_an_error_or_changes_no_number() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pt");
    archive(&path);
    let expected = read(&path).unwrap();
    let whole = fs::read(&path).unwrap();
    let mut errors = 0;
    for place in 0..whole.len() {
        for bit in [0, 3, 7] {
            let mut flipped = whole.clone();
            flipped[place] ^= 1 << bit;
            fs::write(&path, &flipped).unwrap();
            match read(&path) {
                Ok(found) => assert_eq!(found, expected, "byte {place}, bit {bit}"),
                Err(_) => errors += 1,
            }
        }
    }
    // Times, attributes and names that stand twice mean nothing.
    assert!(errors > whole.len() * 3 / 2, "{errors} of {}", whole.len() * 3);
}

#[test]
fn a_list_of_several_files_is_read_and_what_it_promises_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let part = |name: &str, tensor: &str, value: f32| {
        let tensors = vec![(tensor.to_owned(), Tensor::from_slice(&[value]))];
        crate::checkpoint::tensors::write(&place(name), tensors).unwrap();
    };
    part("model-00001-of-00002.safetensors", "a", 1.0);
    part("model-00002-of-00002.safetensors", "module.b", 2.0);
    let index = place("model.safetensors.index.json");
    let list = |b: &str| {
        format!(
            r#"{{"metadata": {{}}, "weight_map": {{"a": "model-00001-of-00002.safetensors", {b}}}}}"#
        )
    };
    fs::write(&index, list(r#""module.b": "model-00002-of-00002.safetensors""#)).unwrap();
    let found = read(&index).unwrap();
    assert_eq!((found["a"][0], found["b"][0]), (1.0, 2.0));
    for (b, said) in [
        (
            r#""module.b": "model-00003-of-00002.safetensors""#,
            "00003-of-00002.safetensors is not there",
        ),
        (r#""module.b": "../model-00002-of-00002.safetensors""#, "is no file beside it"),
        (r#""module.b": "/etc/passwd""#, "is no file beside it"),
        (
            r#""c": "model-00002-of-00002.safetensors""#,
            "lacks 1 tensors that the list says it has, c",
        ),
    ] {
        fs::write(&index, list(b)).unwrap();
        let error = read(&index).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}
