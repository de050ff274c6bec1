//! clipa-train: CLIP models trained with CLIPA's reduced token lengths.

pub mod loss;
pub mod model;
pub mod optimizer;
pub mod recipe;
pub mod schedule;
pub mod stream;
