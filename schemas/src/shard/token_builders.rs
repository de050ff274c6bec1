//! Token columns under construction.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, ListBuilder, StructArray, UInt16Builder},
    datatypes::DataType,
};

use super::layout::{item_field, token_fields};
use crate::text::TokenizedText;

/// Builders of one `Struct{tokens, word_tokens, word_lengths}` column.
pub(crate) struct TokenBuilders {
    lists: [ListBuilder<UInt16Builder>; 3],
}

impl TokenBuilders {
    pub(crate) fn new() -> TokenBuilders {
        let lists = std::array::from_fn(|_| list_builder(UInt16Builder::new(), DataType::UInt16));
        TokenBuilders { lists }
    }

    pub(crate) fn append(&mut self, text: &TokenizedText) {
        for (list, values) in
            self.lists.iter_mut().zip([&text.tokens, &text.word_tokens, &text.word_lengths])
        {
            list.values().append_slice(values);
            list.append(true);
        }
    }

    pub(crate) fn finish(&mut self) -> StructArray {
        let columns = self.lists.iter_mut().map(|list| Arc::new(list.finish()) as ArrayRef);
        StructArray::new(token_fields(), columns.collect(), None)
    }
}

pub(crate) fn list_builder<B: arrow::array::ArrayBuilder>(
    values: B,
    kind: DataType,
) -> ListBuilder<B> {
    ListBuilder::new(values).with_field(item_field(kind))
}
