//! Types of which a record's columns are made, each with its Arrow type.

use std::{marker::PhantomData, sync::Arc};

use arrow::{
    array::{
        Array, ArrayBuilder, ArrayRef, AsArray, FixedSizeBinaryArray, FixedSizeBinaryBuilder,
        ListArray, ListBuilder, PrimitiveArray, PrimitiveBuilder, RecordBatch, StringArray,
        StringBuilder,
    },
    datatypes::{ArrowPrimitiveType, DataType, Field, Float64Type, UInt32Type, UInt64Type},
    error::ArrowError,
};

/// A value of a column.
pub(crate) trait Value: Default {
    type Builder: ArrayBuilder;
    type Array: Array + Clone + 'static;
    fn data_type() -> DataType;
    fn builder() -> Self::Builder;
    fn append(builder: &mut Self::Builder, value: Option<&Self>) -> Result<(), ArrowError>;
    fn get(array: &Self::Array, row: usize) -> Self;
}

/// What a record's field holds: a value where the column is required, `Option` of a value where it is nullable.
pub(crate) trait Cell {
    type Value: Value;
    const NULLABLE: bool;
    fn value(&self) -> Option<&Self::Value>;
    fn from_value(value: Option<Self::Value>) -> Self;
}

impl<V: Value> Cell for V {
    type Value = V;
    const NULLABLE: bool = false;

    fn value(&self) -> Option<&V> {
        Some(self)
    }

    fn from_value(value: Option<V>) -> V {
        value.unwrap_or_default()
    }
}

impl<V: Value> Cell for Option<V> {
    type Value = V;
    const NULLABLE: bool = true;

    fn value(&self) -> Option<&V> {
        self.as_ref()
    }

    fn from_value(value: Option<V>) -> Option<V> {
        value
    }
}

impl Value for String {
    type Builder = StringBuilder;
    type Array = StringArray;

    fn data_type() -> DataType {
        DataType::Utf8
    }

    fn builder() -> StringBuilder {
        StringBuilder::new()
    }

    fn append(builder: &mut StringBuilder, value: Option<&String>) -> Result<(), ArrowError> {
        builder.append_option(value);
        Ok(())
    }

    fn get(array: &StringArray, row: usize) -> String {
        array.value(row).to_owned()
    }
}

/// Texts in their order, none of them null.
impl Value for Vec<String> {
    type Builder = ListBuilder<StringBuilder>;
    type Array = ListArray;

    fn data_type() -> DataType {
        DataType::List(Arc::new(text_item()))
    }

    fn builder() -> Self::Builder {
        ListBuilder::new(StringBuilder::new()).with_field(text_item())
    }

    fn append(builder: &mut Self::Builder, value: Option<&Self>) -> Result<(), ArrowError> {
        value.into_iter().flatten().for_each(|text| builder.values().append_value(text));
        builder.append(value.is_some());
        Ok(())
    }

    fn get(array: &ListArray, row: usize) -> Vec<String> {
        let texts = array.value(row);
        texts.as_string::<i32>().iter().map(|text| text.unwrap_or_default().to_owned()).collect()
    }
}

fn text_item() -> Field {
    Field::new("item", DataType::Utf8, false)
}

/// A SHA-256.
impl Value for [u8; 32] {
    type Builder = FixedSizeBinaryBuilder;
    type Array = FixedSizeBinaryArray;

    fn data_type() -> DataType {
        DataType::FixedSizeBinary(32)
    }

    fn builder() -> FixedSizeBinaryBuilder {
        FixedSizeBinaryBuilder::new(32)
    }

    fn append(
        builder: &mut FixedSizeBinaryBuilder,
        value: Option<&[u8; 32]>,
    ) -> Result<(), ArrowError> {
        match value {
            Some(bytes) => builder.append_value(bytes),
            None => {
                builder.append_null();
                Ok(())
            }
        }
    }

    fn get(array: &FixedSizeBinaryArray, row: usize) -> [u8; 32] {
        array.value(row).try_into().unwrap_or_default()
    }
}

macro_rules! number {
    ($($native:ty: $arrow:ty,)*) => {$(
        impl Value for $native {
            type Builder = PrimitiveBuilder<$arrow>;
            type Array = PrimitiveArray<$arrow>;

            fn data_type() -> DataType {
                <$arrow>::DATA_TYPE
            }

            fn builder() -> Self::Builder {
                PrimitiveBuilder::new()
            }

            fn append(builder: &mut Self::Builder, value: Option<&Self>) -> Result<(), ArrowError> {
                builder.append_option(value.copied());
                Ok(())
            }

            fn get(array: &Self::Array, row: usize) -> Self {
                array.value(row)
            }
        }
    )*};
}

number! {
    u32: UInt32Type,
    u64: UInt64Type,
    f64: Float64Type,
}

/// A column under construction.
pub(crate) struct ColumnBuilder<C: Cell>(<C::Value as Value>::Builder);

impl<C: Cell> ColumnBuilder<C> {
    pub(crate) fn new() -> Self {
        ColumnBuilder(C::Value::builder())
    }

    pub(crate) fn append(&mut self, cell: &C) -> Result<(), ArrowError> {
        C::Value::append(&mut self.0, cell.value())
    }

    pub(crate) fn finish(&mut self) -> ArrayRef {
        self.0.finish()
    }
}

/// A column as it was read.
pub(crate) struct ColumnArray<C: Cell> {
    array: <C::Value as Value>::Array,
    cell: PhantomData<C>,
}

impl<C: Cell> ColumnArray<C> {
    /// `None` where the batch does not have the column, or has it with another type.
    pub(crate) fn of(batch: &RecordBatch, name: &str) -> Option<Self> {
        let column = batch.column_by_name(name)?;
        let array = column.as_any().downcast_ref::<<C::Value as Value>::Array>()?;
        let array = (*column.data_type() == C::Value::data_type()).then(|| array.clone())?;
        Some(ColumnArray { array, cell: PhantomData })
    }

    /// A null of a required column is read as the type's default.
    pub(crate) fn get(&self, row: usize) -> C {
        C::from_value(self.array.is_valid(row).then(|| C::Value::get(&self.array, row)))
    }
}

/// Name and type of a column.
pub(crate) fn field<C: Cell>(name: &str) -> Field {
    Field::new(name, C::Value::data_type(), C::NULLABLE)
}
