//! Tensors over memory that Rust allocated, without a copy.
#![allow(unsafe_code, reason = "hands Rust's memory to libtorch; Benefit and Soundness below")]

use std::ffi::c_void;

use tch::{Kind, Tensor};

use crate::{Error, ffi};

mod sealed {
    pub trait Sealed {
        /// Number of the kind in c10::ScalarType.
        const SCALAR_TYPE: i32;
    }
    impl Sealed for u8 {
        const SCALAR_TYPE: i32 = 0;
    }
    impl Sealed for i64 {
        const SCALAR_TYPE: i32 = 4;
    }
    impl Sealed for f32 {
        const SCALAR_TYPE: i32 = 6;
    }
}

/// A number that a tensor can hold as it lies in memory.
pub trait Element: sealed::Sealed + Send + 'static {
    /// The tensor's kind.
    const KIND: Kind;
}

impl Element for u8 {
    const KIND: Kind = Kind::Uint8;
}

impl Element for i64 {
    const KIND: Kind = Kind::Int64;
}

impl Element for f32 {
    const KIND: Kind = Kind::Float;
}

/// Makes a CPU tensor of `values`, in row-major order of `size`, without a copy; [`from_owner`] with a plain vector.
///
/// # Errors
/// The values do not fill the shape exactly.
pub fn from_owned<T: Element>(values: Vec<T>, size: &[i64]) -> Result<Tensor, Error> {
    from_owner(values, |values| values.as_mut_slice(), size)
}

/// Makes a CPU tensor over the numbers that `view` shows inside `owner`, in row-major order of `size`; nothing is
/// copied, and the owner is dropped when libtorch drops its last reference to them.
///
/// Benefit: a batch of images is built once, by the loader, in the memory that the model reads, and goes back to the
/// loader's pool afterwards.
/// Soundness: the owner is moved in and boxed, so nobody else can read, write, move or free what it holds; it is not
/// touched again until it is dropped, so the address stays; `view` borrows it mutably, so no other reference to the
/// numbers exists; and every bit pattern of the element types is valid.
///
/// # Errors
/// The values do not fill the shape exactly.
pub fn from_owner<T: Element, O: Send + 'static>(
    owner: O,
    view: impl for<'a> FnOnce(&'a mut O) -> &'a mut [T],
    size: &[i64],
) -> Result<Tensor, Error> {
    let mut owner = Box::new(owner);
    let values = view(&mut owner);
    let wanted = size
        .iter()
        .try_fold(1usize, |product, &side| product.checked_mul(usize::try_from(side).ok()?));
    if wanted != Some(values.len()) {
        return Err(Error::Shape { values: values.len(), size: size.to_vec() });
    }
    let data = values.as_mut_ptr().cast::<c_void>();
    let owner = Box::into_raw(owner).cast::<c_void>();
    // SAFETY: `data` points at as many elements of this kind as `size` says, checked above, which stay allocated
    // until libtorch calls `release::<O>(owner)`, exactly once, when the storage dies.
    let tensor = unsafe {
        ffi::tx_from_owned(
            data,
            size.as_ptr(),
            size.len() as i64,
            T::SCALAR_TYPE,
            release::<O>,
            owner,
        )
    };
    // Should libtorch have failed, the owner leaks: whether its deleter ran is not known, and freeing twice would
    // be worse.
    ffi::own(tensor)
}

/// Drops the owner of a tensor's memory.
extern "C" fn release<O>(owner: *mut c_void) {
    // SAFETY: `owner` came from `Box::<O>::into_raw` in `from_owner` with the same `O`, and libtorch calls the
    // deleter once. `O` is Send: the storage may die on any thread.
    drop(unsafe { Box::from_raw(owner.cast::<O>()) });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tensor_is_the_vectors_memory() {
        let values: Vec<u8> = (0..24).collect();
        let address = values.as_ptr() as usize;
        let tensor = from_owned(values, &[2, 3, 4]).unwrap();
        assert_eq!(tensor.data_ptr() as usize, address);
        assert_eq!((tensor.kind(), tensor.size()), (Kind::Uint8, vec![2, 3, 4]));
        assert_eq!(tensor.int64_value(&[1, 2, 3]), 23);
        // A view keeps the memory alive after the tensor itself is gone.
        let row = tensor.get(1);
        drop(tensor);
        assert_eq!(row.int64_value(&[0, 0]), 12);
    }

    /// The owner is dropped when the last view of the tensor is, and not before.
    #[test]
    fn an_owner_gets_its_memory_back() {
        struct Owner(Vec<u8>, std::sync::mpsc::Sender<Vec<u8>>);
        impl Drop for Owner {
            fn drop(&mut self) {
                self.1.send(std::mem::take(&mut self.0)).unwrap();
            }
        }
        let (sender, returned) = std::sync::mpsc::channel();
        let tensor = from_owner(Owner(vec![7; 6], sender), |owner| &mut owner.0, &[2, 3]).unwrap();
        let row = tensor.get(0);
        drop(tensor);
        assert!(returned.try_recv().is_err());
        drop(row);
        assert_eq!(returned.try_recv().unwrap(), [7; 6]);
    }

    #[test]
    fn every_element_kind_reads_back() {
        let ids = from_owned(vec![49406i64, -1], &[1, 2]).unwrap();
        assert_eq!((ids.kind(), ids.int64_value(&[0, 0])), (Kind::Int64, 49406));
        let values = from_owned(vec![0.5f32], &[1]).unwrap();
        assert_eq!((values.kind(), values.double_value(&[0])), (Kind::Float, 0.5));
        assert_eq!(from_owned(Vec::<u8>::new(), &[0, 3]).unwrap().size(), [0, 3]);
    }

    #[test]
    fn a_wrong_shape_is_refused() {
        for size in [&[2, 3][..], &[-1, 5], &[i64::MAX, i64::MAX], &[]] {
            assert!(matches!(from_owned(vec![0u8; 5], size), Err(Error::Shape { .. })), "{size:?}");
        }
    }
}
