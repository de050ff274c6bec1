//! From a tar on disk to raw samples.
//!
//! ```text
//! inputs ──► TarIndex::read ──► samples in tar order ──► read_member ──► bytes
//!            headers only        grouped by key           by offset       Sidecar::parse (.json)
//! ```
//!
//! A compressed tar is unpacked into a scratch file first. Nothing is dropped silently: a member is in a sample or in [`TarIndex::loose`], other bytes are in
//! [`TarIndex::damage`] or behind [`TarIndex::end`].

mod cut;
mod error;
mod gzip;
mod header;
mod index;
pub mod inputs;
mod names;
pub mod passed_over;
mod pax;
mod sample;
pub mod sidecar;
mod source;
#[cfg(test)]
mod tests;
mod walk;

pub use error::ArchiveError;
pub use gzip::MAX_UNPACKED_BYTES;
pub use index::TarIndex;
pub use names::{IMAGE_SUFFIXES, is_named_as_image, readable, shown_suffix};
pub use pax::MAX_NAME_BYTES;
pub use sample::{CaptionMember, Loose, LooseReason, MemberId, SampleEntry};
pub use walk::{
    Damage, DamageKind, MAX_EXTENSION_BYTES, MAX_MEMBERS, MAX_NAMES_BYTES, Member, MemberKind,
    TarEnd,
};
