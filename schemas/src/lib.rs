//! What a clipa data set is on disk, and pure functions over it.

pub mod image_column;
pub mod penn;
pub mod random;
pub mod reduction;
pub mod text;
