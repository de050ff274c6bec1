//! The walk over a tar's headers: every byte of the file belongs to a member, to damage, or to the end.
//!
//! Why not a crate: the readers at hand end a damaged tar as if it were complete, stop at one zero block or at
//! a name that is not UTF-8, or tell no offsets (docs/decisions). They are the cross-checks in the tests.

use std::io;

use super::{
    header::{BLOCK_BYTES, Block, Header, MAGIC, MAGIC_AT, classify, is_strict_header},
    pax::{MAX_NAME_BYTES, Overrides, capped},
    source::{ByteSource, Window},
};

/// Most members that one tar may have; img2dataset writes 30,000.
pub const MAX_MEMBERS: usize = 4 << 20;

/// Most bytes that the paths of a tar's members may have together. Extended headers can say one path for millions of
/// members, so that a small tar would fill the memory.
pub const MAX_NAMES_BYTES: u64 = 1 << 30;

/// Largest extended header (PAX records, GNU long name) that is read, in bytes.
pub const MAX_EXTENSION_BYTES: u64 = 1 << 20;

/// One entry of a tar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Path as found, raw bytes: not every tar holds UTF-8. At most [`MAX_NAME_BYTES`] of it.
    pub name: Vec<u8>,
    /// What kind of entry it is.
    pub kind: MemberKind,
    /// Offset of its first header block, extended headers included.
    pub start: u64,
    /// Offset of the header proper.
    pub header_offset: u64,
    /// Offset of its data (of the link's target, for a hard link that was resolved).
    pub data_offset: u64,
    /// Bytes of data.
    pub size: u64,
    /// Offset behind its last block, padding included.
    pub end: u64,
    /// The file ends before the data does.
    pub cut: bool,
}

/// Kinds of entries. Only [`MemberKind::File`] has data that can be read as it lies in the tar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberKind {
    /// A regular file, or a hard link that brings its data or points to that of an earlier member.
    File,
    /// A hard link to something that is not in this tar.
    HardLink {
        /// Path of the target, raw bytes.
        target: Vec<u8>,
    },
    /// A symbolic link.
    SymLink,
    /// A folder.
    Directory,
    /// A sparse file: its data is not contiguous, and it is not read.
    Sparse,
    /// A device, pipe, volume label, or a type that is not known.
    Other(u8),
    /// Anything with a path longer than [`MAX_NAME_BYTES`].
    LongName,
}

/// Bytes that are no member, in the middle of the tar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damage {
    /// Where it starts.
    pub offset: u64,
    /// How many bytes; 0 where a member's header is only partly believed.
    pub bytes: u64,
    /// What it is.
    pub kind: DamageKind,
}

/// Kinds of damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DamageKind {
    /// Zero blocks with members behind them: a zeroed header, or tars that were concatenated.
    Zeros,
    /// No valid header; the walk went on at the next one.
    Unreadable,
    /// Extended headers with no member behind them.
    StrayExtension,
    /// An extended header that is too large ([`MAX_EXTENSION_BYTES`]) or whose records are broken.
    BadExtension,
}

/// How the tar ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TarEnd {
    /// Two zero blocks and nothing but zeros behind them.
    Clean,
    /// The last member is whole but the end mark is not there: cut at a member boundary, or a sloppy writer.
    MissingMark {
        /// Where the mark should start.
        offset: u64,
    },
    /// The file ends within a member or a header.
    Truncated {
        /// Where the first incomplete member starts.
        offset: u64,
    },
    /// Bytes without any header follow the last member or the end mark.
    Garbage {
        /// Where they start.
        offset: u64,
    },
}

/// What [`walk`] finds.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// In the order of the tar.
    pub(super) members: Vec<Member>,
    /// In the order of the tar.
    pub(super) damage: Vec<Damage>,
    /// How it ended; `None` while it goes on.
    pub(super) end: Option<TarEnd>,
    /// What there is too much of, where there is: the walk ended there.
    pub(super) too_many: Option<TooMany>,
    /// Bytes of all paths and targets in `members`.
    names_bytes: u64,
}

/// What a tar has too much of to be indexed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TooMany {
    /// More than [`MAX_MEMBERS`].
    Members,
    /// Paths of more than [`MAX_NAMES_BYTES`].
    Names,
}

/// A read that failed, and where.
#[derive(Debug)]
pub(super) struct WalkError {
    pub(super) offset: u64,
    pub(super) source: io::Error,
}

/// Walks the headers in the first `length` bytes of `source`; never reads the data of a member that is larger
/// than the window.
pub(super) fn walk<S: ByteSource + ?Sized>(source: &S, length: u64) -> Result<Walk, WalkError> {
    let mut walker = Walker {
        window: Window::new(source, length),
        at: 0,
        globals: Overrides::default(),
        local: Overrides::default(),
        extensions_from: None,
        found: Walk::default(),
    };
    while walker.found.end.is_none() && walker.found.too_many.is_none() {
        walker.step().map_err(|source| WalkError { offset: walker.at, source })?;
    }
    Ok(walker.found)
}

