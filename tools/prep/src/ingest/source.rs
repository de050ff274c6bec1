//! Where raw samples come from: a tar, or a folder with one folder a class.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    time::SystemTime,
};

use clipa_schemas::{input_file::InputFile, ledger::Source};

use super::{
    account::{Account, SideFiles},
    captions::Gathered,
    content::{self, Content, Folder, recorded_name},
    options::Filter,
    repairs::ReadRepair,
};
use crate::archive::{
    ArchiveError, Member, MemberId, SampleEntry, TarEnd, TarIndex,
    sidecar::{FoundCaption, MAX_SIDECAR_BYTES, Sidecar, captions_of_json},
};

/// Longest caption that is stored, in bytes. LAION's longest has 61,192 characters.
const MAX_CAPTION_BYTES: u64 = 1 << 20;

/// Members of captions that are read of a sample, besides the `.txt`.
const MAX_CAPTION_MEMBERS: usize = 16;

/// Longest suffix in a reason, in characters.
const MAX_SHOWN_SUFFIX: usize = 20;

/// Longest class label in a `.cls` member, in bytes.
const MAX_CLASS_BYTES: u64 = 64;

/// A sample as found, without its image.
#[derive(Debug, Default)]
pub struct RawSample {
    /// As found.
    pub key: String,
    /// Byte offset of the image's data in the source (of the first member, where there is no image).
    pub offset: Option<u64>,
    /// The captions, raw, at most [`clipa_schemas::text::MAX_CAPTIONS`]; none where there is no word.
    pub captions: Vec<FoundCaption>,
    /// Why there is no caption.
    pub(super) no_caption: Option<Unusable>,
    /// Why the `.json` cannot be read.
    pub(super) sidecar_error: Option<String>,
    /// What the sidecar says; empty where there is none.
    pub sidecar: Sidecar,
    /// The class, of a classification set.
    pub label: Option<u32>,
    /// What was wrong and could be passed over.
    pub repairs: Vec<&'static str>,
    /// Why the `.json`, or the table beside the tar, cannot be used although it is there.
    pub unusable_sidecar: Option<String>,
    /// Flags of filters and lists that found no value to judge it by.
    pub unfiltered: Vec<&'static str>,
}

/// Why a raw sample cannot be read: reason for the ledger, detail for a person.
#[derive(Debug)]
pub struct Unusable {
    /// Machine-readable.
    pub reason: &'static str,
    /// For a person.
    pub detail: String,
}

/// Said of an entry without digests.
const NOT_RECORDED: &str = "what it was made from was not recorded";

