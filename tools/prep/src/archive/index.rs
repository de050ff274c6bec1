//! The index of one tar: members, samples, damage, and reading a member by its offset.

use std::{
    collections::HashMap,
    fs::File,
    path::{Path, PathBuf},
};

use super::{
    error::ArchiveError,
    gzip::{self, Unpacked, unpack},
    names::readable,
    sample::{Loose, MemberId, SampleEntry, group},
    source::ByteSource,
    walk::{
        Damage, MAX_MEMBERS, MAX_NAMES_BYTES, Member, MemberKind, TarEnd, TooMany, Walk, WalkError,
        walk,
    },
};

/// What a tar holds, found in one pass over its headers.
#[derive(Debug)]
pub struct TarIndex {
    path: PathBuf,
    /// The tar, unpacked where it was compressed.
    file: File,
    /// Length of the file on disk in bytes.
    pub length: u64,
    /// Length of the tar in bytes: that of the file, or what it was unpacked to. Offsets are into the tar.
    pub tar_bytes: u64,
    /// Why a compressed tar could not be unpacked to its end.
    pub unpacking: Option<String>,
    /// Every entry, in the order of the tar.
    pub members: Vec<Member>,
    /// The samples, in the order of their first member.
    pub samples: Vec<SampleEntry>,
    /// Members that belong to no sample.
    pub loose: Vec<Loose>,
    /// Bytes in the middle that are no member.
    pub damage: Vec<Damage>,
    /// How the tar ends.
    pub end: TarEnd,
}

impl TarIndex {
    /// Opens a tar and walks its headers. Damage within is not an error but listed.
    ///
    /// # Errors
    /// The file cannot be opened or read, is empty, or holds not one tar header.
    pub fn read(path: &Path) -> Result<TarIndex, ArchiveError> {
        let open_error = |source| ArchiveError::Open { path: path.to_owned(), source };
        // Asked before opening: opening a pipe would wait for its writer.
        let metadata = std::fs::metadata(path).map_err(open_error)?;
        if !metadata.is_file() {
            return Err(ArchiveError::NotAFile { path: path.to_owned() });
        }
        let file = File::open(path).map_err(open_error)?;
        let length = file.metadata().map_err(open_error)?.len();
        if length == 0 {
            return Err(ArchiveError::Empty { path: path.to_owned() });
        }
        if starts_with(&file, length, &gzip::MAGIC) {
            let Unpacked { file, length: tar_bytes, problem } = unpack(path, &file, length)?;
            let mut index = TarIndex::walked(path, file, length, tar_bytes)?;
            index.unpacking = problem;
            return Ok(index);
        }
        TarIndex::walked(path, file, length, length)
    }

    fn walked(
        path: &Path,
        file: File,
        length: u64,
        tar_bytes: u64,
    ) -> Result<TarIndex, ArchiveError> {
        let found = walk(&file, tar_bytes).map_err(|WalkError { offset, source }| {
            ArchiveError::Read { path: path.to_owned(), key: String::new(), offset, source }
        })?;
        match found.too_many {
            None => {}
            Some(TooMany::Members) => {
                let limit = MAX_MEMBERS;
                return Err(ArchiveError::TooManyMembers { path: path.to_owned(), limit });
            }
            Some(TooMany::Names) => {
                let limit = MAX_NAMES_BYTES;
                return Err(ArchiveError::NamesTooLarge { path: path.to_owned(), limit });
            }
        }
        let is_no_tar = matches!(found.end, Some(TarEnd::Garbage { offset: 0 }))
            || (found.members.is_empty() && matches!(found.end, Some(TarEnd::Truncated { .. })))
            || tar_bytes == 0;
        if is_no_tar {
            let is_packed = length != tar_bytes;
            let what = if is_packed { IN_GZIP } else { looks_like(path, &file, length) };
            return Err(ArchiveError::NotATar { path: path.to_owned(), what });
        }
        Ok(TarIndex::new(path, file, (length, tar_bytes), found))
    }

    fn new(path: &Path, file: File, (length, tar_bytes): (u64, u64), found: Walk) -> TarIndex {
        let Walk { mut members, damage, end, .. } = found;
        let end = end.unwrap_or(TarEnd::Truncated { offset: tar_bytes });
        resolve_hard_links(&mut members);
        let (mut samples, loose) = group(&members);
        if end != TarEnd::Clean {
            flag_cut_sample(&mut samples, members.len());
        }
        let (path, unpacking) = (path.to_owned(), None);
        TarIndex { path, file, length, tar_bytes, unpacking, members, samples, loose, damage, end }
    }

    /// Where the tar lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The member of this number.
    ///
    /// # Panics
    /// With a number that is not from this index.
    pub fn member(&self, id: MemberId) -> &Member {
        &self.members[id as usize]
    }

