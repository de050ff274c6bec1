//! What a pickle of weights may name.

use tch::Kind;

/// A callable that is known. Each builds a value and does nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::exchange) enum Callable {
    /// `torch._utils._rebuild_tensor_v2` and the older `_rebuild_tensor`.
    RebuildTensor,
    /// `torch._utils._rebuild_parameter`.
    RebuildParameter,
    /// `collections.OrderedDict`.
    OrderedDict,
    /// `torch.Size`.
    Size,
    /// `torch.FloatStorage` and its like: named by storages, never called.
    Storage(Element),
}

/// Kind of a storage's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::exchange) enum Element {
    /// `float64`
    Double,
    /// `float32`
    Float,
    /// `float16`
    Half,
    /// `bfloat16`
    BFloat16,
    /// `int64`
    Long,
    /// `int32`
    Int,
    /// `int16`
    Short,
    /// `int8`
    Char,
    /// `uint8`
    Byte,
    /// `bool`
    Bool,
}

impl Element {
    /// Bytes of one number.
    pub(in crate::exchange) fn bytes(self) -> u64 {
        match self {
            Element::Double | Element::Long => 8,
            Element::Float | Element::Int => 4,
            Element::Half | Element::BFloat16 | Element::Short => 2,
            Element::Char | Element::Byte | Element::Bool => 1,
        }
    }

    /// libtorch's name for it.
    pub(in crate::exchange) fn kind(self) -> Kind {
        match self {
            Element::Double => Kind::Double,
            Element::Float => Kind::Float,
            Element::Half => Kind::Half,
            Element::BFloat16 => Kind::BFloat16,
            Element::Long => Kind::Int64,
            Element::Int => Kind::Int,
            Element::Short => Kind::Int16,
            Element::Char => Kind::Int8,
            Element::Byte => Kind::Uint8,
            Element::Bool => Kind::Bool,
        }
    }
}