/// One unit of input, open.
pub enum UnitSource {
    /// A WebDataset tar, the files that img2dataset wrote beside it, and what both hold.
    Tar(Box<TarIndex>, Box<SideFiles>, Box<Content>),
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
        let tar = TarIndex::read(path)?;
        // digested before they are read, so that a file that is replaced meanwhile is not taken for what was read
        let content = Content::open(path, &SideFiles::of(path))?;
        let side_files = SideFiles::read(path, &tar)?;
        Ok(UnitSource::Tar(Box::new(tar), Box::new(side_files), Box::new(content)))
    }

    /// Refuses an input whose table is there and cannot answer what the filters and lists ask.
    ///
    /// # Errors
    /// What is wrong with the table, and what needs it.
    pub fn refuse_mute_table(&self, filter: &Filter) -> Result<(), ArchiveError> {
        match self {
            UnitSource::Tar(tar, side_files, _) => side_files.refuse_mute(tar, filter),
            UnitSource::ClassFolders { .. } => Ok(()),
        }
    }

    /// What differs from the content that an entry recorded, in words, file by file; see [`super::content`].
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn changes(
        &self,
        recorded: &[InputFile],
        entry_written: Option<SystemTime>,
    ) -> Result<Vec<String>, ArchiveError> {
        match self {
            UnitSource::Tar(tar, ..) => tar_changes(tar.path(), recorded, entry_written),
            UnitSource::ClassFolders { root, files, .. } => match recorded {
                [folder] => Folder { root, files }.changes(folder, entry_written),
                _ => Ok(vec![NOT_RECORDED.to_owned()]),
            },
        }
    }

    /// Number of samples.
    pub fn samples(&self) -> usize {
        match self {
            UnitSource::Tar(tar, ..) => tar.samples.len(),
            UnitSource::ClassFolders { files, .. } => files.len(),
        }
    }

    /// The key of a sample, as messages name it.
    pub fn key(&self, index: usize) -> String {
        let key = match self {
            UnitSource::Tar(tar, ..) => tar.samples.get(index).map(|sample| sample.key.clone()),
            UnitSource::ClassFolders { files, .. } => {
                files.get(index).map(|(path, _)| path.display().to_string())
            }
        };
        key.unwrap_or_else(|| index.to_string())
    }

    /// How messages name it: as the user does.
    pub fn shown(&self) -> String {
        self.path().display().to_string()
    }

    fn path(&self) -> &Path {
        match self {
            UnitSource::Tar(tar, ..) => tar.path(),
            UnitSource::ClassFolders { root, .. } => root,
        }
    }

    /// How its entry and its rejects name it: without the folder, so that they do not depend on where it lies or on how
    /// its path is spelled.
    pub fn source(&self) -> Source {
        let bytes = match self {
            UnitSource::Tar(tar, ..) => tar.length,
            UnitSource::ClassFolders { bytes, .. } => *bytes,
        };
        Source { path: recorded_name(self.path()), bytes }
    }

    /// Digests of all that it was made from; reads the whole input.
    ///
    /// # Errors
    /// The input cannot be read, or was changed since it was opened.
    pub fn made_from(&self) -> Result<Vec<InputFile>, ArchiveError> {
        match self {
            UnitSource::Tar(_, _, content) => content.digest(),
            UnitSource::ClassFolders { root, files, .. } => Folder { root, files }.digest(),
        }
    }

    /// Reads all of a sample but its image; key, offset, url and caption are filled as far as they are known even
    /// where the sample is unusable.
    ///
    /// # Errors
    /// [`ReadFailure`] says whether the sample is bad or the whole input.
    pub fn read_texts(&self, index: usize, raw: &mut RawSample) -> Result<(), ReadFailure> {
        match self {
            UnitSource::Tar(tar, side_files, _) => read_texts_from_tar(tar, side_files, index, raw),
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
            UnitSource::Tar(tar, ..) => {
                let member = tar.samples[index].image;
                let member =
                    member.ok_or_else(|| unusable("no_image", "no image member for this key"))?;
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
            UnitSource::Tar(tar, side_files, _) => {
                let Account { problems, not_downloaded } = side_files.account(tar);
                Account { problems: [tar_problems(tar), problems].concat(), not_downloaded }
            }
            UnitSource::ClassFolders { .. } => Account::default(),
        }
    }
}

