//! Where raw samples come from: a tar, or a folder with one folder a class.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use clipa_schemas::{ledger::Source, members::Members};

use super::{
    account::{Account, SideFiles, members_of, tar_problems},
    repairs::ReadRepair,
};
use crate::archive::{
    ArchiveError, MemberId, SampleEntry, TarIndex, shown_suffix,
    sidecar::{MAX_SIDECAR_BYTES, MetadataTable, Sidecar},
};

/// Longest caption that is stored, in bytes. LAION's longest has 61,192 characters.
const MAX_CAPTION_BYTES: u64 = 1 << 20;

/// Longest class label in a `.cls` member, in bytes.
const MAX_CLASS_BYTES: u64 = 64;

/// A sample as found, without its image.
#[derive(Debug, Default)]
pub struct RawSample {
    /// As found.
    pub key: String,
    /// Byte offset of the image's data in the source (of the first member, where there is no image).
    pub offset: Option<u64>,
    /// The caption, raw.
    pub caption: Option<String>,
    /// What the sidecar says; empty where there is none.
    pub sidecar: Sidecar,
    /// The class, of a classification set.
    pub label: Option<u32>,
    /// What was wrong and could be passed over.
    pub repairs: Vec<&'static str>,
}

/// Why a raw sample cannot be read: reason for the ledger, detail for a person.
#[derive(Debug)]
pub struct Unusable {
    /// Machine-readable.
    pub reason: &'static str,
    /// For a person.
    pub detail: String,
}

/// One unit of input, open.
pub enum UnitSource {
    /// A WebDataset tar, and the files that img2dataset wrote beside it.
    Tar(Box<TarIndex>, Box<SideFiles>),
    /// Files of one folder a class: (path, class), sorted.
    ClassFolders {
        /// The folder that holds the class folders.
        root: PathBuf,
        /// Image files with their class.
        files: Vec<(PathBuf, u32)>,
        /// Bytes of all of them.
        bytes: u64,
    },
}

impl UnitSource {
    /// Opens a tar with what lies beside it.
    ///
    /// # Errors
    /// The tar, or the Parquet table or statistics beside it, are there and cannot be read.
    pub fn open_tar(path: &Path) -> Result<UnitSource, ArchiveError> {
        Ok(UnitSource::Tar(Box::new(TarIndex::read(path)?), Box::new(SideFiles::read(path)?)))
    }

    /// Number of samples.
    pub fn samples(&self) -> usize {
        match self {
            UnitSource::Tar(tar, _) => tar.samples.len(),
            UnitSource::ClassFolders { files, .. } => files.len(),
        }
    }

    /// The key of a sample, as messages name it.
    pub fn key(&self, index: usize) -> String {
        let key = match self {
            UnitSource::Tar(tar, _) => tar.samples.get(index).map(|sample| sample.key.clone()),
            UnitSource::ClassFolders { files, .. } => {
                files.get(index).map(|(path, _)| path.display().to_string())
            }
        };
        key.unwrap_or_else(|| index.to_string())
    }

    /// How the entry names it.
    pub fn source(&self) -> Source {
        let (path, bytes) = match self {
            UnitSource::Tar(tar, _) => (tar.path(), tar.length),
            UnitSource::ClassFolders { root, bytes, .. } => (root.as_path(), *bytes),
        };
        Source { path: path.display().to_string(), bytes }
    }

    /// Reads all of a sample but its image; key, offset, url and caption are filled as far as they are known even
    /// where the sample is unusable.
    ///
    /// # Errors
    /// [`ReadFailure`] says whether the sample is bad or the whole input.
    pub fn read_texts(&self, index: usize, raw: &mut RawSample) -> Result<(), ReadFailure> {
        match self {
            UnitSource::Tar(tar, side_files) => {
                read_texts_from_tar(tar, side_files.table.as_ref(), index, raw)
            }
            UnitSource::ClassFolders { root, files, .. } => {
                let (path, label) = &files[index];
                raw.key = path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned();
                raw.label = Some(*label);
                raw.offset = Some(0);
                Ok(())
            }
        }
    }

    /// Reads a sample's image file into `image`, which is empty; one of more than `max_bytes` is not read.
    ///
    /// # Errors
    /// [`ReadFailure`] says whether the sample is bad or the whole input.
    pub fn read_image(
        &self,
        index: usize,
        max_bytes: u64,
        image: &mut Vec<u8>,
    ) -> Result<(), ReadFailure> {
        match self {
            UnitSource::Tar(tar, _) => {
                let sample = &tar.samples[index];
                let member = sample.image.ok_or_else(|| no_image(tar, sample))?;
                let size = tar.member(member).size;
                if size > max_bytes {
                    return Err(image_too_large(size, max_bytes));
                }
                read_member(tar, member, max_bytes, image, "too_large")
            }
            UnitSource::ClassFolders { files, .. } => {
                read_image_file(&files[index].0, max_bytes, image)
            }
        }
    }

    /// What is wrong with the input as a whole, and what it lists and does not hold.
    pub fn account(&self) -> Account {
        match self {
            UnitSource::Tar(tar, side_files) => {
                let Account { problems, not_downloaded, .. } = side_files.account(tar);
                let problems = [tar_problems(tar), problems].concat();
                Account { problems, not_downloaded, members: members_of(tar) }
            }
            UnitSource::ClassFolders { files, .. } => {
                let mut members = Members { walked: files.len() as u64, ..Members::default() };
                for (path, _) in files {
                    members.used(&shown_suffix(path.as_os_str().as_encoded_bytes(), true), 1);
                }
                Account { members, ..Account::default() }
            }
        }
    }
}