struct Walker<'a, S: ?Sized> {
    window: Window<'a, S>,
    at: u64,
    globals: Overrides,
    local: Overrides,
    /// Where the extended headers of the next member start.
    extensions_from: Option<u64>,
    found: Walk,
}

impl<S: ByteSource + ?Sized> Walker<'_, S> {
    fn step(&mut self) -> io::Result<()> {
        let block = self.window.at(self.at, BLOCK_BYTES)?;
        if block.len() < BLOCK_BYTES {
            let is_blank = block.iter().all(|&byte| byte == 0);
            self.end_of_file(is_blank);
            return Ok(());
        }
        match classify(block) {
            Block::Zeros => self.zeros(),
            Block::Invalid => self.unreadable(),
            Block::Header(header) => match header.flag {
                b'L' | b'K' | b'x' | b'X' | b'g' => self.extension(&header),
                _ => self.member(header),
            },
        }
    }

    /// The file ends where a header should be: at a member boundary, or within a block.
    fn end_of_file(&mut self, is_blank: bool) {
        self.found.end = Some(match (self.extensions_from.take(), is_blank) {
            (Some(offset), _) => TarEnd::Truncated { offset },
            (None, true) => TarEnd::MissingMark { offset: self.at },
            (None, false) => TarEnd::Truncated { offset: self.at },
        });
    }

    /// One zero block or many: the end, if nothing but zeros follows.
    fn zeros(&mut self) -> io::Result<()> {
        self.drop_extensions();
        let (start, length) = (self.at, self.window.length());
        let mut next = start + BLOCK_BYTES as u64;
        while next < length {
            let bytes = self.window.wide(next)?;
            match bytes.iter().position(|&byte| byte != 0) {
                None => next += bytes.len() as u64,
                Some(distance) => {
                    next += distance as u64;
                    break;
                }
            }
        }
        if next >= length {
            let is_mark = length - start >= 2 * BLOCK_BYTES as u64;
            self.found.end =
                Some(if is_mark { TarEnd::Clean } else { TarEnd::MissingMark { offset: start } });
            return Ok(());
        }
        // Back to the block that the first non-zero byte lies in.
        next -= (next - start) % BLOCK_BYTES as u64;
        let block = self.window.at(next, BLOCK_BYTES)?;
        let goes_on = block.len() == BLOCK_BYTES && matches!(classify(block), Block::Header(_));
        let header_at = if goes_on { Some(next) } else { self.next_header(next)? };
        match header_at {
            None => self.found.end = Some(TarEnd::Garbage { offset: next }),
            Some(header_at) => {
                self.damage(start, next - start, DamageKind::Zeros);
                if header_at > next {
                    self.damage(next, header_at - next, DamageKind::Unreadable);
                }
                self.at = header_at;
            }
        }
        Ok(())
    }

    /// Not a header: goes on at the next one, wherever it lies.
    fn unreadable(&mut self) -> io::Result<()> {
        self.drop_extensions();
        match self.next_header(self.at + 1)? {
            None => self.found.end = Some(TarEnd::Garbage { offset: self.at }),
            Some(header_at) => {
                self.damage(self.at, header_at - self.at, DamageKind::Unreadable);
                self.at = header_at;
            }
        }
        Ok(())
    }

    /// Offset of the next header with a magic, at any alignment: a tar that was appended to a cut one does not
    /// keep the 512-byte grid.
    fn next_header(&mut self, from: u64) -> io::Result<Option<u64>> {
        let mut from = from;
        loop {
            let bytes = self.window.wide(from)?;
            if bytes.len() < BLOCK_BYTES {
                return Ok(None);
            }
            let last = bytes.len() - BLOCK_BYTES;
            let magics = &bytes[MAGIC_AT..MAGIC_AT + last + MAGIC.len()];
            let found = magics.windows(MAGIC.len()).enumerate().find(|(at, magic)| {
                *magic == MAGIC && is_strict_header(&bytes[*at..*at + BLOCK_BYTES])
            });
            if let Some((distance, _)) = found {
                return Ok(Some(from + distance as u64));
            }
            from += last as u64 + 1;
        }
    }

    /// A GNU long name or PAX records, for the next member or for all that follow.
    fn extension(&mut self, header: &Header) -> io::Result<()> {
        let data_offset = self.at + BLOCK_BYTES as u64;
        let start = *self.extensions_from.get_or_insert(self.at);
        let end = data_offset.checked_add(header.size);
        let Some(end) = end.filter(|&end| end <= self.window.length()) else {
            self.found.end = Some(TarEnd::Truncated { offset: start });
            return Ok(());
        };
        let is_understood = header.size <= MAX_EXTENSION_BYTES && {
            let bytes = self.window.copy(data_offset, header.size as usize)?;
            let name = || bytes.split(|&byte| byte == 0).next().map(capped);
            match header.flag {
                b'L' => {
                    self.local.path = name();
                    true
                }
                b'K' => {
                    self.local.link = name();
                    true
                }
                b'g' => self.globals.read_records(&bytes),
                _ => self.local.read_records(&bytes),
            }
        };
        if !is_understood {
            self.damage(self.at, 0, DamageKind::BadExtension);
        }
        self.at = end.saturating_add(padding(header.size)).min(self.window.length());
        Ok(())
    }

    fn member(&mut self, header: Header) -> io::Result<()> {
        if self.found.members.len() >= MAX_MEMBERS {
            self.found.too_many = Some(TooMany::Members);
            return Ok(());
        }
        let overrides = std::mem::take(&mut self.local).over(&self.globals);
        let mut name = overrides.path.unwrap_or(header.name);
        let kind = kind_of(header.flag, &name, overrides.link.unwrap_or(header.link));
        let kind = if overrides.sparse { MemberKind::Sparse } else { kind };
        let header_offset = self.at;
        let mut data_offset = header_offset + BLOCK_BYTES as u64;
        if header.flag == b'S' {
            data_offset += self.sparse_map_bytes(data_offset, header.more_sparse_blocks)?;
        }
        let mut size = overrides.size.unwrap_or(header.size);
        if size > 0 && !self.has_data(&kind, data_offset)? {
            size = 0;
        }
        let brings_data = size > 0 && matches!(kind, MemberKind::HardLink { .. });
        let mut kind = if brings_data { MemberKind::File } else { kind };
        if name.len() > MAX_NAME_BYTES {
            name.truncate(MAX_NAME_BYTES);
            kind = MemberKind::LongName;
        }
        if let MemberKind::HardLink { target } = &kind {
            self.found.names_bytes += target.len() as u64;
        }
        self.found.names_bytes += name.len() as u64;
        if self.found.names_bytes > MAX_NAMES_BYTES {
            self.found.too_many = Some(TooMany::Names);
            return Ok(());
        }
        let length = self.window.length();
        let data_end = data_offset.checked_add(size).filter(|&end| end <= length);
        let end = data_end.map_or(length, |end| end.saturating_add(padding(size)).min(length));
        let start = self.extensions_from.take().unwrap_or(header_offset);
        let cut = data_end.is_none();
        if cut {
            self.found.end = Some(TarEnd::Truncated { offset: start });
        }
        let member = Member { name, kind, start, header_offset, data_offset, size, end, cut };
        self.found.members.push(member);
        self.at = end;
        Ok(())
    }

    /// Bytes of the further blocks of an old GNU sparse map.
    fn sparse_map_bytes(&mut self, from: u64, has_more: bool) -> io::Result<u64> {
        let (mut at, mut has_more) = (from, has_more);
        while has_more {
            let block = self.window.at(at, BLOCK_BYTES)?;
            if block.len() < BLOCK_BYTES {
                break;
            }
            has_more = block[504] != 0;
            at += BLOCK_BYTES as u64;
        }
        Ok(at - from)
    }

    /// Links, folders and devices may carry a size with no data behind it, or (hard links of PAX) with.
    fn has_data(&mut self, kind: &MemberKind, data_offset: u64) -> io::Result<bool> {
        match kind {
            MemberKind::File | MemberKind::Sparse => Ok(true),
            MemberKind::Other(flag) if !matches!(flag, b'3' | b'4' | b'6') => Ok(true),
            MemberKind::HardLink { .. } => {
                let block = self.window.at(data_offset, BLOCK_BYTES)?;
                Ok(block.len() == BLOCK_BYTES && classify(block) == Block::Invalid)
            }
            _ => Ok(false),
        }
    }

    fn damage(&mut self, offset: u64, bytes: u64, kind: DamageKind) {
        self.found.damage.push(Damage { offset, bytes, kind });
    }

    /// Extended headers that lead to no member are damage of their own.
    fn drop_extensions(&mut self) {
        self.local = Overrides::default();
        if let Some(start) = self.extensions_from.take() {
            self.damage(start, self.at - start, DamageKind::StrayExtension);
        }
    }
}

fn kind_of(flag: u8, name: &[u8], target: Vec<u8>) -> MemberKind {
    match flag {
        // V7 has no flag for folders.
        0 | b'0' if name.ends_with(b"/") => MemberKind::Directory,
        0 | b'0' | b'7' => MemberKind::File,
        b'1' => MemberKind::HardLink { target },
        b'2' => MemberKind::SymLink,
        b'5' => MemberKind::Directory,
        b'S' => MemberKind::Sparse,
        other => MemberKind::Other(other),
    }
}

/// Bytes between `size` bytes of data and the next block. Relative to the header, because a tar that was
/// appended to a cut one keeps only its own grid.
fn padding(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK_BYTES as u64
}
