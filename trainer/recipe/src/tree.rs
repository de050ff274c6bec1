//! Steps through a recipe's TOML while it keeps the places of its text.

use toml::de::{DeArray, DeTable, DeValue};

/// The table that a value is.
pub(super) fn table_mut<'v, 't>(value: &'v mut DeValue<'t>) -> Option<&'v mut DeTable<'t>> {
    match value {
        DeValue::Table(table) => Some(table),
        _ => None,
    }
}

/// The recipe's array of stages.
pub(super) fn stages_mut<'v, 't>(recipe: &'v mut DeTable<'t>) -> Option<&'v mut DeArray<'t>> {
    match recipe.get_mut("stage")?.get_mut() {
        DeValue::Array(stages) => Some(stages),
        _ => None,
    }
}
