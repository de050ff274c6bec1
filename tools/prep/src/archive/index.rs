//! The index of one tar: members, samples, damage, and reading a member by its offset.

use std::{
    collections::HashMap,
    fs::File,
    path::{Path, PathBuf},
};

use super::{
    error::ArchiveError,
    sample::{Loose, MemberId, SampleEntry, group, readable},
    source::ByteSource,
    walk::{Damage, MAX_MEMBERS, Member, MemberKind, TarEnd, Walk, WalkError, walk},
};

/// What a tar holds, found in one pass over its headers.
#[derive(Debug)]
pub struct TarIndex {
    path: PathBuf,
    file: File,
    /// Length of the file in bytes.
    pub length: u64,
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
        let found = walk(&file, length).map_err(|WalkError { offset, source }| {
            ArchiveError::Read { path: path.to_owned(), key: String::new(), offset, source }
        })?;
        if found.too_many {
            return Err(ArchiveError::TooManyMembers { path: path.to_owned(), limit: MAX_MEMBERS });
        }
        let is_no_tar = matches!(found.end, Some(TarEnd::Garbage { offset: 0 }))
            || (found.members.is_empty() && matches!(found.end, Some(TarEnd::Truncated { .. })));
        if is_no_tar {
            let what = looks_like(&file, length);
            return Err(ArchiveError::NotATar { path: path.to_owned(), what });
        }
        Ok(TarIndex::new(path, file, length, found))
    }

    fn new(path: &Path, file: File, length: u64, found: Walk) -> TarIndex {
        let Walk { mut members, damage, end, .. } = found;
        let end = end.unwrap_or(TarEnd::Truncated { offset: length });
        resolve_hard_links(&mut members);
        let (mut samples, loose) = group(&members);
        if end != TarEnd::Clean {
            flag_cut_sample(&mut samples, members.len());
        }
        TarIndex { path: path.to_owned(), file, length, members, samples, loose, damage, end }
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
        self.damage.is_empty() && self.end == TarEnd::Clean
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

/// What a file that is no tar looks like, and the remedy, for the message.
fn looks_like(file: &File, length: u64) -> &'static str {
    let mut magic = [0u8; 4];
    let known = length >= 4 && file.fill(&mut magic, 0).is_ok();
    match magic {
        [0x1f, 0x8b, ..] if known => "it is gzip; unpack it first (gunzip)",
        [0x28, 0xb5, 0x2f, 0xfd] if known => "it is zstd; unpack it first (unzstd)",
        [b'P', b'A', b'R', b'1'] if known => {
            "it is Parquet; images are read from the tar beside it"
        }
        [b'P', b'K', 3, 4] if known => "it is a zip archive",
        [b'<', ..] | [b'{', ..] if known => "it is text (an error page of a download?)",
        _ => "no tar header was found in it",
    }
}
