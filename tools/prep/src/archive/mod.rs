//! From a tar on disk to raw samples.
//!
//! ```text
//! inputs ──► TarIndex::read ──► samples in tar order ──► read_member ──► bytes
//!            headers only        grouped by key           by offset       Sidecar::parse (.json)
//! ```
//!
//! Nothing is dropped silently: a member is in a sample or in [`TarIndex::loose`], other bytes are in
//! [`TarIndex::damage`] or behind [`TarIndex::end`].

mod error;
mod header;
mod index;
pub mod inputs;
mod pax;
mod sample;
pub mod sidecar;
mod source;
#[cfg(test)]
mod tests;
mod walk;

pub use error::ArchiveError;
pub use index::TarIndex;
pub use sample::{
    CaptionMember, IMAGE_SUFFIXES, Loose, LooseReason, MemberId, SampleEntry, readable,
};
pub use walk::{Damage, DamageKind, MAX_EXTENSION_BYTES, MAX_MEMBERS, Member, MemberKind, TarEnd};