/// Why a sample could not be read.
#[derive(Debug)]
pub enum ReadFailure {
    /// This sample is bad; the next one may be good.
    Sample(Unusable),
    /// The input cannot be read: the unit fails.
    Unit(ArchiveError),
}

fn unusable(reason: &'static str, detail: impl Into<String>) -> ReadFailure {
    ReadFailure::Sample(Unusable { reason, detail: detail.into() })
}

/// Reads a whole file, but not one byte beyond the limit.
fn read_image_file(path: &Path, limit_bytes: u64, bytes: &mut Vec<u8>) -> Result<(), ReadFailure> {
    let read = |file: File, bytes: &mut Vec<u8>| -> io::Result<u64> {
        let length = file.metadata()?.len();
        if length > limit_bytes {
            return Ok(length);
        }
        Ok(file.take(limit_bytes + 1).read_to_end(bytes)? as u64)
    };
    let length = File::open(path).and_then(|file| read(file, bytes)).map_err(|source| {
        ReadFailure::Unit(ArchiveError::Open { path: path.to_owned(), source })
    })?;
    if length > limit_bytes {
        return Err(image_too_large(length, limit_bytes));
    }
    Ok(())
}

/// Suffixes that a rejection names.
const SHOWN_SUFFIXES: usize = 8;

fn no_image(tar: &TarIndex, sample: &SampleEntry) -> ReadFailure {
    let of = |member| shown_suffix(&tar.member(member).name, sample.is_cut_at_last);
    let there: Vec<String> = sample.members().take(SHOWN_SUFFIXES).map(of).collect();
    unusable("no_image", format!("no image member for this key, it has {}", there.join(", ")))
}

fn image_too_large(bytes: u64, limit_bytes: u64) -> ReadFailure {
    unusable("too_large", format!("image of {bytes} bytes, the limit is {limit_bytes}"))
}

fn read_texts_from_tar(
    tar: &TarIndex,
    table: Option<&MetadataTable>,
    index: usize,
    raw: &mut RawSample,
) -> Result<(), ReadFailure> {
    let entry = &tar.samples[index];
    raw.key = entry.key.clone();
    let first = entry.image.or_else(|| entry.members().min());
    raw.offset = first.map(|member| tar.member(member).data_offset);
    let mut bytes = Vec::new();
    if let Some(member) = entry.sidecar {
        read_sidecar(tar, member, &mut bytes, raw)?;
    }
    if let Some((table, row)) = table.and_then(|table| Some((table, table.row_of(&raw.key)?))) {
        fill(raw, table.sidecar(row));
    }
    match entry.caption {
        Some(member) => {
            read_member(tar, member, MAX_CAPTION_BYTES, &mut bytes, "caption_too_large")?;
            raw.caption = Some(text_of(&bytes, raw));
        }
        None => raw.caption = raw.sidecar.caption.take(),
    }
    if let Some(member) = entry.class {
        read_member(tar, member, MAX_CLASS_BYTES, &mut bytes, "bad_label")?;
        let text = String::from_utf8_lossy(&bytes);
        let label = text.trim().parse();
        raw.label =
            Some(label.map_err(|_| unusable("bad_label", format!("class `{}`", text.trim())))?);
    } else {
        raw.label = raw.sidecar.label;
    }
    if entry.ordinal > 0 {
        let detail = format!("sample {} of this key in the same tar", entry.ordinal + 1);
        return Err(unusable("duplicate_key", detail));
    }
    if entry.cut {
        return Err(unusable("cut", "the tar ends within this sample"));
    }
    Ok(())
}

/// Takes from the table what the `.json` does not have. Keys are only numbers, so that a table of another run has
/// the same ones; the URL tells.
fn fill(raw: &mut RawSample, row: Sidecar) {
    match (&raw.sidecar.metadata.url, &row.metadata.url) {
        (Some(own), Some(other)) if own != other => {
            raw.repairs.push(ReadRepair::TableIgnored.name())
        }
        _ => raw.sidecar.fill_from(row),
    }
}

/// Reads the `.json`. One that cannot be used costs its fields, not the sample, and is counted.
fn read_sidecar(
    tar: &TarIndex,
    member: MemberId,
    bytes: &mut Vec<u8>,
    raw: &mut RawSample,
) -> Result<(), ReadFailure> {
    let repair = match tar.read_member(member, MAX_SIDECAR_BYTES, bytes) {
        Ok(()) => match Sidecar::parse(bytes) {
            Ok(sidecar) => {
                raw.sidecar = sidecar;
                return Ok(());
            }
            Err(_) => ReadRepair::SidecarIgnored,
        },
        Err(ArchiveError::MemberTooLarge { .. }) => ReadRepair::SidecarTooLarge,
        Err(ArchiveError::MemberCut { .. }) => ReadRepair::SidecarCut,
        Err(error) => return Err(ReadFailure::Unit(error)),
    };
    raw.repairs.push(repair.name());
    Ok(())
}

/// Reads a member; what is wrong with the member itself is the sample's fault, a failing disk is not.
fn read_member(
    tar: &TarIndex,
    member: MemberId,
    limit_bytes: u64,
    bytes: &mut Vec<u8>,
    too_large: &'static str,
) -> Result<(), ReadFailure> {
    tar.read_member(member, limit_bytes, bytes).map_err(|error| match error {
        ArchiveError::MemberTooLarge { .. } => unusable(too_large, error.to_string()),
        ArchiveError::MemberCut { .. } => unusable("cut", error.to_string()),
        other => ReadFailure::Unit(other),
    })
}

/// A caption's text; bytes that are no UTF-8 become U+FFFD, and that is counted.
fn text_of(bytes: &[u8], raw: &mut RawSample) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => {
            raw.repairs.push(ReadRepair::CaptionNotUtf8.name());
            String::from_utf8_lossy(bytes).into_owned()
        }
    }
}