    /// True where the tar has no damage and ends with its mark.
    pub fn is_intact(&self) -> bool {
        self.unpacking.is_none() && self.damage.is_empty() && self.end == TarEnd::Clean
    }

    /// Reads a member's bytes into `bytes` (replacing what is there). Threads may read at the same time.
    ///
    /// # Errors
    /// The member is larger than `limit_bytes`, is cut off, or the read fails.
    pub fn read_member(
        &self,
        id: MemberId,
        limit_bytes: u64,
        bytes: &mut Vec<u8>,
    ) -> Result<(), ArchiveError> {
        let member = self.member(id);
        let offset = member.data_offset;
        let about = || (self.path.clone(), readable(&member.name));
        bytes.clear();
        if member.size > limit_bytes {
            let (size, limit, (path, key)) = (member.size, limit_bytes, about());
            return Err(ArchiveError::MemberTooLarge { path, key, offset, size, limit });
        }
        if member.cut {
            let (path, key) = about();
            return Err(ArchiveError::MemberCut { path, key, offset });
        }
        bytes.resize(member.size as usize, 0);
        self.file.fill(bytes, offset).map_err(|source| {
            let (path, key) = about();
            ArchiveError::Read { path, key, offset, source }
        })
    }
}

/// A tar that was cut between members may have lost the rest of its last sample: flagged where that sample has less
/// than the one before it. (A sample with all that its neighbour has is whole, and must not be lost.)
fn flag_cut_sample(samples: &mut [SampleEntry], members: usize) {
    let is_last = |sample: &SampleEntry| sample.members().any(|id| id as usize + 1 == members);
    let Some(place) = samples.iter().rposition(is_last) else {
        return;
    };
    let neighbour = place.checked_sub(1).map(|before| samples[before].clone());
    let sample = &mut samples[place];
    sample.cut |= neighbour.is_some_and(|neighbour| sample.lacks_what(&neighbour));
}

/// Points every hard link to the data of the earlier member that it names.
fn resolve_hard_links(members: &mut [Member]) {
    let is_link = |member: &Member| matches!(member.kind, MemberKind::HardLink { .. });
    if !members.iter().any(is_link) {
        return;
    }
    let mut files: HashMap<Vec<u8>, (u64, u64, bool)> = HashMap::new();
    for member in members {
        if let MemberKind::HardLink { target } = &member.kind
            && let Some(&(data_offset, size, cut)) = files.get(plain(target))
            && member.size == 0
        {
            (member.data_offset, member.size, member.cut) = (data_offset, size, cut);
            member.kind = MemberKind::File;
        }
        if member.kind == MemberKind::File {
            let data = (member.data_offset, member.size, member.cut);
            files.insert(plain(&member.name).to_vec(), data);
        }
    }
}

/// A path without its leading `./`.
fn plain(path: &[u8]) -> &[u8] {
    path.strip_prefix(b"./").unwrap_or(path)
}

/// Said of a table of text.
const TABLE: &str = "it is a table; images are read from tars: make them with img2dataset --output_format webdataset";

/// Said of a compressed file.
const IN_GZIP: &str = "it is gzip, and what is in it is no tar";

fn starts_with(file: &File, length: u64, magic: &[u8]) -> bool {
    let mut start = vec![0u8; magic.len()];
    length >= magic.len() as u64 && file.fill(&mut start, 0).is_ok() && start == magic
}

/// What a file that is no tar looks like, and the remedy, for the message.
fn looks_like(path: &Path, file: &File, length: u64) -> &'static str {
    let known: [(&[u8], &str); 7] = [
        (&[0x28, 0xb5, 0x2f, 0xfd], "it is zstd; unpack it first (unzstd)"),
        (b"BZh", "it is bzip2; unpack it first (bunzip2)"),
        (&[0xfd, b'7', b'z', b'X', b'Z'], "it is xz; unpack it first (unxz)"),
        (
            b"PAR1",
            "it is Parquet; images are read from tars: make them with img2dataset --output_format webdataset",
        ),
        (
            b"PK\x03\x04",
            "it is a zip archive; images are read from tars: unzip it and pack its files with tar",
        ),
        (b"<", "it is text (an error page of a download?)"),
        (b"{", "it is text (an error page of a download?)"),
    ];
    let found = known.iter().find(|(magic, _)| starts_with(file, length, magic));
    let suffix = path.extension().unwrap_or_default().to_ascii_lowercase();
    let is_table = ["csv", "tsv", "jsonl", "txt"].iter().any(|known| suffix == *known);
    let otherwise = if is_table { TABLE } else { "no tar header was found in it" };
    found.map_or(otherwise, |(_, what)| what)
}
