//! The callables that a pickle of weights may name, and what becomes of a call.

use super::{
    error::PickleError,
    known::{Callable, Element},
    value::{Id, Storage, StoredTensor, Value},
};

/// Most sides of a tensor; weights have at most four.
const MAX_SIDES: usize = 8;
/// Longest name of a storage, in bytes; PyTorch counts them.
const MAX_KEY_BYTES: usize = 32;

impl Callable {
    /// The callable of a module's name.
    ///
    /// # Errors
    /// [`PickleError::Foreign`] with the name, for all that is not on the list.
    pub(super) fn named(module: &str, name: &str) -> Result<Callable, PickleError> {
        let storage = |element| Ok(Callable::Storage(element));
        match (module, name) {
            ("torch._utils", "_rebuild_tensor_v2" | "_rebuild_tensor") => {
                Ok(Callable::RebuildTensor)
            }
            ("torch._utils", "_rebuild_parameter") => Ok(Callable::RebuildParameter),
            ("collections", "OrderedDict") => Ok(Callable::OrderedDict),
            ("torch", "Size") => Ok(Callable::Size),
            ("torch", "DoubleStorage") => storage(Element::Double),
            ("torch", "FloatStorage") => storage(Element::Float),
            ("torch", "HalfStorage") => storage(Element::Half),
            ("torch", "BFloat16Storage") => storage(Element::BFloat16),
            ("torch", "LongStorage") => storage(Element::Long),
            ("torch", "IntStorage") => storage(Element::Int),
            ("torch", "ShortStorage") => storage(Element::Short),
            ("torch", "CharStorage") => storage(Element::Char),
            ("torch", "ByteStorage") => storage(Element::Byte),
            ("torch", "BoolStorage") => storage(Element::Bool),
            _ => PickleError::foreign(format!("{module}.{name}")),
        }
    }

    /// What a call returns; its arguments are those of a tuple.
    ///
    /// # Errors
    /// Arguments that PyTorch never writes.
    pub(super) fn called(self, values: &[Value], arguments: &[Id]) -> Result<Value, PickleError> {
        let value = |id: &Id| &values[id.0 as usize];
        match self {
            Callable::RebuildTensor => tensor(values, arguments),
            Callable::RebuildParameter => match arguments.first().map(value) {
                Some(Value::Tensor(tensor)) => Ok(Value::Tensor(tensor.clone())),
                _ => PickleError::damaged("a parameter that is made of no tensor"),
            },
            Callable::Size => match arguments.first().map(value) {
                Some(Value::Tuple(items) | Value::List(items)) if items.len() <= MAX_SIDES => {
                    Ok(Value::Tuple(items.clone()))
                }
                _ => PickleError::damaged("a torch.Size that is made of no tuple of sides"),
            },
            Callable::OrderedDict => {
                let items = match arguments.first().map(value) {
                    None => Vec::new(),
                    Some(Value::List(pairs)) => pairs
                        .iter()
                        .map(|id| match value(id) {
                            Value::Tuple(pair) | Value::List(pair) if pair.len() == 2 => {
                                Ok((pair[0], pair[1]))
                            }
                            _ => PickleError::damaged("an OrderedDict that is made of no pairs"),
                        })
                        .collect::<Result<_, _>>()?,
                    Some(_) => return PickleError::damaged("an OrderedDict of no list"),
                };
                Ok(Value::Dict { items, is_ordered: true })
            }
            Callable::Storage(_) => PickleError::foreign("a call of a torch storage's class"),
        }
    }
}

/// The storage that a persistent id names: `('storage', class, key, device, count)`.
pub(super) fn storage(values: &[Value], id: Id) -> Result<Storage, PickleError> {
    let value = |id: Id| &values[id.0 as usize];
    let Value::Tuple(parts) = value(id) else {
        return PickleError::damaged("a persistent id that is no tuple");
    };
    let parts: Vec<&Value> = parts.iter().map(|&part| value(part)).collect();
    let [
        Value::Text(what),
        Value::Callable(class),
        Value::Text(key),
        Value::Text(_),
        Value::Int(count),
    ] = parts.as_slice()
    else {
        return PickleError::damaged("a persistent id that is no storage's");
    };
    let Callable::Storage(element) = *class else {
        return PickleError::damaged("a storage of no kind");
    };
    let is_name = !key.is_empty()
        && key.len() <= MAX_KEY_BYTES
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if what != "storage" || !is_name {
        return PickleError::damaged("a storage without a name");
    }
    match u64::try_from(*count) {
        Ok(count) => Ok(Storage { key: key.clone(), element, count }),
        Err(_) => PickleError::damaged(format!("a storage of {count} numbers")),
    }
}

/// `(storage, offset, size, stride, ...)`; whether gradients are wanted, and hooks, say nothing of its numbers.
fn tensor(values: &[Value], arguments: &[Id]) -> Result<Value, PickleError> {
    let value = |id: &Id| &values[id.0 as usize];
    let parts: Vec<&Value> = arguments.iter().take(4).map(value).collect();
    let [Value::Storage(storage), Value::Int(offset), Value::Tuple(size), Value::Tuple(stride)] =
        parts.as_slice()
    else {
        return PickleError::damaged("a tensor that is made of no storage, place, size and stride");
    };
    if size.len() != stride.len() || size.len() > MAX_SIDES {
        return PickleError::damaged(format!(
            "a tensor of {} sides and {} strides",
            size.len(),
            stride.len()
        ));
    }
    let numbers = |ids: &[Id]| {
        let number = |id: &Id| match value(id) {
            Value::Int(number) if *number >= 0 => Ok(*number),
            _ => PickleError::damaged("a tensor's side or stride is no number of 0 or above"),
        };
        ids.iter().map(number).collect::<Result<Vec<i64>, PickleError>>()
    };
    let (size, stride) = (numbers(size)?, numbers(stride)?);
    let outside = || {
        PickleError::damaged(format!(
            "a tensor of size {size:?} reaches beyond its storage of {} numbers",
            storage.count
        ))
    };
    let Ok(offset) = u64::try_from(*offset) else { return outside() };
    let product = size.iter().try_fold(1i64, |product, &side| product.checked_mul(side));
    let last = size.iter().zip(&stride).try_fold(0i64, |last, (&side, &stride)| {
        last.checked_add((side.max(1) - 1).checked_mul(stride)?)
    });
    let (Some(product), Some(last)) = (product, last) else { return outside() };
    let end = (last as u64).checked_add(offset);
    let is_inside = end.is_some_and(|end| end < storage.count);
    // A view that repeats numbers would be larger than its file.
    if product > 0 && (!is_inside || product as u64 > storage.count) {
        return outside();
    }
    Ok(Value::Tensor(StoredTensor { storage: storage.clone(), offset, size, stride }))
}
