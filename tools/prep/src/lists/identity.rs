//! What a sample can be listed by, and the 128 bits under which it is compared.

use sha2::{Digest, Sha256};

use super::url::normalised;

/// What a sample can be listed by; `None` is never listed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Identity<'s> {
    /// Where the image came from.
    pub url: Option<&'s str>,
    /// Of the image on the web, from its metadata.
    pub sha256: Option<&'s [u8; 32]>,
    /// Of the image on the web, from its metadata.
    pub md5: Option<&'s [u8; 16]>,
    /// SHA-256 of the image that was read.
    pub image_hash: Option<&'s [u8; 32]>,
    /// Its key.
    pub key: Option<&'s str>,
}

pub(super) fn first_half(hash: &[u8; 32]) -> u128 {
    let (half, _) = hash.split_first_chunk::<16>().expect("a SHA-256 has 32 bytes");
    u128::from_be_bytes(*half)
}

pub(super) fn of_text(text: &str) -> u128 {
    first_half(&Sha256::digest(text.as_bytes()).into())
}

pub(super) fn of_url(url: &str) -> u128 {
    of_text(&normalised(url))
}
