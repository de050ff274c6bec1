//! Zip archives as PyTorch writes them: members stored as they are, with their checksums.

use std::{
    collections::BTreeMap,
    fs::File,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use super::error::ExchangeError;

/// Longest list of members, in bytes; bigG's checkpoint with its optimizer has 7,500 of 100 bytes.
const MAX_DIRECTORY_BYTES: u64 = 64 << 20;
/// The end of the list of members and the longest comment behind it.
const END_BYTES: u64 = 22 + 65_535;
/// Bytes of the fixed parts: end, its locator and itself in 64 bits, a member in the list, a member's own header.
const END: usize = 22;
const LOCATOR: usize = 20;
const END_64: usize = 56;
const LISTED: usize = 46;
const MEMBER: usize = 30;

/// An archive whose list of members was read.
#[derive(Debug)]
pub(super) struct Archive {
    path: PathBuf,
    file: File,
    length: u64,
    members: BTreeMap<String, Member>,
}

#[derive(Clone, Copy, Debug)]
struct Member {
    /// Place of its own header.
    header: u64,
    bytes: u64,
    crc: u32,
    is_plain: bool,
}

impl Archive {
    /// Does a file begin as an archive does?
    pub(super) fn is_one(path: &Path) -> Result<bool, ExchangeError> {
        let file = File::open(path).map_err(ExchangeError::io(path))?;
        let mut first = [0; 4];
        Ok(file.read_exact_at(&mut first, 0).is_ok() && first == *b"PK\x03\x04")
    }

    /// Opens an archive and reads its list of members.
    ///
    /// # Errors
    /// [`ExchangeError::Damaged`] where the list is not there or contradicts the file.
    pub(super) fn open(path: &Path) -> Result<Archive, ExchangeError> {
        let file = File::open(path).map_err(ExchangeError::io(path))?;
        let length = file.metadata().map_err(ExchangeError::io(path))?.len();
        let mut archive = Archive { path: path.into(), file, length, members: BTreeMap::new() };
        archive.list()?;
        Ok(archive)
    }

    /// Names of the members.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.members.keys().map(String::as_str)
    }

    /// Length of a member in bytes.
    pub(super) fn bytes_of(&self, name: &str) -> Option<u64> {
        self.members.get(name).map(|member| member.bytes)
    }

    /// Reads a member and compares it with its checksum.
    ///
    /// # Errors
    /// [`ExchangeError::Damaged`] for a member that is not there, compressed, longer than `limit`, or not what was written.
    pub(super) fn read(&self, name: &str, limit: u64) -> Result<Vec<u8>, ExchangeError> {
        let shown = clipa_talk::printable(name);
        let Some(&member) = self.members.get(name) else {
            return self.damaged(format!("{shown} is not in it"));
        };
        if !member.is_plain {
            return self
                .damaged(format!("{shown} is compressed or encrypted, which PyTorch never does"));
        }
        if member.bytes > limit {
            return self
                .damaged(format!("{shown} has {} bytes, the limit is {limit}", member.bytes));
        }
        let header = self.part(member.header, MEMBER as u64)?;
        if header[..4] != *b"PK\x03\x04" {
            return self.damaged(format!("{shown} is not where the list of members says"));
        }
        let behind = u64::from(u16_at(&header, 26)) + u64::from(u16_at(&header, 28));
        let bytes = self.part(member.header + MEMBER as u64 + behind, member.bytes)?;
        if crc32fast::hash(&bytes) != member.crc {
            return self
                .damaged(format!("the checksum of {shown} is not the one that was written"));
        }
        Ok(bytes)
    }

    fn list(&mut self) -> Result<(), ExchangeError> {
        let first = self.length.saturating_sub(END_BYTES);
        let tail = self.part(first, self.length - first)?;
        let starts = (0..tail.len().saturating_sub(END - 1)).rev();
        let Some(end) = starts.into_iter().find(|&at| tail[at..at + 4] == *b"PK\x05\x06") else {
            return self.damaged("it has no list of members at its end: it is cut".to_owned());
        };
        let short = &tail[end..];
        let (mut count, mut bytes, mut start) = (
            u64::from(u16_at(short, 10)),
            u64::from(u32_at(short, 12)),
            u64::from(u32_at(short, 16)),
        );
        if end >= LOCATOR && tail[end - LOCATOR..end - LOCATOR + 4] == *b"PK\x06\x07" {
            let whole = self.part(u64_at(&tail, end - LOCATOR + 8), END_64 as u64)?;
            if whole[..4] != *b"PK\x06\x06" {
                return self.damaged("the end of its list of members is damaged".to_owned());
            }
            (count, bytes, start) = (u64_at(&whole, 32), u64_at(&whole, 40), u64_at(&whole, 48));
        }
        if bytes > MAX_DIRECTORY_BYTES {
            return self.damaged(format!(
                "its list of members has {bytes} bytes, the limit is {MAX_DIRECTORY_BYTES}"
            ));
        }
        let directory = self.part(start, bytes)?;
        let mut rest = directory.as_slice();
        for _ in 0..count {
            rest = self.add(rest)?;
        }
        Ok(())
    }

    /// Reads a member of the list and returns what follows.
    fn add<'d>(&mut self, listed: &'d [u8]) -> Result<&'d [u8], ExchangeError> {
        let cut = || "its list of members is damaged".to_owned();
        if listed.len() < LISTED || listed[..4] != *b"PK\x01\x02" {
            return self.damaged(cut());
        }
        let lengths = [28, 30, 32].map(|at| usize::from(u16_at(listed, at)));
        let [name, extra, comment] = lengths;
        let Some(more) = listed.get(LISTED..LISTED + name + extra + comment) else {
            return self.damaged(cut());
        };
        let Ok(text) = std::str::from_utf8(&more[..name]) else { return self.damaged(cut()) };
        let mut wide = wide_numbers(&more[name..name + extra]);
        let mut number = |at: usize| match u32_at(listed, at) {
            u32::MAX => wide.next(),
            short => Some(u64::from(short)),
        };
        // In this order, those that do not fit stand among the extra fields.
        let (whole, packed, header) = (number(24), number(20), number(42));
        let (Some(whole), Some(packed), Some(header)) = (whole, packed, header) else {
            return self.damaged(cut());
        };
        let is_plain = u16_at(listed, 8) & 1 == 0 && u16_at(listed, 10) == 0 && packed == whole;
        let member = Member { header, bytes: whole, crc: u32_at(listed, 16), is_plain };
        let text = text.to_owned();
        if self.members.insert(text, member).is_some() {
            return self.damaged("two of its members have one name".to_owned());
        }
        Ok(&listed[LISTED + name + extra + comment..])
    }

    fn part(&self, start: u64, bytes: u64) -> Result<Vec<u8>, ExchangeError> {
        // Compared first: a length that no file has must not be asked of the memory.
        if start.checked_add(bytes).is_none_or(|end| end > self.length) {
            return self
                .damaged("a part of it lies beyond its end: it is cut or damaged".to_owned());
        }
        let mut part = vec![0; bytes as usize];
        self.file.read_exact_at(&mut part, start).map_err(ExchangeError::io(&self.path))?;
        Ok(part)
    }

    fn damaged<T>(&self, detail: String) -> Result<T, ExchangeError> {
        Err(ExchangeError::damaged(&self.path, detail))
    }
}

/// The numbers of the extra field for 64 bits.
fn wide_numbers(mut extra: &[u8]) -> impl Iterator<Item = u64> + '_ {
    let mut found: &[u8] = &[];
    while extra.len() >= 4 {
        let bytes = usize::from(u16_at(extra, 2));
        let Some(field) = extra.get(4..4 + bytes) else { break };
        if u16_at(extra, 0) == 1 {
            found = field;
        }
        extra = &extra[4 + bytes..];
    }
    found.chunks_exact(8).map(|chunk| u64_at(chunk, 0))
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
