//! A reader of pickles that knows tensors and containers, and executes nothing.
//!
//! A pickle is a program for a stack machine, and Python's reader lets it import and call whatever it names. This one has a
//! list of callables ([`known::Callable`]), each of which builds a value and does nothing else; a name that is not on it ends the
//! reading, before anything was looked up or called.
//!
//! Values stand in one list and point to one another by number, so that neither depth nor a value that holds itself costs stack or
//! time. Everything is bounded by [`machine::MAX_BYTES`] of pickle and [`machine::MAX_VALUES`]. Storages are only named here; their
//! bytes lie beside the pickle, in the archive.

mod callable;
mod error;
mod known;
mod machine;
#[cfg(test)]
mod tests;
mod value;

pub(super) use self::{
    error::PickleError,
    known::Element,
    machine::{MAX_BYTES, load},
    value::{Id, Pickled, StoredTensor, Value},
};