/// What differs from the content that an entry recorded of a tar and of what lies beside it, in words.
///
/// # Errors
/// A file cannot be read.
pub(super) fn tar_changes(
    tar: &Path,
    recorded: &[InputFile],
    entry_written: Option<SystemTime>,
) -> Result<Vec<String>, ArchiveError> {
    let mut now = vec![tar.to_owned()];
    now.extend(SideFiles::of(tar));
    let mut changes = Vec::new();
    for path in &now {
        let name = recorded_name(path);
        match recorded.iter().find(|file| file.file == name) {
            Some(file) => changes.extend(content::change(path, file, entry_written)?),
            None if recorded.is_empty() => return Ok(vec![NOT_RECORDED.to_owned()]),
            None => changes.push(format!("{name} was not there then")),
        }
    }
    let names: Vec<String> = now.iter().map(|path| recorded_name(path)).collect();
    let gone = recorded.iter().filter(|file| !names.contains(&file.file));
    changes.extend(gone.map(|file| format!("{} is not there now", file.file)));
    Ok(changes)
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

fn image_too_large(bytes: u64, limit_bytes: u64) -> ReadFailure {
    unusable("too_large", format!("image of {bytes} bytes, the limit is {limit_bytes}"))
}

fn read_texts_from_tar(
    tar: &TarIndex,
    side_files: &SideFiles,
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
    let table = side_files.table.as_ref();
    if let Some((table, row)) = table.and_then(|table| Some((table, table.row_of(&raw.key)?))) {
        fill(raw, table.sidecar(row));
    }
    if raw.unusable_sidecar.is_none() {
        raw.unusable_sidecar = side_files.unusable.clone();
    }
    read_captions(tar, entry, &mut bytes, raw)?;
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

/// Gathers the captions of members, `.json` and table.
fn read_captions(
    tar: &TarIndex,
    entry: &SampleEntry,
    bytes: &mut Vec<u8>,
    raw: &mut RawSample,
) -> Result<(), ReadFailure> {
    let stated = std::mem::take(&mut raw.sidecar.captions);
    let txt = entry.caption.map(|member| (member, "txt", false));
    let others = entry.captions.iter().take(MAX_CAPTION_MEMBERS);
    let others = others.map(|other| (other.member, other.suffix, other.is_json));
    let mut gathered = Gathered::default();
    for (member, suffix, is_json) in txt.into_iter().chain(others) {
        read_member(tar, member, MAX_CAPTION_BYTES, bytes, "caption_too_large")?;
        if is_json {
            match captions_of_json(bytes, suffix) {
                Ok(captions) => captions.into_iter().for_each(|caption| gathered.add(caption)),
                Err(error) => gathered.unreadable(suffix, &error.to_string()),
            }
        } else {
            let text = text_of(bytes, raw);
            gathered.text(&text, suffix, &stated);
        }
    }
    gathered.stated(stated);
    if gathered.captions.is_empty() {
        let suffixes: Vec<String> =
            entry.other.iter().map(|&member| suffix_of(tar.member(member))).collect();
        let error = raw.sidecar_error.as_deref();
        let (reason, detail) = gathered.missing(error, &raw.sidecar.unread, &suffixes);
        raw.no_caption = Some(Unusable { reason, detail });
    }
    raw.repairs.append(&mut gathered.repairs);
    raw.captions = gathered.captions;
    Ok(())
}

/// A member's suffix, for a reason.
fn suffix_of(member: &Member) -> String {
    let name = crate::archive::readable(&member.name);
    let base = name.rsplit('/').next().unwrap_or_default();
    let suffix = base.split_once('.').map_or(base, |(_, suffix)| suffix);
    std::iter::once('.').chain(suffix.chars().take(MAX_SHOWN_SUFFIX)).collect()
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
    let (repair, why) = match tar.read_member(member, MAX_SIDECAR_BYTES, bytes) {
        Ok(()) => match Sidecar::parse(bytes) {
            Ok(sidecar) => {
                let not_utf8 = sidecar.not_utf8.then_some(ReadRepair::SidecarNotUtf8.name());
                raw.repairs.extend(not_utf8);
                raw.sidecar = sidecar;
                return Ok(());
            }
            Err(error) => (ReadRepair::SidecarIgnored, error.to_string()),
        },
        Err(error @ ArchiveError::MemberTooLarge { .. }) => {
            (ReadRepair::SidecarTooLarge, format!("the .json: {error}"))
        }
        Err(error @ ArchiveError::MemberCut { .. }) => {
            (ReadRepair::SidecarCut, format!("the .json: {error}"))
        }
        Err(error) => return Err(ReadFailure::Unit(error)),
    };
    raw.repairs.push(repair.name());
    raw.unusable_sidecar = Some(why.clone());
    raw.sidecar_error = Some(why);
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
    // said without the tar's path: rejects do not depend on where the tar lies
    tar.read_member(member, limit_bytes, bytes).map_err(|error| match error {
        ArchiveError::MemberTooLarge { offset, size, limit, .. } => unusable(
            too_large,
            format!("member at byte {offset} has {size} bytes, the limit is {limit}"),
        ),
        ArchiveError::MemberCut { offset, .. } => {
            unusable("cut", format!("member at byte {offset} is cut off by the end of the file"))
        }
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

fn tar_problems(tar: &TarIndex) -> Vec<String> {
    let mut problems = Vec::new();
    for damage in &tar.damage {
        problems.push(format!(
            "{} bytes at offset {} are no tar member ({:?})",
            damage.bytes, damage.offset, damage.kind
        ));
    }
    match tar.end {
        TarEnd::Clean => {}
        TarEnd::MissingMark { offset } => {
            problems
                .push(format!("no end mark at offset {offset}: the tar may have been cut there"));
        }
        TarEnd::Truncated { offset } => problems.push(format!("cut off at offset {offset}")),
        TarEnd::Garbage { offset } => {
            problems.push(format!("bytes that are no tar member from offset {offset} to the end"));
        }
    }
    for loose in &tar.loose {
        let name = crate::archive::readable(&tar.member(loose.member).name);
        if !matches!(
            loose.reason,
            crate::archive::LooseReason::Directory | crate::archive::LooseReason::Meta
        ) {
            problems
                .push(format!("member `{name}` belongs to no sample ({})", loose.reason.name()));
        }
    }
    problems
}
