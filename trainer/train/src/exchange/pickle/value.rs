//! What a pickle holds.

use super::known::{Callable, Element};

/// A value's number in its pickle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::exchange) struct Id(pub(super) u32);

/// A value; what it holds is named by number.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::exchange) enum Value {
    /// Python's `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// A string.
    Text(String),
    /// A list.
    List(Vec<Id>),
    /// A tuple.
    Tuple(Vec<Id>),
    /// A dictionary, in the order in which it was filled.
    Dict {
        /// Keys and values; a key that comes again counts as it comes last.
        items: Vec<(Id, Id)>,
        /// Is it an `OrderedDict`, which may carry attributes?
        is_ordered: bool,
    },
    /// One of the callables of the list.
    Callable(Callable),
    /// The numbers that tensors are views of.
    Storage(Storage),
    /// A tensor, as a view of a storage.
    Tensor(StoredTensor),
}

/// A storage: numbers of one kind, in a file of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::exchange) struct Storage {
    /// Name of the file.
    pub(in crate::exchange) key: String,
    /// Kind of its numbers.
    pub(in crate::exchange) element: Element,
    /// How many there are.
    pub(in crate::exchange) count: u64,
}

/// A view of a storage, whose bounds have been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::exchange) struct StoredTensor {
    /// What it is a view of.
    pub(in crate::exchange) storage: Storage,
    /// Its first number's place.
    pub(in crate::exchange) offset: u64,
    /// Sides.
    pub(in crate::exchange) size: Vec<i64>,
    /// Numbers between neighbours along each side.
    pub(in crate::exchange) stride: Vec<i64>,
}

/// A pickle that was read.
#[derive(Debug)]
pub(in crate::exchange) struct Pickled {
    pub(super) values: Vec<Value>,
    pub(super) root: Id,
}

impl Pickled {
    /// The outermost value.
    pub(in crate::exchange) fn root(&self) -> Id {
        self.root
    }

    /// The value of a number.
    pub(in crate::exchange) fn value(&self, id: Id) -> &Value {
        &self.values[id.0 as usize]
    }

    /// Keys and values of a dictionary; `None` for anything else.
    pub(in crate::exchange) fn items(&self, id: Id) -> Option<&[(Id, Id)]> {
        match self.value(id) {
            Value::Dict { items, .. } => Some(items),
            _ => None,
        }
    }

    /// The value under a string in a dictionary.
    pub(in crate::exchange) fn get(&self, dict: Id, key: &str) -> Option<Id> {
        let is_key = |id: Id| matches!(self.value(id), Value::Text(text) if text == key);
        self.items(dict)?.iter().rev().find(|(name, _)| is_key(*name)).map(|(_, value)| *value)
    }

    /// The items of a list or a tuple.
    pub(in crate::exchange) fn sequence(&self, id: Id) -> Option<&[Id]> {
        match self.value(id) {
            Value::List(items) | Value::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// A whole number.
    pub(in crate::exchange) fn int(&self, id: Id) -> Option<i64> {
        match self.value(id) {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// A tensor.
    pub(in crate::exchange) fn tensor(&self, id: Id) -> Option<&StoredTensor> {
        match self.value(id) {
            Value::Tensor(tensor) => Some(tensor),
            _ => None,
        }
    }
}

impl Value {
    /// What it is, for a message.
    pub(in crate::exchange) fn kind(&self) -> &'static str {
        match self {
            Value::None => "None",
            Value::Bool(_) => "a truth value",
            Value::Int(_) | Value::Float(_) => "a number",
            Value::Text(_) => "a string",
            Value::List(_) => "a list",
            Value::Tuple(_) => "a tuple",
            Value::Dict { .. } => "a dictionary",
            Value::Callable(_) => "a function",
            Value::Storage(_) => "a storage",
            Value::Tensor(_) => "a tensor",
        }
    }
}

impl StoredTensor {
    /// Numbers in it.
    pub(in crate::exchange) fn count(&self) -> u64 {
        self.size.iter().map(|&side| side.unsigned_abs()).product()
    }

    /// Places of the storage from its first number to its last; 0 where it has none.
    pub(in crate::exchange) fn span(&self) -> u64 {
        if self.count() == 0 {
            return 0;
        }
        let last = self.size.iter().zip(&self.stride).map(|(side, stride)| (side - 1) * stride);
        last.sum::<i64>().unsigned_abs() + 1
    }
}
